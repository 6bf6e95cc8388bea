// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

extension Machine {
  /// What the machine listens to: SIGCONT lets a paused machine go on, the others end it cleanly.
  static let handledSignals: [Int32] = [SIGINT, SIGTERM, SIGHUP, SIGCONT]

  /// Whether a signal that ends the process waits to be taken: the machine was not there to take it.
  public static var isEndingPending: Bool {
    var set = sigset_t()
    sigemptyset(&set)
    sigpending(&set)
    return [SIGINT, SIGTERM, SIGHUP].contains { sigismember(&set, $0) == 1 }
  }

  /// Blocks the signals the machine takes by its event loop. Called first in the process, so that every
  /// thread inherits it.
  public static func blockSignals() {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in handledSignals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    // A viewer or pipe that goes away is an error of that write, not of the process.
    signal(SIGPIPE, SIG_IGN)
  }
}
