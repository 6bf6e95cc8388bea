// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// The descriptors of a ``DescriptorPort`` and what is special about them. None of them blocks.
struct DescriptorChannel {
  /// Where bytes come from, or -1.
  var input: Int32 = -1
  /// Where bytes go, or -1.
  var output: Int32 = -1
  /// Whether this is a pseudo-terminal's master, whose other side comes and goes.
  var isPseudoTerminal = false
  /// Called instead of closing the descriptors.
  var onClose: (() -> Void)?

  /// Whether one descriptor serves both directions.
  var isBidirectional: Bool { input >= 0 && input == output }
  /// Whether the other side may come back after it went.
  var canReconnect: Bool { isPseudoTerminal }

  /// Whether anybody is at the other side. Only a pseudo-terminal can tell.
  var isConnected: Bool {
    guard isPseudoTerminal else { return true }
    var descriptor = pollfd(fd: output, events: 0, revents: 0)
    return poll(&descriptor, 1, 0) <= 0 || descriptor.revents & Int16(POLLHUP) == 0
  }

  /// Whether the input can be waited for; a file or `/dev/null` is always ready instead.
  var inputCanBeWaitedFor: Bool {
    let probe = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard probe >= 0 else { return true }
    defer { Glibc.close(probe) }
    var event = epoll_event(events: 0, data: epoll_data_t(u64: 0))
    return epoll_ctl(probe, EPOLL_CTL_ADD, input, &event) == 0 || errno != EPERM
  }

  /// Closes the descriptors.
  func close() {
    if let onClose {
      onClose()
      return
    }
    if input >= 0 { Glibc.close(input) }
    if output >= 0 && output != input { Glibc.close(output) }
  }
}
