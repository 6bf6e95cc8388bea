// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  private enum ClockSource: String, CaseIterable { case host, vm, rt }
  private enum DriftFix: String, CaseIterable { case none, slew }

  /// `-rtc base=utc|localtime|YYYY-MM-DD[Thh:mm:ss],clock=host|vm`.
  mutating func configureClock() throws(OptionError) {
    guard var list = try merged(options.machine.rtc, option: "-rtc") else { return }
    switch list.take("base") {
    case nil, "utc": break
    case "localtime": configuration.rtc.base = .localTime
    case let date?:
      guard let seconds = secondsSinceEpoch(date) else {
        throw OptionError("-rtc: base=\(date) must be utc, localtime, or a date like 2026-01-31T12:00:00")
      }
      configuration.rtc.base = .date(seconds)
      // A given date means a clock that counts on from there, not the host's.
      configuration.rtc.followsGuestTime = true
    }
    if let source = try list.takeChoice("clock", of: ClockSource.self) {
      configuration.rtc.followsGuestTime = source == .vm
    }
    _ = try list.takeChoice("driftfix", of: DriftFix.self)
    try list.finish()
  }

  /// `-icount shift=N,sleep=on|off`.
  mutating func configureInstructionClock() throws(OptionError) {
    guard let text = options.machine.icount else { return }
    var list = try PropertyList(text, option: "-icount", implied: "shift")
    var clock = InstructionClockConfiguration()
    if let shift = try list.takeInteger("shift", in: 0...10) { clock.shift = shift }
    clock.sleepsWhenIdle = try list.takeFlag("sleep") ?? true
    try list.finish()
    guard !configuration.accelerators.contains(.kvm) else {
      throw OptionError("-icount: only '-accel soft' counts instructions")
    }
    configuration.accelerators = [.soft]
    configuration.instructionClock = clock
    // A time of day that does not depend on when the machine was started is for '-rtc base=DATE'.
    configuration.rtc.followsGuestTime = true
  }

  /// Seconds from 1970 to a date in the proleptic Gregorian calendar, without time zones.
  private func secondsSinceEpoch(_ text: String) -> Int64? {
    let parts = text.split(separator: "T", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count) else { return nil }
    let date = parts[0].split(separator: "-").compactMap { Int64($0) }
    let time = parts.count == 2 ? parts[1].split(separator: ":").compactMap { Int64($0) } : [0, 0, 0]
    guard date.count == 3, time.count == 3, (1970...9999).contains(date[0]), (1...12).contains(date[1]),
      (1...31).contains(date[2]), (0...23).contains(time[0]), (0...59).contains(time[1]),
      (0...59).contains(time[2])
    else { return nil }
    // Days from civil: years start in March so that the leap day is the last.
    let year = date[1] <= 2 ? date[0] - 1 : date[0]
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * ((date[1] + 9) % 12) + 2) / 5 + date[2] - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return days * 86400 + time[0] * 3600 + time[1] * 60 + time[2]
  }
}
