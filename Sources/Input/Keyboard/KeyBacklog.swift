// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Keys that were struck faster than the guest takes them: the hands in front of the keyboard, not part of it. A viewer
/// that types a line at once would otherwise overrun the keyboard's 16 bytes.
///
/// Presses beyond a limit are refused, releases of a key that is down never: no key stays down in the guest.
struct KeyBacklog: Codable, Equatable, Sendable {
  /// One thing that happened to a key.
  struct Event: Codable, Equatable, Sendable {
    var code: UInt8
    var isDown: Bool
  }

  /// Presses that may wait.
  static let limit = 128
  /// The limit and one release for each of 256 keys.
  private static let capacity = limit + 256

  private var events: [Event] = []
  /// The keys that are down once all events have happened, a bit for each code.
  private var down = SIMD4<UInt64>(repeating: 0)
  /// A press was refused and the keyboard has not said so yet.
  private(set) var isOverrun = false

  var isEmpty: Bool { events.isEmpty }

  /// Adds an event.
  mutating func append(_ code: KeyCode, isDown: Bool) {
    let word = Int(code.rawValue >> 6)
    let bit: UInt64 = 1 << UInt64(code.rawValue & 63)
    if isDown {
      guard events.count < Self.limit else {
        isOverrun = true
        return
      }
      down[word] |= bit
    } else {
      guard down[word] & bit != 0 else { return }
      down[word] &= ~bit
    }
    events.append(Event(code: code.rawValue, isDown: isDown))
  }

  /// The oldest event, which stays.
  var first: Event? { events.first }
  mutating func removeFirst() { if !events.isEmpty { events.removeFirst() } }
  /// The keyboard has told the guest of the overrun.
  mutating func clearOverrun() { isOverrun = false }

  /// Forgets what has not been sent. Keys stay down.
  mutating func removeAll() {
    events.removeAll(keepingCapacity: true)
    isOverrun = false
  }

  /// Whether a restored backlog could be one.
  var isValid: Bool { events.count <= Self.capacity }
}
