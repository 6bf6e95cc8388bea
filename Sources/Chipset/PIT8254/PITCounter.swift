// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// One of the 8254's counters: what it shows at any tick follows from when its count was loaded (Intel data sheet 231164,
/// "Mode Definitions").
///
/// All times are tick numbers. A plain value, so that the three cost no references.
struct PITCounter {
  /// What the counter does at its end, and what its gate does.
  enum Mode: UInt8 {
    case interruptOnTerminalCount = 0
    case hardwareOneShot = 1
    case rateGenerator = 2
    case squareWave = 3
    case softwareStrobe = 4
    case hardwareStrobe = 5

    /// 6 and 7 are 2 and 3.
    init(bits: UInt8) {
      self = Mode(rawValue: bits & 7) ?? (bits & 1 == 0 ? .rateGenerator : .squareWave)
    }

    var isPeriodic: Bool { self == .rateGenerator || self == .squareWave }
    /// A rising gate starts it, instead of an open one letting it count.
    var isTriggered: Bool { self == .hardwareOneShot || self == .hardwareStrobe }
  }

  private(set) var mode = Mode.squareWave
  private var isBCD = false
  /// As written; 0x10000 for zero.
  private var count: UInt32 = 0x10000
  /// A count that waits for the end of the period or for the trigger.
  private var pending: UInt32?
  /// There has been a control word and no count yet: the output has its initial level.
  private var awaitsCount = true
  /// The tick at which the count is loaded: one after it is written.
  private var loadTick: Int64 = 0
  /// Ticks counted, while the gate holds the counter.
  private var held: Int64?
  private(set) var isGateOpen: Bool

  private var accessMode = PIT8254Register.Access.lowThenHigh
  private var readState = PIT8254Register.Access.lowThenHigh
  private var writeState = PIT8254Register.Access.lowThenHigh
  private var writeLatch: UInt8 = 0
  private var latchedCount: UInt16 = 0
  /// Which byte of the latched count comes next; 0 if none is latched.
  private var latchState: UInt8 = 0
  private var latchedStatus: UInt8?

  /// A counter that has had no control word. Those of a PC whose gate has no wire have it open.
  init(isGateOpen: Bool) {
    self.isGateOpen = isGateOpen
    held = isGateOpen ? nil : 0
  }

  // MARK: Counting

  /// Ticks of a period, or to the end.
  private var period: Int64 {
    guard isBCD else { return Int64(count) }
    var (value, weight) = (Int64(0), Int64(1))
    for digit in 0..<5 {
      value += Int64(count >> UInt32(digit * 4) & 15) * weight
      weight *= 10
    }
    return max(1, value)
  }

  /// Ticks counted since the count was loaded; negative until it is.
  private func elapsed(at tick: Int64) -> Int64 { held ?? (tick &- loadTick) }

  /// OUT at a tick.
  func output(at tick: Int64) -> Bool {
    if awaitsCount { return mode != .interruptOnTerminalCount }
    let elapsed = elapsed(at: tick)
    switch mode {
    case .interruptOnTerminalCount: return elapsed >= period
    case .hardwareOneShot: return elapsed >= period
    case .softwareStrobe, .hardwareStrobe: return elapsed != period
    case .rateGenerator:
      return !isGateOpen || elapsed < 0 || elapsed % period != period - 1 || period == 1
    case .squareWave: return !isGateOpen || elapsed < 0 || elapsed % period < (period + 1) / 2
    }
  }

  /// The counting element at a tick.
  private func value(at tick: Int64) -> UInt16 {
    let period = period
    let elapsed = awaitsCount ? 0 : max(0, elapsed(at: tick))
    let remaining: Int64
    switch mode {
    case .rateGenerator: remaining = period - elapsed % period
    case .squareWave:
      // Down by two in either half, from an even number.
      let high = (period + 1) / 2
      let phase = elapsed % period
      remaining = period & ~1 - 2 * (phase < high ? phase : phase - high)
    default: remaining = period - elapsed
    }
    return isBCD ? Self.bcd(remaining) : UInt16(truncatingIfNeeded: remaining)
  }

  /// Four decimal digits, as a counter that goes below zero shows them.
  private static func bcd(_ value: Int64) -> UInt16 {
    var rest = value % 10000
    if rest < 0 { rest += 10000 }
    var (result, shift) = (UInt16(0), UInt16(0))
    while shift < 16 {
      result |= UInt16(truncatingIfNeeded: rest % 10) << shift
      rest /= 10
      shift += 4
    }
    return result
  }

