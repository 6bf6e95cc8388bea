// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The 8254 interval timer (Intel data sheet 231164) at ports 0x40 … 0x43: counter 0 makes IRQ 0, counter 2
/// the speaker's tone and, by port 0x61, a gated timer for calibration.
///
/// Counts are computed from the clock when the guest asks; a timer runs only for counter 0. Called with the
/// machine's lock held.
public final class PIT8254: RegisterFile, SpeakerGate {
  /// The input frequency in Hz.
  static let frequency: UInt64 = 1_193_182

  private let clock: Clock
  private let interrupt: InterruptLine
  private var timer: Clock.Timer?
  /// The counters as saved states have them, but for ``loadTime``.
  private var channels = InlineArray<3, PlatformState.PIT.Channel>(repeating: PlatformState.PIT.Channel())
  /// When each counter's count was loaded.
  private var loadTime = InlineArray<3, UInt64>(repeating: 0)

  /// A timer whose counter 0 drives `interrupt`.
  init(clock: Clock, interrupt: InterruptLine) {
    self.clock = clock
    self.interrupt = interrupt
    timer = clock.makeTimer { [unowned self] in counterElapsed() }
    reset()
  }

  func map(in ports: PortSpace) { ports.map(RegisterWindow(self, (), name: "pit", count: 4), at: 0x40) }

  func reset() {
    for number in 0..<3 {
      channels[number] = PlatformState.PIT.Channel()
      channels[number].mode = 3
      channels[number].gate = number == 2 ? 0 : 1
      channels[number].count = 0x10000
      loadTime[number] = clock.now
    }
    schedule()
  }

  // MARK: Time

  /// Ticks of the input since a counter was loaded.
  private func elapsed(_ number: Int) -> UInt64 {
    let nanoseconds = clock.now &- loadTime[number]
    let wide = nanoseconds.multipliedFullWidth(by: Self.frequency)
    guard wide.high < 1_000_000_000 else { return .max }
    return (1_000_000_000 as UInt64).dividingFullWidth(wide).quotient
  }

  /// The clock's time `ticks` after a counter was loaded, rounded up so that it is not before.
  private func time(_ number: Int, after ticks: UInt64) -> UInt64 {
    let wide = ticks.multipliedFullWidth(by: 1_000_000_000)
    guard wide.high < Self.frequency else { return .max }
    let (quotient, remainder) = Self.frequency.dividingFullWidth(wide)
    return loadTime[number] &+ quotient &+ (remainder > 0 ? 1 : 0)
  }

  private func period(_ number: Int) -> UInt64 { max(1, UInt64(channels[number].count)) }

  /// The counting element.
  private func count(_ number: Int) -> UInt16 {
    let (ticks, period) = (elapsed(number), period(number))
    switch channels[number].mode & 7 {
    case 0, 1, 4, 5: return UInt16(truncatingIfNeeded: period &- ticks)
    case 3, 7:
      // Counts down by two, twice a period.
      return UInt16(truncatingIfNeeded: period &- (ticks &* 2) % period)
    default: return UInt16(truncatingIfNeeded: period &- ticks % period)
    }
  }

  /// OUT ("Mode Definitions" in the data sheet).
  private func output(_ number: Int) -> Bool {
    let (ticks, period) = (elapsed(number), period(number))
    return switch channels[number].mode & 7 {
    case 0, 1: ticks >= period
    case 3, 7: ticks % period < (period + 1) / 2
    case 2, 6: ticks % period != period - 1
    default: ticks != period
    }
  }

  /// Arms the timer for the next rising edge of OUT of counter 0.
  private func schedule() {
    let period = period(0)
    interrupt.set(output(0))
    let ticks = elapsed(0)
    switch channels[0].mode & 7 {
    case 2, 3, 6, 7: timer?.arm(at: time(0, after: (ticks / period + 1) &* period))
    case 0, 1: if ticks < period { timer?.arm(at: time(0, after: period)) } else { timer?.disarm() }
    default: if ticks <= period { timer?.arm(at: time(0, after: period + 1)) } else { timer?.disarm() }
    }
  }

  private func counterElapsed() {
    // The falling edge that comes before need not be timed: nobody sees it.
    interrupt.lower()
    interrupt.raise()
    schedule()
  }

  // MARK: Counter 2

  /// GATE2. A rising edge starts the modes that are triggered by it anew.
  public var isGateOpen: Bool {
    get { channels[2].gate != 0 }
    set {
      let isRising = newValue && channels[2].gate == 0
      channels[2].gate = newValue ? 1 : 0
      if isRising, channels[2].mode & 7 != 0, channels[2].mode & 7 != 4 { loadTime[2] = clock.now }
    }
  }

