// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "CNativeExecutor.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* What the trampoline works with, at a fixed address below 2 GiB so that it can be reached by absolute
   addresses while every register holds a value of the case. The numbers are those in the assembly below. */
#define LIVE_ADDRESS 0x30000000
typedef struct {
  native_state in;        /* 0x000 */
  native_state out;       /* 0x2c0 */
  uint64_t frame[5];      /* 0x580: RIP, CS, RFLAGS, RSP, SS for IRETQ */
  uint64_t host_rsp;      /* 0x5a8 */
  uint64_t exit;          /* 0x5b0: where code that ended goes */
  uint64_t mxcsr;         /* 0x5b8: the one of C code */
  uint8_t gate[16];       /* 0x5c0: a 64-bit jump to `exit`, for compatibility mode */
  uint64_t stack[8];      /* 0x5d0 to 0x610 */
  volatile uint32_t inside, ticks;
  volatile uint32_t end, vector;
  volatile uint64_t error_code, cr2;
} live_page;
#define LIVE ((live_page *)LIVE_ADDRESS)

_Static_assert(sizeof(native_state) == 0x2c0, "trampoline");
_Static_assert(offsetof(native_state, rflags) == 0x80 && offsetof(native_state, fx) == 0xc0, "trampoline");
_Static_assert(offsetof(live_page, frame) == 0x580 && offsetof(live_page, host_rsp) == 0x5a8, "trampoline");
_Static_assert(offsetof(live_page, exit) == 0x5b0 && offsetof(live_page, gate) == 0x5c0, "trampoline");
_Static_assert(offsetof(live_page, stack) == 0x5d0 && offsetof(live_page, inside) == 0x610, "trampoline");

/* IRETQ enters the code: it loads RIP, RFLAGS and RSP at once, and it serializes, which code just written
   under another linear address needs (SDM volume 3, 9.1.3). FXSAVE and FNINIT do not wait for pending x87
   exceptions. */
__asm__(
    ".text\n"
    ".globl native_enter\n.hidden native_enter\nnative_enter:\n"
    "  pushq %rbx\n  pushq %rbp\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, 0x300005a8\n"
    "  fxrstor64 0x300000c0\n"
    "  movq 0x30000000, %rax\n  movq 0x30000008, %rcx\n  movq 0x30000010, %rdx\n  movq 0x30000018, %rbx\n"
    "  movq 0x30000028, %rbp\n  movq 0x30000030, %rsi\n  movq 0x30000038, %rdi\n"
    "  movq 0x30000040, %r8\n  movq 0x30000048, %r9\n  movq 0x30000050, %r10\n  movq 0x30000058, %r11\n"
    "  movq 0x30000060, %r12\n  movq 0x30000068, %r13\n  movq 0x30000070, %r14\n  movq 0x30000078, %r15\n"
    "  movl $0x30000580, %esp\n"
    "  iretq\n"
    ".globl native_exit\n.hidden native_exit\nnative_exit:\n"
    "  movq %rax, 0x300002c0\n  movq %rcx, 0x300002c8\n  movq %rdx, 0x300002d0\n  movq %rbx, 0x300002d8\n"
    "  movq %rsp, 0x300002e0\n  movq %rbp, 0x300002e8\n  movq %rsi, 0x300002f0\n  movq %rdi, 0x300002f8\n"
    "  movq %r8, 0x30000300\n  movq %r9, 0x30000308\n  movq %r10, 0x30000310\n  movq %r11, 0x30000318\n"
    "  movq %r12, 0x30000320\n  movq %r13, 0x30000328\n  movq %r14, 0x30000330\n  movq %r15, 0x30000338\n"
    "  movl $0x30000610, %esp\n"
    "  pushfq\n  popq 0x30000340\n"
    "  fxsave64 0x30000380\n"
    ".globl native_resume\n.hidden native_resume\nnative_resume:\n"
    "  fninit\n  ldmxcsr 0x300005b8\n"
    "  movq 0x300005a8, %rsp\n"
    /* A signal's return leaves NT as it was, with which IRETQ would fault. */
    "  pushq $0x202\n  popfq\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbp\n  popq %rbx\n"
    "  ret\n"
    ".globl native_trampoline_end\n.hidden native_trampoline_end\nnative_trampoline_end:\n");
