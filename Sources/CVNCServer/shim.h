// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <rfb/rfb.h>
#include <rfb/keysym.h>

/* rfbInitServer is a macro, which Swift cannot import. */
static inline void martlet_rfbInitServer(rfbScreenInfoPtr screen) { rfbInitServer(screen); }