  public var output: Bool { output(2) }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    guard offset < 3 else { return 0xFF }
    if channels[offset].statusLatched != 0 {
      channels[offset].statusLatched = 0
      return UInt64(channels[offset].status)
    }
    let latched = channels[offset].countLatched
    if latched != 0 {
      let value = channels[offset].latchedCount
      switch latched {
      case 1, 4:
        channels[offset].countLatched = 0
        return UInt64(latched == 4 ? value >> 8 : value & 0xFF)
      case 2:
        channels[offset].countLatched = 0
        return UInt64(value >> 8)
      default:
        channels[offset].countLatched = 4
        return UInt64(value & 0xFF)
      }
    }
    let value = presented(offset)
    switch channels[offset].readState {
    case 2: return UInt64(value >> 8)
    case 3:
      channels[offset].readState = 4
      return UInt64(value & 0xFF)
    case 4:
      channels[offset].readState = 3
      return UInt64(value >> 8)
    default: return UInt64(value & 0xFF)
    }
  }

  /// The count as the guest sees it, in decimal if it asked for that.
  private func presented(_ number: Int) -> UInt16 {
    let value = count(number)
    guard channels[number].bcd != 0 else { return value }
    let decimal = value % 10000
    return decimal % 10 | decimal / 10 % 10 << 4 | decimal / 100 % 10 << 8 | decimal / 1000 << 12
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    guard offset < 3 else { return writeControl(byte) }
    switch channels[offset].writeState {
    case 2: load(offset, UInt16(byte) << 8)
    case 3:
      channels[offset].writeLatch = byte
      channels[offset].writeState = 4
    case 4:
      channels[offset].writeState = 3
      load(offset, UInt16(channels[offset].writeLatch) | UInt16(byte) << 8)
    default: load(offset, UInt16(byte))
    }
  }

  private func load(_ number: Int, _ value: UInt16) {
    var count = UInt32(value)
    if channels[number].bcd != 0 {
      let digits = (count & 15, count >> 4 & 15, count >> 8 & 15, count >> 12)
      count = digits.0 + digits.1 * 10 + digits.2 * 100 + digits.3 * 1000
      if count == 0 { count = 10000 }
    }
    channels[number].count = count == 0 ? 0x10000 : count
    loadTime[number] = clock.now
    if number == 0 { schedule() }
  }

  private func writeControl(_ byte: UInt8) {
    let number = Int(byte >> 6)
    guard number < 3 else { return readBack(byte) }
    let access = byte >> 4 & 3
    guard access != 0 else { return latchCount(number) }
    channels[number].accessMode = access
    channels[number].readState = access
    channels[number].writeState = access
    channels[number].mode = byte >> 1 & 7
    channels[number].bcd = byte & 1
    channels[number].countLatched = 0
    if number == 0 {
      // Until a count is loaded nothing elapses; OUT is high but in mode 0.
      timer?.disarm()
      interrupt.set(channels[0].mode != 0)
    }
  }

  private func latchCount(_ number: Int) {
    guard channels[number].countLatched == 0 else { return }
    channels[number].latchedCount = presented(number)
    channels[number].countLatched = max(1, channels[number].accessMode)
  }

  private func readBack(_ byte: UInt8) {
    for number in 0..<3 where byte >> UInt8(number + 1) & 1 != 0 {
      if byte & 0x20 == 0 { latchCount(number) }
      if byte & 0x10 == 0, channels[number].statusLatched == 0 {
        let channel = channels[number]
        channels[number].status =
          (output(number) ? 0x80 : 0) | channel.accessMode << 4 | channel.mode << 1 | channel.bcd
        channels[number].statusLatched = 1
      }
    }
  }

  // MARK: State

  func save() -> PlatformState.PIT {
    var state = PlatformState.PIT()
    for number in 0..<3 {
      state.channels[number] = channels[number]
      state.channels[number].sinceLoad = Int64(clamping: clock.now &- loadTime[number])
    }
    return state
  }

  /// The number of channels was checked.
  func restore(_ state: PlatformState.PIT) {
    for number in 0..<3 {
      var channel = state.channels[number]
      channel.count = channel.count == 0 ? 0x10000 : min(channel.count, 0x10000)
      channel.accessMode &= 3
      channel.mode &= 7
      channel.bcd &= 1
      channel.readState = min(channel.readState, 4)
      channel.writeState = min(channel.writeState, 4)
      channel.countLatched = min(channel.countLatched, 4)
      channels[number] = channel
      loadTime[number] = clock.now &- UInt64(max(0, channel.sinceLoad))
    }
    schedule()
  }
}
