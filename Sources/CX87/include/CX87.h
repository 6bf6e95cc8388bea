// SPDX-License-Identifier: GPL-2.0-or-later
/* Single instructions of the host's floating-point unit, which Swift cannot express: 80-bit arithmetic under
   a given control word, with the status word it leaves. No logic here.

   Operands and results are 10-byte numbers in memory. `control` is the control word to work under, exceptions
   unmasked or not; `sticky` are exception flags that are known to be set already: they may show in the status
   word that each function returns. What an exception that is not masked keeps from being written keeps its
   value; such exceptions are never taken here.

   The unit is left empty, under the control word of the C ABI, which is FINIT's: most guests keep that, and then
   nothing is loaded. */
#pragma once
#include <stdint.h>

typedef struct __attribute__((packed)) {
  uint64_t significand;
  uint16_t exponent;
} martlet_x87_number;

static const uint16_t martlet_x87_abi_control = 0x37F;

#define MARTLET_X87_CLOBBERS                                                                                 \
  "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* OPERATE loads operands and executes the instruction, STORE stores what is on the stack, DROP empties it.

   FNSTSW takes longer than most instructions, so there is one only: behind the instruction, where it shows the
   flags of before, too. If any is set that is not expected, it may be either's, and the instruction is executed
   again with all flags clear, as FNINIT leaves them; its operands are still in memory. */
#define MARTLET_X87_ONCE(LOAD_CONTROL, RESTORE_CONTROL, OPERATE, STORE, DROP, OUTPUTS, ...)                  \
  __asm__ volatile(LOAD_CONTROL OPERATE "\n\tfnstsw %[status]\n\ttestw %[unexpected], %w[status]\n\tjz 1f\n\t"  \
                   "fninit\n\t" LOAD_CONTROL OPERATE "\n\tfnstsw %[status]\n1:\t"                         \
                   STORE "\n\t" DROP "\n\t" RESTORE_CONTROL                                                \
                   : [status] "=&a"(status), OUTPUTS                                                         \
                   : [unexpected] "r"((uint16_t)(~sticky & 0x3F)), [control] "m"(control),                   \
                     [abi] "m"(martlet_x87_abi_control), __VA_ARGS__                                         \
                   : "cc", MARTLET_X87_CLOBBERS);

/* With an unmasked exception pending only FNCLEX and the like can be executed, and it is not known what is on
   the stack. */
#define MARTLET_X87(OPERATE, STORE, DROP, OUTPUTS, ...)                                                      \
  uint16_t status;                                                                                           \
  if (__builtin_expect(control == martlet_x87_abi_control, 1)) {                                             \
    MARTLET_X87_ONCE("", "", OPERATE, STORE, DROP, MARTLET_X87_LIST(OUTPUTS), __VA_ARGS__)                   \
  } else if ((control & 0x3F) == 0x3F) {                                                                     \
    MARTLET_X87_ONCE("fldcw %[control]\n\t", "fldcw %[abi]", OPERATE, STORE, DROP,                           \
                     MARTLET_X87_LIST(OUTPUTS), __VA_ARGS__)                                                 \
  } else {                                                                                                   \
    __asm__ volatile("fnclex\n\tfldcw %[control]\n\t" OPERATE "\n\tfnstsw %[status]\n\tfnclex\n\t" STORE     \
                     "\n\tfninit"                                                                            \
                     : [status] "=&a"(status), OUTPUTS                                                        \
                     : [control] "m"(control), [abi] "m"(martlet_x87_abi_control), __VA_ARGS__               \
                     : MARTLET_X87_CLOBBERS);                                                                \
  }                                                                                                          \
  return status;

/* Part of whoever calls: these are so short that the call is felt. */
#define MARTLET_X87_INLINE static inline __attribute__((always_inline)) uint16_t

/* result = operation(a) or operation(a, b), where a is in ST0 and b in ST1. */
#define MARTLET_X87_UNARY(NAME, INSTRUCTION)                                                                 \
  static inline uint16_t martlet_x87_##NAME(martlet_x87_number *result, const martlet_x87_number *a,         \
                                            uint16_t control, uint16_t sticky) {                             \
    MARTLET_X87("fldt %[a]\n\t" INSTRUCTION, "fstpt %[result]", "", [result] "+m"(*result), [a] "m"(*a))     \
  }

