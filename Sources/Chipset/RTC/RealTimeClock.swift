// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The real-time clock and CMOS memory: an MC146818A with 128 bytes at I/O ports 0x70 and 0x71, and another 128 bytes
/// of memory at 0x72 and 0x73.
///
/// The time of day is computed from a ``WallClock`` when the guest asks; a timer runs only while an interrupt that the
/// guest enabled is to come.
public final class RealTimeClock: RegisterFile, Device {
  public let deviceName = "mc146818rtc"
  private let clock: Clock
  private let wallClock: any WallClock
  /// Told when the guest sets the time, with how many seconds it is ahead of the wall clock.
  public var onTimeSet: ((Int64) -> Void)?
  private let interrupt: InterruptLine
  private var timer: Clock.Timer?

  private static let bankByteCount = 128
  private static let byteCount = 256
  private var index = 0
  private var extendedIndex = 0
  /// Both banks. The bytes of the time of day are only up to date while the clock is held.
  private let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: byteCount)
  private var time = GuestTime()
  /// The second and the periods that register C has told of.
  private var lastSecond: Int64 = 0
  private var lastPeriod: UInt64 = 0
  /// The tick from which periods are counted.
  private var periodOrigin: UInt64 = 0

  /// UIP is set this long before an update: t_BUC, eight periods of the 32.768 kHz crystal.
  private static let updateWindow: Int64 = 8 * GuestTime.second / 32768
  /// The first update comes this long after the divider is let go: half a second.
  private static let phaseAfterDividerReset = GuestTime.second / 2

  /// The clock; `interrupt` is ISA IRQ 8. `contents` are bytes that the board's firmware finds in it.
  public init(clock: Clock, wallClock: any WallClock, interrupt: InterruptLine, contents: CMOSContents) {
    self.clock = clock
    self.wallClock = wallClock
    self.interrupt = interrupt
    memory.initialize(repeating: 0)
    memory[RTCRegister.a] = RTCRegisterA.divider32kHz | RTCRegisterA.rate1024Hz
    memory[RTCRegister.b] = RTCRegisterB.hour24.rawValue
    memory[RTCRegister.d] = RTCRegisterD.validRAMAndTime
    timer = clock.makeTimer { [unowned self] in update() }
    lastSecond = now.seconds
    store(contents)
  }

  deinit { memory.deallocate() }

  /// Maps ports 0x70 … 0x73.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, (), name: "rtc", count: 4), at: 0x70)
  }

  /// Puts bytes for the firmware into the memory: what the machine boots from may change.
  public func store(_ contents: CMOSContents) {
    for (index, byte) in contents.bytes where index > RTCRegister.d && index < Self.bankByteCount {
      memory[index] = byte
    }
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset {
    case 1: UInt64(readByte(index))
    case 3: UInt64(memory[Self.bankByteCount + extendedIndex])
    // The index ports are write-only.
    default: 0xFF
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch offset {
    // Bit 7 masks NMI, which nothing on this board raises.
    case 0: index = Int(byte & 0x7F)
    case 1: writeByte(index, byte)
    case 2: extendedIndex = Int(byte & 0x7F)
    default: memory[Self.bankByteCount + extendedIndex] = byte
    }
  }

  private func readByte(_ index: Int) -> UInt8 {
    switch index {
    case RTCRegister.seconds, RTCRegister.minutes, RTCRegister.hours,
      RTCRegister.dayOfWeek...RTCRegister.year, RTCRegister.century, RTCRegister.centuryPS2:
      if isRunning { loadTime() }
      return memory[index == RTCRegister.centuryPS2 ? RTCRegister.century : index]
    case RTCRegister.a: return memory[index] | (isUpdating ? RTCRegisterA.updateInProgress : 0)
    case RTCRegister.c:
      update()
      let value = memory[index]
      memory[index] = 0
      updateInterrupt()
      rearm()
      return value
    default: return memory[index]
    }
  }

  private func writeByte(_ index: Int, _ byte: UInt8) {
    switch index {
    case RTCRegister.secondsAlarm, RTCRegister.minutesAlarm, RTCRegister.hoursAlarm:
      update()
      memory[index] = byte
      rearm()
    case RTCRegister.seconds, RTCRegister.minutes, RTCRegister.hours,
      RTCRegister.dayOfWeek...RTCRegister.year, RTCRegister.century, RTCRegister.centuryPS2:
      let place = index == RTCRegister.centuryPS2 ? RTCRegister.century : index
      guard isRunning else { return memory[place] = byte }
      update()
      loadTime()
      memory[place] = byte
      storeTime(format)
      rearm()
    case RTCRegister.a:
      control(a: byte & ~RTCRegisterA.updateInProgress, b: memory[RTCRegister.b])
    case RTCRegister.b:
      // SET clears UIE (data sheet, register B).
      let new = RTCRegisterB(rawValue: byte)
      control(
        a: memory[RTCRegister.a],
        b: (new.contains(.set) ? new.subtracting(.updateInterrupt) : new).rawValue)
    case RTCRegister.c, RTCRegister.d: break
    default: memory[index] = byte
    }
  }

  /// Gives registers A and B their values, and stops or starts the clock as they say.
  private func control(a: UInt8, b: UInt8) {
    update()
    let (wasRunning, wasDividing, formatBefore) = (isRunning, isDividing, format)
    if wasRunning { loadTime() }
    if a & RTCRegisterA.rateMask != memory[RTCRegister.a] & RTCRegisterA.rateMask, let periodic {
      // A period of the new length follows the last one: what a guest counts that changes the rate at each interrupt is
      // time, as it is in QEMU.
      periodOrigin = periodic.tick(of: lastPeriod)
    }
    memory[RTCRegister.a] = a
    memory[RTCRegister.b] = b
    if isDividing && !wasDividing {
      time.setPhase(Self.phaseAfterDividerReset, wall: wallClock.nanosecondsSinceEpoch)
    }
    // The bytes are in the format that was valid while they were written.
    if isRunning && !wasRunning { storeTime(formatBefore) }
    lastPeriod = periodic?.count(at: clock.now) ?? 0
    updateInterrupt()
    rearm()
  }

  // MARK: Time of day

  private var b: RTCRegisterB { RTCRegisterB(rawValue: memory[RTCRegister.b]) }
  private var format: RTCFormat { RTCFormat(b) }
  private var now: (seconds: Int64, nanoseconds: Int64) { time.at(wallClock.nanosecondsSinceEpoch) }

  /// The divider chain runs unless it is held in reset or in a test mode.
  private var isDividing: Bool {
    memory[RTCRegister.a] & RTCRegisterA.dividerMask <= RTCRegisterA.divider32kHz
  }

  /// Whether the time of day is counted.
  private var isRunning: Bool { isDividing && !b.contains(.set) }

  private var isUpdating: Bool { isRunning && GuestTime.second - now.nanoseconds <= Self.updateWindow }

  private func loadTime() {
    let date = CalendarDate(secondsSinceEpoch: now.seconds)
    let format = format
    memory[RTCRegister.seconds] = format.encode(date.second)
    memory[RTCRegister.minutes] = format.encode(date.minute)
    memory[RTCRegister.hours] = format.encodeHour(date.hour)
    memory[RTCRegister.dayOfWeek] = format.encode(date.weekday)
    memory[RTCRegister.dayOfMonth] = format.encode(date.day)
    memory[RTCRegister.month] = format.encode(date.month)
    memory[RTCRegister.year] = format.encode(date.year)
    memory[RTCRegister.century] = format.encode(date.year / 100)
  }

  /// The guest set the time: what it is ahead of the wall clock is kept. The day of the week follows the date.
  private func storeTime(_ format: RTCFormat) {
    let date = CalendarDate(
      year: format.decode(memory[RTCRegister.century]) * 100 + format.decode(memory[RTCRegister.year]),
      month: min(max(format.decode(memory[RTCRegister.month]), 1), 12),
      day: format.decode(memory[RTCRegister.dayOfMonth]), hour: format.decodeHour(memory[RTCRegister.hours]),
      minute: format.decode(memory[RTCRegister.minutes]), second: format.decode(memory[RTCRegister.seconds]))
    let before = time.secondsAhead
    time.set(date.secondsSinceEpoch, wall: wallClock.nanosecondsSinceEpoch)
    if time.secondsAhead != before { onTimeSet?(time.secondsAhead) }
    lastSecond = now.seconds
  }

  // MARK: Interrupts

  private var periodic: PeriodicTicks? {
    isDividing
      ? PeriodicTicks(rate: memory[RTCRegister.a] & RTCRegisterA.rateMask, origin: periodOrigin) : nil
  }

  private var alarm: RTCAlarm {
    RTCAlarm(
      second: memory[RTCRegister.secondsAlarm], minute: memory[RTCRegister.minutesAlarm],
      hour: memory[RTCRegister.hoursAlarm], format: format)
  }

  /// Sets the flags of what has happened since the last look.
  private func update() {
    if let count = periodic?.count(at: clock.now), count != lastPeriod {
      lastPeriod = count
      memory[RTCRegister.c] |= RTCRegisterC.periodic
    }
    let second = now.seconds
    if isRunning, second != lastSecond {
      memory[RTCRegister.c] |= RTCRegisterC.update
      if alarm.isDue(after: lastSecond, through: second) { memory[RTCRegister.c] |= RTCRegisterC.alarm }
      lastSecond = second
    }
    updateInterrupt()
    rearm()
  }

  /// IRQF and the line follow the flags that are both set and enabled.
  private func updateInterrupt() {
    let flags = memory[RTCRegister.c] & ~RTCRegisterC.interrupt
    let isDue = flags & memory[RTCRegister.b] & RTCRegisterC.sources != 0
    memory[RTCRegister.c] = flags | (isDue ? RTCRegisterC.interrupt : 0)
    interrupt.set(isDue)
  }

  /// Arms the timer for the next interrupt the guest waits for; a flag that is set already brings no other.
  private func rearm() {
    var next = UInt64.max
    let waitsFor = b.rawValue & ~memory[RTCRegister.c]
    if waitsFor & RTCRegisterC.periodic != 0, let periodic { next = periodic.time(of: lastPeriod &+ 1) }
    if isRunning, waitsFor & (RTCRegisterC.update | RTCRegisterC.alarm) != 0 {
      let (second, nanoseconds) = now
      let nextSecond = clock.now &+ UInt64(GuestTime.second - nanoseconds)
      if waitsFor & RTCRegisterC.update != 0 { next = min(next, nextSecond) }
      if waitsFor & RTCRegisterC.alarm != 0, let time = alarm.next(from: second + 1) {
        next = min(next, nextSecond &+ UInt64(time - second - 1) &* UInt64(GuestTime.second))
      }
    }
    if next != .max { timer?.arm(at: next) } else { timer?.disarm() }
  }

  // MARK: Life

  /// RESET# clears the interrupt enables and flags; time and memory are the battery's.
  public func reset() {
    update()
    memory[RTCRegister.b] &= ~RTCRegisterB.clearedByReset.rawValue
    memory[RTCRegister.c] = 0
    index = 0
    extendedIndex = 0
    updateInterrupt()
    rearm()
  }

  /// The memory, and what the clock is ahead of the wall clock.
  public struct State: SavedState {
    public static let version = 1
    public var index: Int
    public var extendedIndex: Int
    /// 256 bytes.
    public var memory: [UInt8]
    var time: GuestTime
    public var lastSecond: Int64
    public var lastPeriod: UInt64
    public var periodOrigin: UInt64?
  }

  public func save() -> State {
    State(
      index: index, extendedIndex: extendedIndex, memory: Array(memory), time: time, lastSecond: lastSecond,
      lastPeriod: lastPeriod, periodOrigin: periodOrigin)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.memory.count == Self.byteCount else {
      throw RestoreError("rtc: \(state.memory.count) bytes of memory, not \(Self.byteCount)")
    }
    index = state.index & 0x7F
    extendedIndex = state.extendedIndex & 0x7F
    _ = memory.update(fromContentsOf: state.memory)
    memory[RTCRegister.a] &= ~RTCRegisterA.updateInProgress
    memory[RTCRegister.d] = RTCRegisterD.validRAMAndTime
    time = state.time.validated
    lastSecond = GuestTime.bounded(state.lastSecond)
    periodOrigin = PeriodicTicks.bounded(state.periodOrigin ?? 0, at: clock.now)
    lastPeriod = min(state.lastPeriod, periodic?.count(at: clock.now) ?? 0)
    updateInterrupt()
    rearm()
  }
}