  /// Periods shorter than this count as several: no guest can serve 100,000 interrupts a second, and they would keep the
  /// host busy.
  private static let shortestStride: Int64 = 12

  /// The tick at which OUT next rises after `tick`; nil if it does not without the guest's doing.
  func nextRise(after tick: Int64) -> Int64? {
    guard !awaitsCount, held == nil else { return nil }
    let period = period
    switch mode {
    case .interruptOnTerminalCount, .hardwareOneShot:
      return tick &- loadTick < period ? loadTick &+ period : nil
    case .softwareStrobe, .hardwareStrobe:
      return tick &- loadTick <= period ? loadTick &+ period &+ 1 : nil
    case .rateGenerator, .squareWave:
      guard isGateOpen else { return nil }
      let stride = period >= Self.shortestStride ? period : (Self.shortestStride / period + 1) * period
      return loadTick &+ (max(0, tick &- loadTick) / stride &+ 1) &* stride
    }
  }

  /// Brings in a count that has waited for the end of the period.
  mutating func settle(at tick: Int64) {
    guard let next = pending, mode.isPeriodic, held == nil else { return }
    let period = period
    guard tick &- loadTick >= period else { return }
    loadTick &+= period
    count = next
    pending = nil
  }

  // MARK: The gate

  /// GATE has the given level from `tick` on.
  mutating func setGate(_ isOpen: Bool, at tick: Int64) {
    guard isOpen != isGateOpen else { return }
    settle(at: tick)
    isGateOpen = isOpen
    if mode.isTriggered {
      if isOpen, !awaitsCount { start(at: tick) }
    } else if !isOpen {
      // The next tick loads a new count whatever the gate does.
      held = max(0, elapsed(at: tick))
    } else if mode.isPeriodic {
      start(at: tick)
    } else {
      loadTick = tick &- (held ?? 0)
      held = nil
    }
  }

  /// Loads the count with the next tick.
  private mutating func start(at tick: Int64) {
    if let next = pending { count = next }
    pending = nil
    held = nil
    loadTick = tick &+ 1
  }

  // MARK: Registers

  /// A control word for this counter, other than the latch command.
  mutating func writeControl(_ value: UInt8, at tick: Int64) {
    accessMode = value >> 4 & 3
    (readState, writeState) = (accessMode, accessMode)
    mode = Mode(bits: value >> 1)
    isBCD = value & 1 != 0
    (latchState, latchedStatus, pending) = (0, nil, nil)
    awaitsCount = true
    held = mode.isTriggered || isGateOpen ? nil : 0
  }

  /// A byte of the count.
  mutating func write(_ value: UInt8, at tick: Int64) {
    settle(at: tick)
    switch writeState {
    case PIT8254Register.Access.low: load(UInt16(value), at: tick)
    case PIT8254Register.Access.high: load(UInt16(value) << 8, at: tick)
    case PIT8254Register.Access.lowThenHigh:
      writeLatch = value
      writeState = PIT8254Register.Access.highOfBoth
      // "Writing the first byte disables counting. OUT is set low immediately."
      if mode == .interruptOnTerminalCount { awaitsCount = true }
    default:
      writeState = PIT8254Register.Access.lowThenHigh
      load(UInt16(value) << 8 | UInt16(writeLatch), at: tick)
    }
  }

  /// A whole count has been written.
  private mutating func load(_ value: UInt16, at tick: Int64) {
    let value = value == 0 ? 0x10000 : UInt32(value)
    if mode.isTriggered {
      if awaitsCount {
        // OUT is high and the counter runs through, until there is a trigger.
        count = value
        loadTick = tick &- 0x20000
        awaitsCount = false
      }
      pending = value
    } else if mode.isPeriodic, !awaitsCount, isGateOpen, tick &- loadTick >= 0 {
      // "The current counting sequence is not affected": to where the present period began.
      loadTick &+= (tick &- loadTick) / period &* period
      pending = value
    } else {
      count = value
      awaitsCount = false
      if isGateOpen { loadTick = tick &+ 1 } else { held = 0 }
    }
  }

