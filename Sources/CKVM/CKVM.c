// SPDX-License-Identifier: GPL-2.0-or-later
#include "CKVM.h"

#include <signal.h>
#include <stddef.h>

/* The C library keeps the lowest real-time signals for itself; SIGRTMIN is the first it leaves. */
int martlet_kvm_kick_signal(void) { return SIGRTMIN + 2; }

static void ignore(int number) { (void)number; }

int martlet_kvm_install_kick_handler(void) {
  /* Without SA_RESTART, so that KVM_RUN comes back with EINTR. */
  struct sigaction action = {.sa_handler = ignore};
  sigemptyset(&action.sa_mask);
  return sigaction(martlet_kvm_kick_signal(), &action, NULL);
}