#define MARTLET_X87_BINARY(NAME, INSTRUCTION, DROP)                                                          \
  MARTLET_X87_INLINE martlet_x87_##NAME(martlet_x87_number *result, const martlet_x87_number *a,             \
                                            const martlet_x87_number *b, uint16_t control,                   \
                                            uint16_t sticky) {                                               \
    MARTLET_X87("fldt %[b]\n\tfldt %[a]\n\t" INSTRUCTION, "fstpt %[result]", DROP,                           \
                [result] "+m"(*result), [a] "m"(*a), [b] "m"(*b))                                            \
  }

#define MARTLET_X87_BINARY_TO(NAME, INSTRUCTION)                                                             \
  MARTLET_X87_INLINE martlet_x87_##NAME(martlet_x87_number *result, const martlet_x87_number *a,             \
                                            const martlet_x87_number *b, uint16_t control,                   \
                                            uint16_t sticky) {                                               \
    MARTLET_X87("fldt %[b]\n\tfldt %[a]\n\t" INSTRUCTION, "fxch\n\tfstpt %[result]", "fstp %%st(0)",         \
                [result] "+m"(*result), [a] "m"(*a), [b] "m"(*b))                                            \
  }

/* Leaves two numbers: `top` is on top of `next`; or one, if C2 says that the operand is out of range. */
#define MARTLET_X87_SPLIT(NAME, INSTRUCTION)                                                                 \
  static inline uint16_t martlet_x87_##NAME(martlet_x87_number *top, martlet_x87_number *next,               \
                                            const martlet_x87_number *a, uint16_t control,                   \
                                            uint16_t sticky) {                                               \
    MARTLET_X87_TWO("fldt %[a]\n\t" INSTRUCTION, "fstpt %[top]\n\tfstpt %[next]", "fninit",                        \
                    [top] "+m"(*top), [next] "+m"(*next), [a] "m"(*a))                                       \
  }
#define MARTLET_X87_TWO(OPERATE, STORE, DROP, OUTPUT1, OUTPUT2, ...)                                         \
  MARTLET_X87(OPERATE, STORE, DROP, MARTLET_X87_LIST(OUTPUT1, OUTPUT2), __VA_ARGS__)
#define MARTLET_X87_LIST(...) __VA_ARGS__

/* Only flags and condition codes. */
#define MARTLET_X87_TEST(NAME, INSTRUCTION, DROP)                                                            \
  static inline uint16_t martlet_x87_##NAME(const martlet_x87_number *a, uint16_t control,                   \
                                            uint16_t sticky) {                                               \
    uint16_t unused;                                                                                         \
    MARTLET_X87("fldt %[a]\n\t" INSTRUCTION, "", DROP, [unused] "=m"(unused), [a] "m"(*a))                   \
  }

#define MARTLET_X87_COMPARE(NAME, INSTRUCTION)                                                               \
  static inline uint16_t martlet_x87_##NAME(const martlet_x87_number *a, const martlet_x87_number *b,        \
                                            uint16_t control, uint16_t sticky) {                             \
    uint16_t unused;                                                                                         \
    MARTLET_X87("fldt %[b]\n\tfldt %[a]\n\t" INSTRUCTION, "", "", [unused] "=m"(unused), [a] "m"(*a),        \
                [b] "m"(*b))                                                                                 \
  }

/* Operations with a number in memory. */
#define MARTLET_X87_MEMORY(NAME, TYPE, INSTRUCTION)                                                          \
  static inline uint16_t martlet_x87_##NAME(martlet_x87_number *result, const martlet_x87_number *a,         \
                                            TYPE b, uint16_t control, uint16_t sticky) {                     \
    MARTLET_X87("fldt %[a]\n\t" INSTRUCTION " %[b]", "fstpt %[result]", "", [result] "+m"(*result),          \
                [a] "m"(*a), [b] "m"(b))                                                                     \
  }

#define MARTLET_X87_COMPARE_MEMORY(NAME, TYPE, INSTRUCTION)                                                  \
  static inline uint16_t martlet_x87_##NAME(const martlet_x87_number *a, TYPE b, uint16_t control,           \
                                            uint16_t sticky) {                                               \
    uint16_t unused;                                                                                         \
    MARTLET_X87("fldt %[a]\n\t" INSTRUCTION " %[b]", "", "", [unused] "=m"(unused), [a] "m"(*a),             \
                [b] "m"(b))                                                                                  \
  }

