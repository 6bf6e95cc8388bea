// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The 24-bit ACPI power management timer: 3.579545 MHz of guest time (ACPI 1.0b, section 4.7.2.1).
struct PMTimer {
  /// Ticks a second.
  static let frequency: UInt64 = 3_579_545
  private static let second: UInt64 = 1_000_000_000
  /// TMR_STS is set whenever the highest bit changes.
  private static let halfPeriod: UInt64 = 1 << 23

  /// The ticks since guest time zero.
  static func ticks(at time: UInt64) -> UInt64 {
    time / second &* frequency &+ time % second &* frequency / second
  }

  /// The register's value.
  static func value(at time: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: ticks(at: time) & 0xFF_FFFF) }

  /// The next time at which the highest bit changes, and how often it has by `time`.
  static func nextChange(after time: UInt64) -> (time: UInt64, count: UInt64) {
    let count = ticks(at: time) / halfPeriod
    let target = (count + 1) * halfPeriod
    // Rounded up, so that the tick has been reached by then.
    let time = target / frequency &* second &+ (target % frequency &* second &+ frequency - 1) / frequency
    return (time, count)
  }
}