  /// The next byte: of the latched status, the latched count, or the counter itself.
  mutating func read(at tick: Int64) -> UInt8 {
    settle(at: tick)
    if let status = latchedStatus {
      latchedStatus = nil
      return status
    }
    if latchState != 0 {
      if latchState == PIT8254Register.Access.lowThenHigh {
        latchState = PIT8254Register.Access.high
        return UInt8(truncatingIfNeeded: latchedCount)
      }
      let isLow = latchState == PIT8254Register.Access.low
      latchState = 0
      return UInt8(truncatingIfNeeded: isLow ? latchedCount : latchedCount >> 8)
    }
    let value = value(at: tick)
    switch readState {
    case PIT8254Register.Access.low: return UInt8(truncatingIfNeeded: value)
    case PIT8254Register.Access.high: return UInt8(truncatingIfNeeded: value >> 8)
    case PIT8254Register.Access.lowThenHigh:
      readState = PIT8254Register.Access.highOfBoth
      return UInt8(truncatingIfNeeded: value)
    default:
      readState = PIT8254Register.Access.lowThenHigh
      return UInt8(truncatingIfNeeded: value >> 8)
    }
  }

  /// Holds the count for reading, unless one is held that has not been read.
  mutating func latchCount(at tick: Int64) {
    guard latchState == 0 else { return }
    settle(at: tick)
    latchedCount = value(at: tick)
    latchState = accessMode
  }

  /// Holds the status for reading, unless one is held that has not been read.
  mutating func latchStatus(at tick: Int64) {
    guard latchedStatus == nil else { return }
    settle(at: tick)
    latchedStatus = status(at: tick)
  }

  private func status(at tick: Int64) -> UInt8 {
    var value = accessMode << 4 | mode.rawValue << 1 | (isBCD ? 1 : 0)
    if output(at: tick) { value |= PIT8254Register.Status.output }
    if awaitsCount || pending != nil || elapsed(at: tick) < 0 { value |= PIT8254Register.Status.nullCount }
    return value
  }
}

// MARK: - State

extension PITCounter {
  /// The registers, and the time since the count was loaded.
  func save(at now: UInt64) -> PlatformState.PIT.Channel {
    let tick = PITTicks.count(in: now)
    var state = PlatformState.PIT.Channel()
    (state.count, state.pendingCount, state.awaitsCount) = (count, pending, awaitsCount)
    (state.latchedCount, state.countLatched) = (latchedCount, latchState)
    (state.statusLatched, state.status) = (latchedStatus == nil ? 0 : 1, latchedStatus ?? 0)
    (state.readState, state.writeState, state.writeLatch) = (readState, writeState, writeLatch)
    (state.accessMode, state.mode, state.bcd) = (accessMode, mode.rawValue, isBCD ? 1 : 0)
    state.gate = isGateOpen ? 1 : 0
    if let held {
      state.sinceLoad = Int64(clamping: PITTicks.time(of: held))
    } else if loadTick > tick {
      state.sinceLoad = -1
    } else if loadTick >= 0 {
      state.sinceLoad = Int64(clamping: now &- PITTicks.time(of: loadTick))
    } else {
      state.sinceLoad = Int64(clamping: PITTicks.time(of: tick &- loadTick))
    }
    return state
  }

  /// Takes a state over; fields out of range are brought into it.
  mutating func restore(_ state: PlatformState.PIT.Channel, at now: UInt64) {
    func byteState(_ value: UInt8) -> UInt8 { value <= PIT8254Register.Access.highOfBoth ? value : 0 }
    let tick = PITTicks.count(in: now)
    mode = Mode(bits: state.mode)
    isBCD = state.bcd & 1 != 0
    count = state.count == 0 ? 0x10000 : min(state.count, 0x10000)
    pending = state.pendingCount.map { $0 == 0 ? 0x10000 : min($0, 0x10000) }
    if !mode.isPeriodic && !mode.isTriggered { pending = nil }
    awaitsCount = state.awaitsCount ?? false
    isGateOpen = state.gate & 1 != 0
    (latchedCount, latchState) = (state.latchedCount, min(state.countLatched, 3))
    latchedStatus = state.statusLatched != 0 ? state.status : nil
    accessMode = state.accessMode & 3
    (readState, writeState) = (byteState(state.readState), byteState(state.writeState))
    writeLatch = state.writeLatch
    // Further back than any count is the same as any other time after its end.
    let since = min(max(state.sinceLoad, -1), 1 << 61)
    held = nil
    if since < 0 {
      loadTick = tick &+ 1
    } else if UInt64(since) <= now {
      loadTick = PITTicks.count(in: now - UInt64(since))
    } else {
      loadTick = tick &- PITTicks.count(in: UInt64(since))
    }
    if !isGateOpen, !mode.isTriggered {
      held = since < 0 ? 0 : PITTicks.count(in: UInt64(since))
    }
  }
}
