// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

/// Lets an event that a guest can cause at will through once a second: the first at once, of those that follow within the
/// second the last one at its end (as QEMU does with RTC_CHANGE). Called with the machine's lock held.
final class EventThrottle {
  private var timer: OneShotTimer?
  private var waiting: QMPEvent?
  private var isClosed = false
  private let send: (QMPEvent) -> Void

  init(loop: EventLoop, send: @escaping (QMPEvent) -> Void) throws(HostError) {
    self.send = send
    timer = try OneShotTimer(on: loop) { [unowned self] in secondElapsed() }
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
    timer?.arm(afterMilliseconds: 1000)
  }

  private func secondElapsed() {
    isClosed = false
    guard let event = waiting else { return }
    waiting = nil
    send(event)
    startSecond()
  }
}
