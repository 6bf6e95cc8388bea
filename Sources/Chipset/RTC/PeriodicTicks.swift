// SPDX-License-Identifier: GPL-2.0-or-later

/// The 32.768 kHz that the periodic interrupt is divided from, counted in guest time (MC146818A data sheet, register A
/// and the table of periodic rates).
struct PeriodicTicks {
  private static let frequency: UInt64 = 32768
  private static let second: UInt64 = 1_000_000_000

  /// log2 of the ticks of a period.
  private let shift: UInt64
  /// The tick at which the first period began.
  private let origin: UInt64

  /// The period that the rate bits of register A select, nil for none.
  init?(rate: UInt8, origin: UInt64 = 0) {
    guard rate & 15 != 0 else { return nil }
    self.origin = origin
    // The two lowest rates are those of 8 and 9 with this time base.
    let rate = UInt64(rate & 15)
    shift = (rate <= 2 ? rate + 7 : rate) - 1
  }

  /// A saved tick, not later than `time`.
  static func bounded(_ tick: UInt64, at time: UInt64) -> UInt64 {
    min(tick, time / second * frequency + time % second * frequency / second)
  }

  /// The number of periods that have ended by `time`.
  func count(at time: UInt64) -> UInt64 {
    let tick = time / Self.second * Self.frequency + time % Self.second * Self.frequency / Self.second
    return tick > origin ? (tick - origin) >> shift : 0
  }

  /// The tick at which period number `count` ended.
  func tick(of count: UInt64) -> UInt64 { origin &+ count << shift }

  /// When period number `count` will have ended, rounded up.
  func time(of count: UInt64) -> UInt64 {
    let tick = tick(of: count)
    return tick / Self.frequency &* Self.second
      &+ (tick % Self.frequency * Self.second + Self.frequency - 1) / Self.frequency
  }
}