#define MARTLET_X87_LOAD(NAME, TYPE, INSTRUCTION)                                                            \
  static inline uint16_t martlet_x87_##NAME(martlet_x87_number *result, const TYPE *source,                  \
                                            uint16_t control, uint16_t sticky) {                             \
    MARTLET_X87(INSTRUCTION " %[source]", "fstpt %[result]", "", [result] "+m"(*result),                     \
                [source] "m"(*source))                                                                       \
  }

/* Constants, rounded as `control` says, in which all exceptions are masked. There are none. */
#define MARTLET_X87_CONSTANT(NAME, INSTRUCTION)                                                              \
  static inline void martlet_x87_##NAME(martlet_x87_number *result, uint16_t control) {                      \
    __asm__ volatile("fldcw %[control]\n\t" INSTRUCTION "\n\tfstpt %[result]\n\tfldcw %[abi]"                 \
                     : [result] "=m"(*result)                                                                \
                     : [control] "m"(control), [abi] "m"(martlet_x87_abi_control)                            \
                     : MARTLET_X87_CLOBBERS);                                                                \
  }

#define MARTLET_X87_STORE(NAME, TYPE, INSTRUCTION)                                                           \
  static inline uint16_t martlet_x87_##NAME(TYPE *result, const martlet_x87_number *a, uint16_t control,     \
                                            uint16_t sticky) {                                               \
    MARTLET_X87("fldt %[a]\n\t" INSTRUCTION " %[result]", "", "", [result] "+m"(*result), [a] "m"(*a))       \
  }

/* D8 C0, C8, E0, E8, F0, F8: ST0 = ST0 op ST1 (the R forms: ST1 op ST0). By bytes, because assemblers
   disagree on the names of the subtractions and divisions. */
MARTLET_X87_BINARY(add, ".byte 0xD8, 0xC1", "fstp %%st(0)")
MARTLET_X87_BINARY(multiply, ".byte 0xD8, 0xC9", "fstp %%st(0)")
MARTLET_X87_BINARY(subtract, ".byte 0xD8, 0xE1", "fstp %%st(0)")
MARTLET_X87_BINARY(subtract_reverse, ".byte 0xD8, 0xE9", "fstp %%st(0)")
MARTLET_X87_BINARY(divide, ".byte 0xD8, 0xF1", "fstp %%st(0)")
MARTLET_X87_BINARY(divide_reverse, ".byte 0xD8, 0xF9", "fstp %%st(0)")
/* DC C0, C8, E0, E8, F0, F8: ST1 = ST0 op ST1 (the other forms: ST1 op ST0). */
MARTLET_X87_BINARY_TO(add_to, ".byte 0xDC, 0xC1")
MARTLET_X87_BINARY_TO(multiply_to, ".byte 0xDC, 0xC9")
MARTLET_X87_BINARY_TO(subtract_reverse_to, ".byte 0xDC, 0xE1")
MARTLET_X87_BINARY_TO(subtract_to, ".byte 0xDC, 0xE9")
MARTLET_X87_BINARY_TO(divide_reverse_to, ".byte 0xDC, 0xF1")
MARTLET_X87_BINARY_TO(divide_to, ".byte 0xDC, 0xF9")

