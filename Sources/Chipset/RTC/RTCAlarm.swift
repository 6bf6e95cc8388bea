// SPDX-License-Identifier: GPL-2.0-or-later

/// The alarm: three bytes in the clock's own format, each of which may be "don't care" (MC146818A data sheet,
/// "time, calendar and alarm locations").
struct RTCAlarm {
  let second: UInt8
  let minute: UInt8
  let hour: UInt8
  let format: RTCFormat
  private static let day: Int64 = 86400

  /// Whether it goes off at `time`, in seconds.
  func matches(_ time: Int64) -> Bool { next(from: time, within: 1) == time }

  /// Whether it went off after `first`, up to and with `last`.
  func isDue(after first: Int64, through last: Int64) -> Bool {
    guard last > first else { return false }
    return next(from: first + 1, within: min(last - first, Self.day)) != nil
  }

  /// The first second from `start` on at which it goes off, nil if it never does. Alarms repeat daily.
  func next(from start: Int64) -> Int64? { next(from: start, within: Self.day) }

  /// Looks by hours, then by minutes, then by seconds: no more than about 300 steps, since each byte has its time.
  private func next(from start: Int64, within count: Int64) -> Int64? {
    guard canGoOff else { return nil }
    var time = start
    while time - start < count {
      let rest = time % Self.day
      let ofDay = rest < 0 ? rest + Self.day : rest
      if !allows(hour, format.encodeHour(ofDay / 3600)) {
        time += 3600 - ofDay % 3600
      } else if !allows(minute, format.encode(ofDay / 60 % 60)) {
        time += 60 - ofDay % 60
      } else if !allows(second, format.encode(ofDay % 60)) {
        time += 1
      } else {
        return time
      }
    }
    return nil
  }

  /// Whether the bytes are times of day at all.
  private var canGoOff: Bool {
    func isNumber(_ byte: UInt8) -> Bool {
      let value = format.decode(byte)
      return allows(byte, 0) || value < 60 && format.encode(value) == byte
    }
    let hours = format.decodeHour(hour)
    return isNumber(second) && isNumber(minute)
      && (allows(hour, 0) || hours < 24 && format.encodeHour(hours) == hour)
  }

  /// A byte from 0xC0 on is "don't care".
  private func allows(_ alarm: UInt8, _ value: UInt8) -> Bool { alarm >= 0xC0 || alarm == value }
}
