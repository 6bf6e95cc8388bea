// SPDX-License-Identifier: GPL-2.0-or-later

/// A moment as a calendar shows it (proleptic Gregorian, no leap seconds).
struct CalendarDate: Equatable {
  var year: Int64
  /// 1 … 12.
  var month: Int64
  /// 1 … 31.
  var day: Int64
  var hour: Int64
  var minute: Int64
  var second: Int64
  /// 1 (Sunday) … 7.
  var weekday: Int64 = 1

  /// A moment with the given fields; the weekday is not looked at.
  init(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// The moment `seconds` after 1970-01-01 00:00.
  init(secondsSinceEpoch seconds: Int64) {
    let days = (seconds >= 0 ? seconds : seconds &- 86399) / 86400
    let rest = seconds &- days &* 86400
    hour = rest / 3600
    minute = rest % 3600 / 60
    second = rest % 60
    weekday = ((days % 7) + 11) % 7 + 1
    // Years start in March, so that the leap day is the last; an era is 400 years.
    let shifted = days &+ 719_468
    let era = (shifted >= 0 ? shifted : shifted &- 146_096) / 146_097
    let dayOfEra = shifted &- era &* 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
  }

  /// Seconds since 1970-01-01 00:00; fields out of range carry over.
  var secondsSinceEpoch: Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return days * 86400 + hour * 3600 + minute * 60 + second
  }
}
