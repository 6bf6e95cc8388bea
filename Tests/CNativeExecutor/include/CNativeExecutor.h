// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

/* Runs x86 instructions on the host's own CPU, in a child process, with a full user-visible state given, and
   tells the full state afterwards. */

/* The linear addresses an instruction under test lives in. Nothing else below 0x30000000 is mapped in the
   child. */
enum {
  NATIVE_CODE = 0x10000000,          /* one page: execute and read; filled with int3 around the instruction */
  NATIVE_CODE_SIZE = 0x1000,
  NATIVE_DATA = 0x20000000,          /* the scratch pages; what lies before and behind is not mapped */
  NATIVE_DATA_SIZE = 0x4000,
  NATIVE_DATA_WRITABLE = 0x3000,     /* the pages from here on are read-only */
  NATIVE_LINE = 64,                  /* changes in memory are told in units of this many bytes */
  NATIVE_LINES = 24,                 /* at most this many of them */
  NATIVE_CODE_BYTES = 64,
  NATIVE_PATCHES = 3,
  NATIVE_RING = 256,                 /* cases in one round trip */
};

/* RAX RCX RDX RBX RSP RBP RSI RDI R8-R15, as the encodings number them; `fx` is laid out as by FXSAVE64. */
typedef struct {
  uint64_t gpr[16];
  uint64_t rflags;
  uint64_t rip;
  uint8_t padding[48];
  uint8_t fx[512];
} native_state;

typedef struct {
  uint32_t offset;  /* in the scratch pages */
  uint32_t length;  /* 0 to 64 */
  uint8_t bytes[64];
} native_patch;

/* One case: the state before (`rip` is where the code goes, within the code page; the code's end does not lie
   behind the page's), the code and what the scratch memory has besides its usual contents. */
typedef struct {
  native_state before;
  uint8_t code[NATIVE_CODE_BYTES];
  uint32_t code_length;
  uint32_t is_32_bit;  /* not 0: compatibility mode, with a 32-bit code segment */
  native_patch patches[NATIVE_PATCHES];
} native_case;

enum {
  NATIVE_ENDED = 0,    /* ran to the end of the code */
  NATIVE_FAULTED = 1,  /* an exception: the state is the one it found */
  NATIVE_HUNG = 2,     /* did not end */
  NATIVE_CRASHED = 3,  /* the child died of it */
};

typedef struct {
  native_state after;   /* `rip` behind the code when it ended */
  uint32_t end;         /* NATIVE_ENDED... */
  uint32_t vector;      /* of the exception */
  uint64_t error_code;
  uint64_t cr2;         /* only for a page fault (vector 14) */
  uint32_t line_count;  /* changed lines; NATIVE_LINES + 1 for more than fit */
  uint32_t line_numbers[NATIVE_LINES];
  uint8_t lines[NATIVE_LINES][NATIVE_LINE];
} native_outcome;

typedef struct native_executor native_executor;

/* Starts the child. `contents` (NATIVE_DATA_SIZE bytes) is what the scratch memory has before each case. Null
   with errno set when it cannot be made. */
native_executor *native_executor_start(const uint8_t *contents);

/* Runs `count` cases. A case that kills the child is told as NATIVE_CRASHED and the child is made anew.
   0, or -1 with errno set when there can be no child any more. */
int native_executor_run(native_executor *executor, const native_case *cases, native_outcome *outcomes, long count);

/* How often a child had to be replaced. */
long native_executor_restarts(const native_executor *executor);

void native_executor_stop(native_executor *executor);

/* Puts a case's patches into the scratch memory at `data`. */
void native_apply_patches(const native_case *it, uint8_t *data);

/* Tells which lines of `data` differ from `contents`, and undoes the differences. */
void native_collect_changes(uint8_t *data, const uint8_t *contents, native_outcome *outcome);

/* Bits of CPUID: leaf, subleaf; which register (0 EAX to 3 EDX). */
uint32_t native_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t reg);
