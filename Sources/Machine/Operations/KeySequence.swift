// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// Keys that are typed one combination after the other, each held for a while, so that the guest sees them apart.
/// Time is the guest's.
final class KeySequence {
  /// Combinations that wait at most; more are dropped, as keys of a keyboard whose buffer is full.
  private static let capacity = 256

  private struct Combination {
    let keys: [KeyCode]
    let holdNanoseconds: UInt64
  }

  private let clock: Clock
  private let input: InputRouter
  private var timer: Clock.Timer?
  private var waiting: [Combination] = []
  private var held: [KeyCode] = []

  init(clock: Clock, input: InputRouter) {
    self.clock = clock
    self.input = input
    timer = clock.makeTimer { [unowned self] in advance() }
  }

  /// Presses `keys` in order, and lets them go in reverse after `milliseconds`.
  func type(_ keys: [KeyCode], holdMilliseconds milliseconds: UInt64) {
    guard waiting.count < Self.capacity else { return }
    waiting.append(Combination(keys: keys, holdNanoseconds: min(milliseconds, 3_600_000) * 1_000_000))
    if held.isEmpty && waiting.count == 1 { advance() }
  }

  private func advance() {
    if held.isEmpty {
      guard let next = waiting.first else { return }
      held = next.keys
      for key in held { input.key(key, isDown: true) }
      timer?.arm(at: clock.now &+ next.holdNanoseconds)
    } else {
      let hold = waiting.removeFirst().holdNanoseconds
      for key in held.reversed() { input.key(key, isDown: false) }
      held = []
      // The next one comes after a pause as long.
      if !waiting.isEmpty { timer?.arm(at: clock.now &+ hold) }
    }
  }
}
