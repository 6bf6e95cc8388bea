// SPDX-License-Identifier: GPL-2.0-or-later

/// The seconds the real-time clock counts: those of the wall clock, ahead of it by what the guest has set.
struct GuestTime: Codable, Equatable, Sendable {
  static let second: Int64 = 1_000_000_000
  /// No date that fits the clock's registers is this far off (about 30,000 years).
  private static let limit: Int64 = 1_000_000_000_000

  private(set) var secondsAhead: Int64 = 0
  /// 0 ..< 1 s.
  private var nanosecondsAhead: Int64 = 0

  /// The guest's time when the wall clock shows `wall` nanoseconds since 1970: whole seconds since 1970, and the
  /// nanoseconds since that second began.
  func at(_ wall: Int64) -> (seconds: Int64, nanoseconds: Int64) {
    let (seconds, rest) = Self.split(wall)
    let sum = rest + nanosecondsAhead
    return sum >= Self.second
      ? (seconds + secondsAhead + 1, sum - Self.second) : (seconds + secondsAhead, sum)
  }

  /// Makes it `seconds` since 1970; the part of a second that has gone by stays.
  mutating func set(_ seconds: Int64, wall: Int64) {
    secondsAhead = Self.bounded(secondsAhead + seconds - at(wall).seconds)
  }

  /// Makes the present second have begun `nanoseconds` ago.
  mutating func setPhase(_ nanoseconds: Int64, wall: Int64) {
    let (_, rest) = Self.split(wall)
    nanosecondsAhead = nanoseconds - rest
    if nanosecondsAhead < 0 { nanosecondsAhead += Self.second }
  }

  /// A saved one, with values no clock could have brought into range.
  var validated: GuestTime {
    var result = self
    result.secondsAhead = Self.bounded(secondsAhead)
    result.nanosecondsAhead = min(max(nanosecondsAhead, 0), Self.second - 1)
    return result
  }

  static func bounded(_ seconds: Int64) -> Int64 { min(max(seconds, -limit), limit) }

  private static func split(_ time: Int64) -> (seconds: Int64, rest: Int64) {
    let (seconds, rest) = time.quotientAndRemainder(dividingBy: second)
    return rest < 0 ? (seconds - 1, rest + second) : (seconds, rest)
  }
}