extern const char native_exit[], native_resume[], native_trampoline_end[];
extern void native_enter(void);

/* Shared by both processes. `requested` and `completed` are futexes: the number of cases asked for and done
   since the start. */
typedef struct {
  uint32_t requested;
  uint32_t completed;
  native_case cases[NATIVE_RING];
  native_outcome outcomes[NATIVE_RING];
} mailbox;

struct native_executor {
  mailbox *box;
  pid_t child;
  long restarts;
  uint8_t contents[NATIVE_DATA_SIZE];
};

static void futex_wait(uint32_t *word, uint32_t seen, long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  syscall(SYS_futex, word, FUTEX_WAIT, seen, &time, NULL, 0);
}
static void futex_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

void native_apply_patches(const native_case *it, uint8_t *data) {
  for (int i = 0; i < NATIVE_PATCHES; i++) {
    const native_patch *patch = &it->patches[i];
    if (patch->offset >= NATIVE_DATA_SIZE) continue;
    uint32_t room = NATIVE_DATA_SIZE - patch->offset;
    uint32_t length = patch->length < 64 ? patch->length : 64;
    memcpy(data + patch->offset, patch->bytes, length < room ? length : room);
  }
}

void native_collect_changes(uint8_t *data, const uint8_t *contents, native_outcome *outcome) {
  outcome->line_count = 0;
  for (uint32_t at = 0; at < NATIVE_DATA_SIZE; at += 512) {
    if (memcmp(data + at, contents + at, 512) == 0) continue;
    for (uint32_t line = at; line < at + 512; line += NATIVE_LINE) {
      if (memcmp(data + line, contents + line, NATIVE_LINE) == 0) continue;
      if (outcome->line_count < NATIVE_LINES) {
        outcome->line_numbers[outcome->line_count] = line / NATIVE_LINE;
        memcpy(outcome->lines[outcome->line_count], data + line, NATIVE_LINE);
      }
      if (outcome->line_count <= NATIVE_LINES) outcome->line_count++;
      memcpy(data + line, contents + line, NATIVE_LINE);
    }
  }
}

uint32_t native_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t reg) {
  uint32_t values[4] = {0};
  if (!__get_cpuid_count(leaf, subleaf, &values[0], &values[1], &values[2], &values[3])) return 0;
  return values[reg & 3];
}

/* The child from here on: it was made by fork() in a process with other threads, so it only calls what is
   async-signal-safe. */

static uint8_t *code_alias, *data_alias;

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *uc = context;
  greg_t *regs = uc->uc_mcontext.gregs;
  uint64_t rip = (uint64_t)regs[REG_RIP];
  int in_trampoline = rip >= (uint64_t)native_enter && rip < (uint64_t)native_trampoline_end;
  if (signal == SIGPROF) {
    /* The processor time of two ticks went by with the same case. */
    if (!LIVE->inside || in_trampoline || ++LIVE->ticks < 3) return;
    LIVE->end = NATIVE_HUNG;
  } else {
    if (!LIVE->inside) _exit(99);
    LIVE->end = NATIVE_FAULTED;
  }
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; i++) LIVE->out.gpr[i] = (uint64_t)regs[order[i]];
  LIVE->out.rflags = (uint64_t)regs[REG_EFL];
  LIVE->out.rip = rip;
  LIVE->vector = (uint32_t)regs[REG_TRAPNO];
  LIVE->error_code = (uint64_t)regs[REG_ERR];
  LIVE->cr2 = LIVE->vector == 14 ? (uint64_t)regs[REG_CR2] : 0;
  memcpy(LIVE->out.fx, uc->uc_mcontext.fpregs, 512);
  /* What the signal's return is to load: a clean state, and the way back to C. */
  uc->uc_mcontext.fpregs->cwd = 0x37f;
  uc->uc_mcontext.fpregs->swd = 0;
  uc->uc_mcontext.fpregs->mxcsr = 0x1f80;
  regs[REG_RIP] = (greg_t)(uintptr_t)native_resume;
  regs[REG_EFL] = 0x202;
  regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~(greg_t)0xffff) | 0x33;
}

