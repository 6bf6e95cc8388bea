// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The real-time clock and CMOS memory: an MC146818A with 128 bytes, at I/O ports 0x70 and 0x71.
///
/// The time of day is computed from a ``WallClock`` when the guest asks; a timer runs only while an interrupt the guest
/// enabled needs one.
public final class RealTimeClock: RegisterFile, Device {
  public let deviceName = "mc146818rtc"
  private let clock: Clock
  private let wallClock: any WallClock
  private let interrupt: InterruptLine
  private var timer: Clock.Timer?

  private var index = 0
  /// The bytes; those of the time of day are only up to date while SET holds the update cycle.
  private let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 128)
  /// What the guest's time is ahead of the wall clock: whole seconds, and 0 ..< 1 s of nanoseconds.
  private var offset: Int64 = 0
  private var phase: Int64 = 0
  /// Guest time of the last periodic interrupt, and the last second told by update and alarm.
  private var lastPeriodic: UInt64 = 0
  private var lastSecond: Int64 = 0

  private static let second: Int64 = 1_000_000_000
  /// UIP is set this long before an update (MC146818A, "update cycle": 244 µs).
  private static let updateWindow: Int64 = 244_000

  /// The clock; `interrupt` is ISA IRQ 8. `contents` are bytes that the board's firmware finds in it.
  public init(clock: Clock, wallClock: any WallClock, interrupt: InterruptLine, contents: CMOSContents) {
    self.clock = clock
    self.wallClock = wallClock
    self.interrupt = interrupt
    memory.initialize(repeating: 0)
    for (index, byte) in contents.bytes where memory.indices.contains(index) { memory[index] = byte }
    memory[RTCRegister.a] = RTCRegisterA.divider32kHz | 6
    memory[RTCRegister.b] = RTCRegisterB.hour24.rawValue
    memory[RTCRegister.d] = RTCRegisterD.validRAMAndTime
    timer = clock.makeTimer { [unowned self] in update() }
    lastSecond = currentSecond
  }

  deinit { memory.deallocate() }

  /// Maps ports 0x70 and 0x71.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, (), name: "rtc", count: 2), at: 0x70)
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    // The index port is write-only.
    guard offset == 1 else { return 0xFF }
    switch index {
    case RTCRegister.seconds, RTCRegister.minutes, RTCRegister.hours,
      RTCRegister.dayOfWeek...RTCRegister.year, RTCRegister.century:
      if isRunning { loadTime() }
      return UInt64(memory[index])
    case RTCRegister.a: return UInt64(memory[index] | (isUpdating ? RTCRegisterA.updateInProgress : 0))
    case RTCRegister.c:
      update()
      let value = memory[index]
      memory[index] = 0
      interrupt.lower()
      rearm()
      return UInt64(value)
    default: return UInt64(memory[index])
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    guard offset == 1 else {
      // Bit 7 masks NMI, which nothing on this board raises.
      index = Int(byte & 0x7F)
      return
    }
    switch index {
    case RTCRegister.secondsAlarm, RTCRegister.minutesAlarm, RTCRegister.hoursAlarm:
      // What went before is judged by the old alarm.
      update()
      memory[index] = byte
    case RTCRegister.seconds, RTCRegister.minutes, RTCRegister.hours,
      RTCRegister.dayOfWeek...RTCRegister.year, RTCRegister.century:
      update()
      if isRunning { loadTime() }
      memory[index] = byte
      if isRunning { storeTime() }
    case RTCRegister.a: writeA(byte & ~RTCRegisterA.updateInProgress)
    case RTCRegister.b: writeB(RTCRegisterB(rawValue: byte))
    case RTCRegister.c, RTCRegister.d: return
    default:
      memory[index] = byte
      return
    }
    rearm()
  }

  private var b: RTCRegisterB { RTCRegisterB(rawValue: memory[RTCRegister.b]) }

  private func writeA(_ new: UInt8) {
    update()
    let oldPeriod = period
    let (wasRunning, wasDividing) = (isRunning, isDividerRunning)
    let isDividing = new & RTCRegisterA.dividerMask <= RTCRegisterA.divider32kHz
    // Held in reset, the divider holds the time; the bytes show it from now on.
    if wasRunning && !isDividing { loadTime() }
    memory[RTCRegister.a] = new
    if !wasDividing && isDividing {
      // The first update comes half a second after the divider starts (data sheet, "divider control").
      phase = Self.floorRemainder(Self.second / 2 &- wallClock.nanosecondsSinceEpoch)
      if isRunning { storeTime() }
    }
    if period != oldPeriod { lastPeriodic = clock.now }
  }

  private func writeB(_ written: RTCRegisterB) {
    update()
    let old = b
    var new = written
    if new.contains(.set) {
      if isRunning { loadTime() }
      // SET clears UIE (data sheet, register B).
      new.remove(.updateInterrupt)
    }
    if new.contains(.periodicInterrupt) && !old.contains(.periodicInterrupt) { lastPeriodic = clock.now }
    // The bytes were written in the formats of the old value.
    if old.contains(.set) && !new.contains(.set) && isDividerRunning { storeTime() }
    memory[RTCRegister.b] = new.rawValue
    updateInterruptFlag()
  }

  // MARK: Time of day

  /// Where in the present second the divider is, in nanoseconds.
  private var nanosecond: Int64 { Self.floorRemainder(wallClock.nanosecondsSinceEpoch &+ phase) }

  /// The guest's time in seconds since 1970.
  private var currentSecond: Int64 {
    let time = wallClock.nanosecondsSinceEpoch &+ phase
    return (time / Self.second - (time % Self.second < 0 ? 1 : 0)) &+ offset
  }

  private var isUpdating: Bool { isRunning && Self.second - nanosecond <= Self.updateWindow }

  /// Whether the time goes on: it stands still while SET is on or the divider is held.
  private var isRunning: Bool { !b.contains(.set) && isDividerRunning }

  private var isDividerRunning: Bool {
    memory[RTCRegister.a] & RTCRegisterA.dividerMask <= RTCRegisterA.divider32kHz
  }

  private static func floorRemainder(_ time: Int64) -> Int64 {
    let rest = time % second
    return rest < 0 ? rest + second : rest
  }

  private func encoded(_ value: Int64) -> UInt8 {
    let byte = UInt8(truncatingIfNeeded: value % 100)
    return b.contains(.binary) ? byte : (byte / 10) << 4 | byte % 10
  }

  private func decoded(_ byte: UInt8) -> Int64 {
    b.contains(.binary) ? Int64(byte) : Int64(byte >> 4) * 10 + Int64(byte & 0x0F)
  }

  private func encodedHour(_ hour: Int64) -> UInt8 {
    if b.contains(.hour24) { return encoded(hour) }
    let twelve = hour % 12 == 0 ? 12 : hour % 12
    return encoded(twelve) | (hour >= 12 ? 0x80 : 0)
  }

  private func decodedHour(_ byte: UInt8) -> Int64 {
    if b.contains(.hour24) { return decoded(byte) }
    return decoded(byte & 0x7F) % 12 + (byte & 0x80 != 0 ? 12 : 0)
  }

  private func loadTime() {
    let date = CalendarDate(secondsSinceEpoch: currentSecond)
    memory[RTCRegister.seconds] = encoded(date.second)
    memory[RTCRegister.minutes] = encoded(date.minute)
    memory[RTCRegister.hours] = encodedHour(date.hour)
    memory[RTCRegister.dayOfWeek] = encoded(date.weekday)
    memory[RTCRegister.dayOfMonth] = encoded(date.day)
    memory[RTCRegister.month] = encoded(date.month)
    memory[RTCRegister.year] = encoded(date.year)
    memory[RTCRegister.century] = encoded(date.year / 100)
  }

  /// The guest set the time: what it is ahead of the wall clock is kept.
  private func storeTime() {
    var date = CalendarDate(secondsSinceEpoch: 0)
    date.second = decoded(memory[RTCRegister.seconds])
    date.minute = decoded(memory[RTCRegister.minutes])
    date.hour = decodedHour(memory[RTCRegister.hours])
    date.day = decoded(memory[RTCRegister.dayOfMonth])
    date.month = min(max(decoded(memory[RTCRegister.month]), 1), 12)
    date.year = decoded(memory[RTCRegister.century]) * 100 + decoded(memory[RTCRegister.year])
    // The divider goes on where it is: only whole seconds are set.
    offset = offset &+ date.secondsSinceEpoch &- currentSecond
    lastSecond = currentSecond
  }

  // MARK: Interrupts

  /// The periodic interrupt's interval in nanoseconds (data sheet, table 5); nil if none.
  private var period: UInt64? {
    var rate = UInt64(memory[RTCRegister.a] & RTCRegisterA.rateMask)
    guard rate != 0, isDividerRunning else { return nil }
    // The two lowest rates are those of 7 and 8 with this time base.
    if rate <= 2 { rate += 7 }
    return (UInt64(Self.second) << (rate - 1)) / 32768
  }

  /// Sets the flags of what has happened since the last look.
  private func update() {
    if let period, clock.now &- lastPeriodic >= period {
      lastPeriodic &+= (clock.now &- lastPeriodic) / period * period
      memory[RTCRegister.c] |= RTCRegisterC.periodic
    }
    let second = currentSecond
    if isRunning, second != lastSecond {
      memory[RTCRegister.c] |= RTCRegisterC.update
      if alarmIsDue(from: lastSecond, to: second) { memory[RTCRegister.c] |= RTCRegisterC.alarm }
      lastSecond = second
    }
    updateInterruptFlag()
    rearm()
  }

  private func updateInterruptFlag() {
    let isDue = memory[RTCRegister.c] & memory[RTCRegister.b] & 0x70 != 0
    if isDue {
      memory[RTCRegister.c] |= RTCRegisterC.interrupt
    } else {
      memory[RTCRegister.c] &= ~RTCRegisterC.interrupt
    }
    interrupt.set(isDue)
  }

  /// Whether the alarm went off in the seconds after `first` up to `last`; a day at most is looked at, since alarms
  /// repeat daily.
  private func alarmIsDue(from first: Int64, to last: Int64) -> Bool {
    guard last > first else { return false }
    guard last - first < 90 else { return nextAlarm(after: first).map { $0 <= last } ?? false }
    return ((first + 1)...last).contains { matchesAlarm(CalendarDate(secondsSinceEpoch: $0)) }
  }

  private func matchesAlarm(_ date: CalendarDate) -> Bool {
    // A byte from 0xC0 on is "don't care".
    func matches(_ register: Int, _ value: UInt8) -> Bool {
      memory[register] >= 0xC0 || memory[register] == value
    }
    return matches(RTCRegister.secondsAlarm, encoded(date.second))
      && matches(RTCRegister.minutesAlarm, encoded(date.minute))
      && matches(RTCRegister.hoursAlarm, encodedHour(date.hour))
  }

  /// The next second that matches the alarm, nil if no second does: found field by field. The rest of the minute, of the
  /// hour and of the day, and then the minutes and seconds of the right hour, are 60 + 60 + 24 + 60 + 60 steps at most.
  private func nextAlarm(after second: Int64) -> Int64? {
    var time = second + 1
    for _ in 0..<264 {
      let date = CalendarDate(secondsSinceEpoch: time)
      if memory[RTCRegister.hoursAlarm] < 0xC0, memory[RTCRegister.hoursAlarm] != encodedHour(date.hour) {
        time += 3600 - (date.minute * 60 + date.second)
      } else if memory[RTCRegister.minutesAlarm] < 0xC0,
        memory[RTCRegister.minutesAlarm] != encoded(date.minute)
      {
        time += 60 - date.second
      } else if memory[RTCRegister.secondsAlarm] < 0xC0,
        memory[RTCRegister.secondsAlarm] != encoded(date.second)
      {
        time += 1
      } else {
        return time
      }
    }
    return nil
  }

  /// Arms the timer for the next interrupt the guest waits for, if its flag is not already set.
  private func rearm() {
    var next = UInt64.max
    let flags = memory[RTCRegister.c]
    if b.contains(.periodicInterrupt), flags & RTCRegisterC.periodic == 0, let period {
      next = lastPeriodic &+ period
    }
    if isRunning {
      let toNextSecond = UInt64(Self.second - nanosecond)
      if b.contains(.updateInterrupt), flags & RTCRegisterC.update == 0 {
        next = min(next, clock.now &+ toNextSecond)
      }
      if b.contains(.alarmInterrupt), flags & RTCRegisterC.alarm == 0,
        let alarm = nextAlarm(after: currentSecond)
      {
        let seconds = UInt64(clamping: alarm - currentSecond - 1)
        next = min(next, clock.now &+ toNextSecond &+ seconds &* UInt64(Self.second))
      }
    }
    if next != .max { timer?.arm(at: next) } else { timer?.disarm() }
  }

  // MARK: Life

  /// RESET# clears the interrupt enables and flags; time and memory are the battery's.
  public func reset() {
    memory[RTCRegister.b] &= ~(0x78)
    memory[RTCRegister.c] = 0
    index = 0
    interrupt.lower()
    rearm()
  }

  /// The memory and what the clock is ahead of the wall clock.
  public struct State: SavedState {
    public static let version = 1
    public var index: Int
    public var memory: [UInt8]
    public var offset: Int64
    public var phase: Int64
    public var lastPeriodic: UInt64
    public var lastSecond: Int64
  }

  public func save() -> State {
    State(
      index: index, memory: Array(memory), offset: offset, phase: phase, lastPeriodic: lastPeriodic,
      lastSecond: lastSecond)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.memory.count == 128 else {
      throw RestoreError("rtc: \(state.memory.count) bytes of memory, not 128")
    }
    index = state.index & 0x7F
    _ = memory.update(fromContentsOf: state.memory)
    memory[RTCRegister.a] &= ~RTCRegisterA.updateInProgress
    memory[RTCRegister.c] &= 0xF0
    memory[RTCRegister.d] = RTCRegisterD.validRAMAndTime
    offset = min(max(state.offset, -Self.maximumOffset), Self.maximumOffset)
    phase = Self.floorRemainder(state.phase)
    lastPeriodic = state.lastPeriodic
    lastSecond = min(max(state.lastSecond, -Self.maximumOffset), Self.maximumOffset)
    updateInterruptFlag()
    rearm()
  }

  /// Seconds, some 35,000 years: no guest can set the clock that far off.
  private static let maximumOffset: Int64 = 1 << 40
}
