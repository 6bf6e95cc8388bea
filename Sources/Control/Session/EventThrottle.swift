// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Lets an event that a guest can cause at will through once a second: the first at once, of those that follow within the
/// second the last one at its end (as QEMU does with RTC_CHANGE). Called with the machine's lock held.
final class EventThrottle {
  private let timer: Int32
  private var watch: EventLoop.Watch?
  private var waiting: QMPEvent?
  private var isClosed = false
  private let send: (QMPEvent) -> Void

  init(loop: EventLoop, send: @escaping (QMPEvent) -> Void) throws(HostError) {
    self.send = send
    timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    guard timer >= 0 else { throw HostError("cannot create a timerfd") }
    watch = try loop.watch(timer, for: .readable) { [unowned self] _ in secondElapsed() }
  }

  deinit {
    watch?.cancel()
    if timer >= 0 { close(timer) }
  }

  func add(_ event: QMPEvent) {
    if isClosed {
      waiting = event
    } else {
      send(event)
      startSecond()
    }
  }

  private func startSecond() {
    isClosed = true
    var spec = itimerspec()
    spec.it_value.tv_sec = 1
    timerfd_settime(timer, 0, &spec, nil)
  }

  private func secondElapsed() {
    var count: UInt64 = 0
    _ = read(timer, &count, 8)
    isClosed = false
    guard let event = waiting else { return }
    waiting = nil
    send(event)
    startSecond()
  }
}
