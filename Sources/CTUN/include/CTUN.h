// SPDX-License-Identifier: GPL-2.0-or-later
/* Linux's tap devices: ioctl numbers, which are macros that Swift does not import. */
#pragma once
#include <linux/if_tun.h>
#include <net/if.h>

extern const unsigned long martlet_TUNSETIFF;
extern const unsigned long martlet_TUNGETIFF;
extern const unsigned long martlet_TUNGETFEATURES;
extern const unsigned long martlet_TUNSETOFFLOAD;
extern const unsigned long martlet_TUNSETVNETHDRSZ;
extern const unsigned long martlet_TUNSETSNDBUF;
