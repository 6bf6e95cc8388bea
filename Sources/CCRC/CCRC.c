// SPDX-License-Identifier: GPL-2.0-or-later
#include "CCRC.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009: powers of
   x modulo the polynomial, bits reflected. */
static const uint64_t by_512_bits[2] = {0x154442bd4, 0x1c6e41596};
static const uint64_t by_128_bits[2] = {0x1751997d0, 0x0ccaa009e};
static const uint64_t by_64_bits[2] = {0x163cd6124, 0};
/* The polynomial, and the quotient of Barrett's reduction. */
static const uint64_t reduction[2] = {0x1db710641, 0x1f7011641};

int ccrc_is_available(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL) && (c & bit_SSE4_1);
}

#define CCRC_TARGET __attribute__((target("pclmul,sse4.1")))

CCRC_TARGET static inline __m128i load(const void *bytes) { return _mm_loadu_si128((const __m128i *)bytes); }

/* Moves `value` on by the distance of `power` and adds `next`. */
CCRC_TARGET static inline __m128i fold(__m128i value, __m128i power, __m128i next) {
  __m128i low = _mm_clmulepi64_si128(value, power, 0x00);
  __m128i high = _mm_clmulepi64_si128(value, power, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

CCRC_TARGET uint32_t ccrc_update(uint32_t crc, const void *bytes, size_t count) {
  const uint8_t *next = bytes;
  __m128i power = load(by_512_bits);
  __m128i lane[4];
  for (int i = 0; i < 4; i++) lane[i] = load(next + 16 * i);
  lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)crc));
  for (next += 64, count -= 64; count >= 64; next += 64, count -= 64)
    for (int i = 0; i < 4; i++) lane[i] = fold(lane[i], power, load(next + 16 * i));

  power = load(by_128_bits);
  __m128i value = lane[0];
  for (int i = 1; i < 4; i++) value = fold(value, power, lane[i]);
  for (; count >= 16; next += 16, count -= 16) value = fold(value, power, load(next));

  const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);
  value = _mm_xor_si128(_mm_srli_si128(value, 8), _mm_clmulepi64_si128(value, power, 0x10));
  value = _mm_xor_si128(
      _mm_srli_si128(value, 4), _mm_clmulepi64_si128(_mm_and_si128(value, low_words), load(by_64_bits), 0x00));
  __m128i barrett = load(reduction);
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(value, low_words), barrett, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(value, quotient), 1);
}
#else
int ccrc_is_available(void) { return 0; }
uint32_t ccrc_update(uint32_t crc, const void *bytes, size_t count) { return crc; }
#endif
