// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// What a card does that waits for a register write which the engine may queue (``AddressWindow/lateWrites``): drivers write
/// other registers right afterwards, with which it comes, but need not. So it looks again by itself, after 1, 2, 4 … 64 ms.
final class LateWriteWatch {
  /// Has the engine deliver the writes it has queued; nil if it queues none, and nothing is to be done.
  var deliver: (() -> Void)?
  private let clock: Clock
  private var timer: Clock.Timer!
  private var delay = LateWriteWatch.leastDelay

  private static let leastDelay: UInt64 = 1_000_000
  private static let mostDelay: UInt64 = 64_000_000

  /// - Parameter look: called when the write may have come; the queue has been emptied.
  init(clock: Clock, look: @escaping () -> Void) {
    self.clock = clock
    timer = clock.makeTimer { [unowned self] in
      delay = min(delay &* 2, Self.mostDelay)
      look()
    }
  }

  /// The card waits for a write, still or from now on.
  func wait() {
    guard deliver != nil, !timer.isArmed else { return }
    timer.arm(at: clock.now &+ delay)
  }

  /// It waits no more.
  @inline(__always)
  func end() {
    guard timer.isArmed || delay != Self.leastDelay else { return }
    delay = Self.leastDelay
    timer.disarm()
  }
}
