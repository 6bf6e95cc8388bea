// SPDX-License-Identifier: GPL-2.0-or-later
/* The CRC of Ethernet (polynomial 0x04C11DB7, least significant bit first) by carry-less multiplication. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Whether this host's processor can: PCLMULQDQ and SSE4.1. */
int ccrc_is_available(void);

/* Brings `crc`, the register without its final complement, past `count` bytes, which are a multiple of 16 and at
   least 64. Only if it is available. */
uint32_t ccrc_update(uint32_t crc, const void *bytes, size_t count);
