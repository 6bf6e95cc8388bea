// SPDX-License-Identifier: GPL-2.0-or-later

/// What time it is in the guest's world: what a real-time clock counts on from.
public protocol WallClock: AnyObject {
  /// Nanoseconds since 1970-01-01 00:00 of the clock's zone (UTC or local time, as the machine was told).
  var nanosecondsSinceEpoch: Int64 { get }
}

/// A wall clock that started at a given moment when guest time was zero, and follows guest time.
public final class VirtualWallClock: WallClock {
  private let clock: Clock
  private let start: Int64

  /// A wall clock that shows `startSeconds` (since 1970) when `clock` is zero.
  public init(clock: Clock, startSeconds: Int64) {
    self.clock = clock
    start = startSeconds &* 1_000_000_000
  }

  public var nanosecondsSinceEpoch: Int64 { start &+ Int64(truncatingIfNeeded: clock.now) }
}
