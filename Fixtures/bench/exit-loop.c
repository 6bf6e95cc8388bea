// SPDX-License-Identifier: GPL-2.0-or-later
/* The least a KVM exit can cost on this host: a virtual machine like Martlet's (interrupt controllers and timer
   in the kernel, 1 MiB of RAM without the VGA window, a 64 KiB ROM) and a loop that does nothing but answer.
   Runs a guest of Fixtures/bare-metal until it writes port 0x501.

     exit-loop guest.bin    prints the number of exits, and nanoseconds and cycles of the host for each */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int check(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
  return result;
}

static void map(int vm, int slot, uint64_t base, uint64_t size, void *host, int flags) {
  struct kvm_userspace_memory_region region = {slot, flags, base, size, (uint64_t)host};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: exit-loop guest.bin\n");
    return 2;
  }
  int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  uint64_t identity = 0xFEFFC000;
  ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
  check(ioctl(vm, KVM_SET_TSS_ADDR, 0xFEFFD000), "KVM_SET_TSS_ADDR");
  check(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
  struct kvm_pit_config pit = {0};
  check(ioctl(vm, KVM_CREATE_PIT2, &pit), "KVM_CREATE_PIT2");

  int protection = PROT_READ | PROT_WRITE;
  uint8_t *ram = mmap(NULL, 1 << 20, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint8_t *rom = mmap(NULL, 1 << 16, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int file = check(open(argv[1], O_RDONLY), argv[1]);
  if (read(file, rom, 1 << 16) != 1 << 16) {
    fprintf(stderr, "%s: not 64 KiB\n", argv[1]);
    return 1;
  }
  map(vm, 0, 0, 0xA0000, ram, 0);
  map(vm, 1, 0xF0000, 0x10000, rom, KVM_MEM_READONLY);
  map(vm, 2, 0xFFFF0000, 0x10000, rom, KVM_MEM_READONLY);

  int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  int size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run = mmap(NULL, size, protection, MAP_SHARED, vcpu, 0);

  /* The processor a guest would see: what it has makes entries and exits dearer. */
  struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + 256 * sizeof cpuid->entries[0]);
  cpuid->nent = 256;
  check(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
  check(ioctl(vcpu, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");

  double start = now();
  unsigned long long startCycles = __builtin_ia32_rdtsc();
  long exits = 0;
  for (;;) {
    check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    if (run->exit_reason == KVM_EXIT_IO) {
      if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == 0x501) break;
      memset((uint8_t *)run + run->io.data_offset, 0xFF, run->io.size * run->io.count);
    } else if (run->exit_reason == KVM_EXIT_MMIO) {
      if (!run->mmio.is_write) memset(run->mmio.data, 0xFF, 8);
    } else {
      fprintf(stderr, "exit reason %u\n", run->exit_reason);
      return 1;
    }
    exits++;
  }
  double cycles = (double)(__builtin_ia32_rdtsc() - startCycles) / exits;
  printf("%ld exits, %.0f ns each, %.0f cycles each\n", exits, (now() - start) / exits, cycles);
}
