// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The 1.193182 MHz that drives the counters, counted in guest time: the numbers of ticks are exact at any time, so that
/// nothing drifts.
enum PITTicks {
  static let frequency: UInt64 = 1_193_182
  private static let second: UInt64 = 1_000_000_000

  /// The number of ticks in `time`.
  static func count(in time: Clock.Nanoseconds) -> Int64 {
    let wide = time.multipliedFullWidth(by: frequency)
    // A frequency below 1 GHz: the quotient fits.
    return Int64(truncatingIfNeeded: second.dividingFullWidth(wide).quotient)
  }

  /// The time by which there have been `ticks` of them, rounded up; 0 for none and for negative numbers.
  static func time(of ticks: Int64) -> Clock.Nanoseconds {
    guard ticks > 0 else { return 0 }
    let wide = UInt64(ticks).multipliedFullWidth(by: second)
    // 2^63 ticks are more nanoseconds than there are.
    guard wide.high < frequency else { return .max }
    let (quotient, remainder) = frequency.dividingFullWidth(wide)
    return remainder == 0 ? quotient : quotient &+ 1
  }
}
