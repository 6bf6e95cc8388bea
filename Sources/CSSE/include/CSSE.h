// SPDX-License-Identifier: GPL-2.0-or-later
/* SSE floating point instructions of the host, each as a function. Swift's operators cannot stand for them:
   the compiler may exchange operands (which NaN comes out?), fold constants (which flags?) and move them
   across changes of MXCSR. Volatile asm statements stay in order. SSE4.1 is needed for ROUND only. No logic
   here. */
#pragma once
#include <stdint.h>

typedef unsigned long long csse_vector __attribute__((ext_vector_type(2)));

#define CSSE_FUNCTION static inline __attribute__((always_inline))

CSSE_FUNCTION uint32_t csse_mxcsr(void) {
  uint32_t value;
  __asm__ volatile("stmxcsr %0" : "=m"(value) : : "memory");
  return value;
}

CSSE_FUNCTION void csse_set_mxcsr(uint32_t value) {
  __asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
}

/* a := a op b; scalar instructions and conversions leave the rest of a. */
#define CSSE_BINARY(name)                                                   \
  CSSE_FUNCTION csse_vector csse_##name(csse_vector a, csse_vector b) {     \
    __asm__ volatile(#name " %1, %0" : "+x"(a) : "x"(b));                   \
    return a;                                                               \
  }
#define CSSE_FORMATS(name) \
  CSSE_BINARY(name##ps) CSSE_BINARY(name##pd) CSSE_BINARY(name##ss) CSSE_BINARY(name##sd)

CSSE_FORMATS(add)
CSSE_FORMATS(sub)
CSSE_FORMATS(mul)
CSSE_FORMATS(div)
CSSE_FORMATS(min)
CSSE_FORMATS(max)
CSSE_FORMATS(sqrt)
CSSE_FORMATS(cmpeq)
CSSE_FORMATS(cmplt)
CSSE_FORMATS(cmple)
CSSE_FORMATS(cmpunord)
CSSE_FORMATS(cmpneq)
CSSE_FORMATS(cmpnlt)
CSSE_FORMATS(cmpnle)
CSSE_FORMATS(cmpord)
CSSE_BINARY(rcpps)
CSSE_BINARY(rcpss)
CSSE_BINARY(rsqrtps)
CSSE_BINARY(rsqrtss)
CSSE_BINARY(cvtps2pd)
CSSE_BINARY(cvtpd2ps)
CSSE_BINARY(cvtss2sd)
CSSE_BINARY(cvtsd2ss)
CSSE_BINARY(cvtdq2ps)
CSSE_BINARY(cvtdq2pd)
CSSE_BINARY(cvtps2dq)
CSSE_BINARY(cvttps2dq)
CSSE_BINARY(cvtpd2dq)
CSSE_BINARY(cvttpd2dq)

/* ROUNDPS and so on, with the four bits of the immediate that count. */
#define CSSE_ROUND_CASE(name, mode) \
  case mode: __asm__ volatile(#name " $" #mode ", %1, %0" : "+x"(a) : "x"(b)); break;
#define CSSE_ROUND(name)                                                                   \
  CSSE_FUNCTION csse_vector csse_##name(csse_vector a, csse_vector b, uint8_t mode) {      \
    switch (mode & 15) {                                                                   \
      CSSE_ROUND_CASE(name, 0) CSSE_ROUND_CASE(name, 1) CSSE_ROUND_CASE(name, 2)           \
      CSSE_ROUND_CASE(name, 3) CSSE_ROUND_CASE(name, 4) CSSE_ROUND_CASE(name, 5)           \
      CSSE_ROUND_CASE(name, 6) CSSE_ROUND_CASE(name, 7) CSSE_ROUND_CASE(name, 8)           \
      CSSE_ROUND_CASE(name, 9) CSSE_ROUND_CASE(name, 10) CSSE_ROUND_CASE(name, 11)         \
      CSSE_ROUND_CASE(name, 12) CSSE_ROUND_CASE(name, 13) CSSE_ROUND_CASE(name, 14)        \
      CSSE_ROUND_CASE(name, 15)                                                            \
    }                                                                                      \
    return a;                                                                              \
  }
CSSE_ROUND(roundps)
CSSE_ROUND(roundpd)
CSSE_ROUND(roundss)
CSSE_ROUND(roundsd)

/* COMISS and so on: ZF, PF and CF where RFLAGS has them. */
#define CSSE_COMPARE(name)                                                          \
  CSSE_FUNCTION uint32_t csse_##name(csse_vector a, csse_vector b) {                \
    int zero, parity, carry;                                                        \
    __asm__ volatile(#name " %4, %3"                                                \
                     : "=@ccz"(zero), "=@ccp"(parity), "=@ccc"(carry)               \
                     : "x"(a), "x"(b));                                             \
    return (uint32_t)zero << 6 | (uint32_t)parity << 2 | (uint32_t)carry;           \
  }
CSSE_COMPARE(comiss)
CSSE_COMPARE(comisd)
CSSE_COMPARE(ucomiss)
CSSE_COMPARE(ucomisd)

/* CVTSI2SS and so on. */
#define CSSE_FROM_INTEGER(name, instruction, type)                          \
  CSSE_FUNCTION csse_vector csse_##name(csse_vector a, type b) {            \
    __asm__ volatile(instruction " %1, %0" : "+x"(a) : "r"(b));             \
    return a;                                                               \
  }
CSSE_FROM_INTEGER(cvtsi2ss, "cvtsi2ssl", uint32_t)
CSSE_FROM_INTEGER(cvtsi2sd, "cvtsi2sdl", uint32_t)
CSSE_FROM_INTEGER(cvtsi2ss_wide, "cvtsi2ssq", uint64_t)
CSSE_FROM_INTEGER(cvtsi2sd_wide, "cvtsi2sdq", uint64_t)

/* CVTSS2SI and so on. */
#define CSSE_TO_INTEGER(name, instruction, type)                            \
  CSSE_FUNCTION type csse_##name(csse_vector a) {                           \
    type result;                                                            \
    __asm__ volatile(instruction " %1, %0" : "=r"(result) : "x"(a));        \
    return result;                                                          \
  }
CSSE_TO_INTEGER(cvtss2si, "cvtss2si", uint32_t)
CSSE_TO_INTEGER(cvtsd2si, "cvtsd2si", uint32_t)
CSSE_TO_INTEGER(cvttss2si, "cvttss2si", uint32_t)
CSSE_TO_INTEGER(cvttsd2si, "cvttsd2si", uint32_t)
CSSE_TO_INTEGER(cvtss2si_wide, "cvtss2si", uint64_t)
CSSE_TO_INTEGER(cvtsd2si_wide, "cvtsd2si", uint64_t)
CSSE_TO_INTEGER(cvttss2si_wide, "cvttss2si", uint64_t)
CSSE_TO_INTEGER(cvttsd2si_wide, "cvttsd2si", uint64_t)
