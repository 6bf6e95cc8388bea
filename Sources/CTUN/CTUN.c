// SPDX-License-Identifier: GPL-2.0-or-later
#include "CTUN.h"

#include <linux/ioctl.h>

const unsigned long martlet_TUNSETIFF = TUNSETIFF;
const unsigned long martlet_TUNGETIFF = TUNGETIFF;
const unsigned long martlet_TUNGETFEATURES = TUNGETFEATURES;
const unsigned long martlet_TUNSETOFFLOAD = TUNSETOFFLOAD;
const unsigned long martlet_TUNSETVNETHDRSZ = TUNSETVNETHDRSZ;
const unsigned long martlet_TUNSETSNDBUF = TUNSETSNDBUF;