static void run_one(const native_case *it, native_outcome *outcome, const uint8_t *contents) {
  uint32_t at = (uint32_t)it->before.rip & (NATIVE_CODE_SIZE - 1);
  uint32_t room = NATIVE_CODE_SIZE - at;
  uint32_t length = it->code_length < NATIVE_CODE_BYTES ? it->code_length : NATIVE_CODE_BYTES;
  if (length > room) length = room;
  memcpy(code_alias + at, it->code, length);
  /* The way out: jmp qword [exit], in compatibility mode jmp 0x33:gate. It may be cut off by the page's end. */
  uint8_t way_out[7] = {0xff, 0x24, 0x25};
  uint32_t target = LIVE_ADDRESS + offsetof(live_page, exit);
  if (it->is_32_bit) {
    way_out[0] = 0xea;
    target = LIVE_ADDRESS + offsetof(live_page, gate);
    memcpy(way_out + 1, &target, 4);
    way_out[5] = 0x33;
    way_out[6] = 0;
  } else {
    memcpy(way_out + 3, &target, 4);
  }
  uint32_t way_out_length = room - length < 7 ? room - length : 7;
  memcpy(code_alias + at + length, way_out, way_out_length);
  native_apply_patches(it, data_alias);

  LIVE->in = it->before;
  /* What FXRSTOR refuses, and AMD's mode in which misaligned operands do not fault. */
  uint32_t mxcsr;
  memcpy(&mxcsr, LIVE->in.fx + 24, 4);
  mxcsr &= 0xffff;
  memcpy(LIVE->in.fx + 24, &mxcsr, 4);
  LIVE->frame[0] = NATIVE_CODE + at;
  LIVE->frame[1] = it->is_32_bit ? 0x23 : 0x33;
  LIVE->frame[2] = (it->before.rflags & 0x244cd5) | 0x202; /* ID, AC, NT, OF, DF, SF, ZF, AF, PF, CF */
  LIVE->frame[3] = it->before.gpr[4];
  LIVE->frame[4] = 0x2b;
  LIVE->out.rip = NATIVE_CODE + at + length;
  LIVE->end = NATIVE_ENDED;
  LIVE->vector = 0;
  LIVE->error_code = LIVE->cr2 = 0;
  LIVE->ticks = 0;
  LIVE->inside = 1;
  __asm__ volatile("" ::: "memory");
  native_enter();
  __asm__ volatile("" ::: "memory");
  LIVE->inside = 0;

  outcome->after = LIVE->out;
  outcome->end = LIVE->end;
  outcome->vector = LIVE->vector;
  outcome->error_code = LIVE->error_code;
  outcome->cr2 = LIVE->cr2;
  native_collect_changes(data_alias, contents, outcome);
  memset(code_alias + at, 0xcc, length + way_out_length);
}

/* `size` bytes of shared memory at `address` with `protection`, and writable elsewhere. */
static uint8_t *map_twice(uint64_t address, size_t size, int protection) {
  int file = (int)syscall(SYS_memfd_create, "scratch", 0);
  if (file < 0 || ftruncate(file, (off_t)size) != 0) _exit(97);
  uint8_t *alias = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  void *fixed = mmap((void *)address, size, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, 0);
  if (alias == MAP_FAILED || fixed == MAP_FAILED) _exit(97);
  close(file);
  return alias;
}