MARTLET_X87_MEMORY(add_float, float, "fadds")
MARTLET_X87_MEMORY(multiply_float, float, "fmuls")
MARTLET_X87_MEMORY(subtract_float, float, "fsubs")
MARTLET_X87_MEMORY(subtract_reverse_float, float, "fsubrs")
MARTLET_X87_MEMORY(divide_float, float, "fdivs")
MARTLET_X87_MEMORY(divide_reverse_float, float, "fdivrs")
MARTLET_X87_MEMORY(add_double, double, "faddl")
MARTLET_X87_MEMORY(multiply_double, double, "fmull")
MARTLET_X87_MEMORY(subtract_double, double, "fsubl")
MARTLET_X87_MEMORY(subtract_reverse_double, double, "fsubrl")
MARTLET_X87_MEMORY(divide_double, double, "fdivl")
MARTLET_X87_MEMORY(divide_reverse_double, double, "fdivrl")
MARTLET_X87_MEMORY(add_int32, int32_t, "fiaddl")
MARTLET_X87_MEMORY(multiply_int32, int32_t, "fimull")
MARTLET_X87_MEMORY(subtract_int32, int32_t, "fisubl")
MARTLET_X87_MEMORY(subtract_reverse_int32, int32_t, "fisubrl")
MARTLET_X87_MEMORY(divide_int32, int32_t, "fidivl")
MARTLET_X87_MEMORY(divide_reverse_int32, int32_t, "fidivrl")
MARTLET_X87_MEMORY(add_int16, int16_t, "fiadds")
MARTLET_X87_MEMORY(multiply_int16, int16_t, "fimuls")
MARTLET_X87_MEMORY(subtract_int16, int16_t, "fisubs")
MARTLET_X87_MEMORY(subtract_reverse_int16, int16_t, "fisubrs")
MARTLET_X87_MEMORY(divide_int16, int16_t, "fidivs")
MARTLET_X87_MEMORY(divide_reverse_int16, int16_t, "fidivrs")

MARTLET_X87_COMPARE(compare, "fcompp")
MARTLET_X87_COMPARE(compare_unordered, "fucompp")
MARTLET_X87_COMPARE_MEMORY(compare_float, float, "fcomps")
MARTLET_X87_COMPARE_MEMORY(compare_double, double, "fcompl")
MARTLET_X87_COMPARE_MEMORY(compare_int32, int32_t, "ficompl")
MARTLET_X87_COMPARE_MEMORY(compare_int16, int16_t, "ficomps")
MARTLET_X87_TEST(test, "ftst", "fstp %%st(0)")
MARTLET_X87_TEST(examine, "fxam", "fstp %%st(0)")

MARTLET_X87_UNARY(square_root, "fsqrt")
MARTLET_X87_UNARY(round, "frndint")
MARTLET_X87_UNARY(power, "f2xm1")
MARTLET_X87_UNARY(sine, "fsin")
MARTLET_X87_UNARY(cosine, "fcos")
MARTLET_X87_BINARY(remainder, "fprem", "fstp %%st(0)")
MARTLET_X87_BINARY(remainder_nearest, "fprem1", "fstp %%st(0)")
MARTLET_X87_BINARY(scale, "fscale", "fstp %%st(0)")
/* These pop: the result is what was ST1. */
MARTLET_X87_BINARY(logarithm, "fyl2x", "")
MARTLET_X87_BINARY(logarithm_plus_one, "fyl2xp1", "")
MARTLET_X87_BINARY(arc_tangent, "fpatan", "")

MARTLET_X87_SPLIT(extract, "fxtract")
MARTLET_X87_SPLIT(sine_and_cosine, "fsincos")
MARTLET_X87_SPLIT(tangent, "fptan")

MARTLET_X87_LOAD(load_float, float, "flds")
MARTLET_X87_LOAD(load_double, double, "fldl")
MARTLET_X87_LOAD(load_int16, int16_t, "filds")
MARTLET_X87_LOAD(load_int32, int32_t, "fildl")
MARTLET_X87_LOAD(load_int64, int64_t, "fildll")
MARTLET_X87_LOAD(load_bcd, martlet_x87_number, "fbld")

MARTLET_X87_CONSTANT(log2_10, "fldl2t")
MARTLET_X87_CONSTANT(log2_e, "fldl2e")
MARTLET_X87_CONSTANT(pi, "fldpi")
MARTLET_X87_CONSTANT(log10_2, "fldlg2")
MARTLET_X87_CONSTANT(ln_2, "fldln2")

MARTLET_X87_STORE(store_float, float, "fstps")
MARTLET_X87_STORE(store_double, double, "fstpl")
MARTLET_X87_STORE(store_int16, int16_t, "fistps")
MARTLET_X87_STORE(store_int32, int32_t, "fistpl")
MARTLET_X87_STORE(store_int64, int64_t, "fistpll")
MARTLET_X87_STORE(truncate_int16, int16_t, "fisttps")
MARTLET_X87_STORE(truncate_int32, int32_t, "fisttpl")
MARTLET_X87_STORE(truncate_int64, int64_t, "fisttpll")
MARTLET_X87_STORE(store_bcd, martlet_x87_number, "fbstp")
