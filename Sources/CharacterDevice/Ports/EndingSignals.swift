// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Waiting before there is an event loop, so that the signals that end the process end the waiting as well.
///
/// They are blocked in the whole process, and stay pending: whoever started the machine sees them.
enum EndingSignals {
  /// The signals.
  private static var set: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, signal) }
    return set
  }

  /// Waits until something can be done with a descriptor.
  /// - Parameters:
  ///   - events: as of poll(2).
  ///   - milliseconds: for how long; negative for ever.
  /// - Returns: false if nothing could before the time was over.
  /// - Throws: if a signal came; what could not be done, for the message.
  static func wait(
    for descriptor: Int32, _ events: Int32, milliseconds: Int32, what: @autoclosure () -> String
  ) throws(HostError) -> Bool {
    var set = set
    let signals = signalfd(-1, &set, Int32(SFD_CLOEXEC))
    defer { if signals >= 0 { close(signals) } }
    var waiting = [
      pollfd(fd: descriptor, events: Int16(events), revents: 0),
      pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
    ]
    var count = poll(&waiting, 2, milliseconds)
    while count < 0 && errno == EINTR { count = poll(&waiting, 2, milliseconds) }
    guard count >= 0 else { throw HostError("cannot wait") }
    guard waiting[1].revents == 0 else { throw HostError(what(), code: EINTR) }
    return waiting[0].revents != 0
  }
}