static _Noreturn void child_main(mailbox *box, const uint8_t *contents) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  void *live = mmap((void *)LIVE_ADDRESS, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
  if (live == MAP_FAILED) _exit(97);
  LIVE->exit = (uint64_t)native_exit;
  LIVE->mxcsr = 0x1f80;
  static const uint8_t gate[7] = {0xff, 0x24, 0x25, 0xb0, 0x05, 0x00, 0x30};
  memcpy(LIVE->gate, gate, sizeof gate);
  code_alias = map_twice(NATIVE_CODE, NATIVE_CODE_SIZE, PROT_READ | PROT_EXEC);
  memset(code_alias, 0xcc, NATIVE_CODE_SIZE);
  data_alias = map_twice(NATIVE_DATA, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE);
  memcpy(data_alias, contents, NATIVE_DATA_SIZE);
  if (mprotect((void *)(NATIVE_DATA + NATIVE_DATA_WRITABLE), NATIVE_DATA_SIZE - NATIVE_DATA_WRITABLE, PROT_READ))
    _exit(97);
  for (uint64_t page = NATIVE_DATA; page < NATIVE_DATA + NATIVE_DATA_SIZE; page += 0x1000)
    *(volatile uint8_t *)page;

  static uint8_t signal_stack[65536];
  stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF};
  sigset_t wanted;
  sigemptyset(&wanted);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    sigaction(signals[i], &action, NULL);
    sigaddset(&wanted, signals[i]);
  }
  sigprocmask(SIG_UNBLOCK, &wanted, NULL);
  struct itimerval timer = {{0, 50000}, {0, 50000}};
  setitimer(ITIMER_PROF, &timer, NULL);
  /* Compatibility mode has no access by null selectors. */
  __asm__ volatile("movl %0, %%ds\n movl %0, %%es" ::"r"(0x2b));

  uint32_t done = __atomic_load_n(&box->completed, __ATOMIC_ACQUIRE);
  for (;;) {
    uint32_t requested;
    while ((requested = __atomic_load_n(&box->requested, __ATOMIC_ACQUIRE)) == done)
      futex_wait(&box->requested, done, 1000);
    for (; done != requested; done++) {
      uint32_t slot = done % NATIVE_RING;
      __atomic_store_n(&box->completed, done, __ATOMIC_RELEASE);
      run_one(&box->cases[slot], &box->outcomes[slot], contents);
    }
    __atomic_store_n(&box->completed, done, __ATOMIC_RELEASE);
    futex_wake(&box->completed);
  }
}

/* The parent. */

static int start_child(native_executor *executor) {
  executor->child = fork();
  if (executor->child == 0) child_main(executor->box, executor->contents);
  return executor->child < 0 ? -1 : 0;
}

native_executor *native_executor_start(const uint8_t *contents) {
  native_executor *executor = calloc(1, sizeof *executor);
  if (executor == NULL) return NULL;
  memcpy(executor->contents, contents, NATIVE_DATA_SIZE);
  executor->box = mmap(NULL, sizeof *executor->box, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (executor->box == MAP_FAILED || start_child(executor) != 0) {
    int error = errno;
    if (executor->box != MAP_FAILED) munmap(executor->box, sizeof *executor->box);
    free(executor);
    errno = error;
    return NULL;
  }
  return executor;
}

static int run_batch(native_executor *executor, const native_case *cases, native_outcome *outcomes, long count) {
  mailbox *box = executor->box;
  uint32_t first = box->requested;
  for (long i = 0; i < count; i++) box->cases[(first + (uint32_t)i) % NATIVE_RING] = cases[i];
  uint32_t target = first + (uint32_t)count;
  __atomic_store_n(&box->requested, target, __ATOMIC_RELEASE);
  futex_wake(&box->requested);
  uint32_t completed;
  while ((completed = __atomic_load_n(&box->completed, __ATOMIC_ACQUIRE)) != target) {
    int status;
    if (waitpid(executor->child, &status, WNOHANG) == executor->child) {
      executor->child = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 97) {
        errno = ENOMEM;
        return -1;
      }
      completed = __atomic_load_n(&box->completed, __ATOMIC_ACQUIRE);
      if (completed != target) {
        memset(&box->outcomes[completed % NATIVE_RING], 0, sizeof(native_outcome));
        box->outcomes[completed % NATIVE_RING].end = NATIVE_CRASHED;
        __atomic_store_n(&box->completed, completed + 1, __ATOMIC_RELEASE);
      }
      executor->restarts++;
      if (start_child(executor) != 0) return -1;
      continue;
    }
    futex_wait(&box->completed, completed, 100);
  }
  for (long i = 0; i < count; i++) outcomes[i] = box->outcomes[(first + (uint32_t)i) % NATIVE_RING];
  return 0;
}

int native_executor_run(native_executor *executor, const native_case *cases, native_outcome *outcomes, long count) {
  for (long at = 0; at < count; at += NATIVE_RING) {
    long batch = count - at < NATIVE_RING ? count - at : NATIVE_RING;
    if (run_batch(executor, cases + at, outcomes + at, batch) != 0) return -1;
  }
  return 0;
}

long native_executor_restarts(const native_executor *executor) { return executor->restarts; }

void native_executor_stop(native_executor *executor) {
  if (executor->child > 0) {
    kill(executor->child, SIGKILL);
    while (waitpid(executor->child, NULL, 0) < 0 && errno == EINTR) {}
  }
  munmap(executor->box, sizeof *executor->box);
  free(executor);
}
