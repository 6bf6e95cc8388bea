// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The 8254 interval timer of a PC (Intel data sheet 231164): counter 0 makes IRQ 0, counter 2 is the speaker's, with its
/// gate at port 0x61.
///
/// Counters are computed from guest time when they are looked at. A timer is armed only while counter 0's output is going
/// to rise.
public final class PIT8254: RegisterFile, SpeakerGate {
  /// Flags of a saved state that mean nothing here and are kept: the HPET in the timer's place, the speaker's data bit.
  private static let keptFlags: UInt32 = 3

  private let clock: Clock
  private let interrupt: InterruptLine
  private let counters = UnsafeMutablePointer<PITCounter>.allocate(capacity: 3)
  private var timer: Clock.Timer?
  private var flags: UInt32 = 0

  /// A timer whose counter 0 drives `interrupt`.
  public init(clock: Clock, interrupt: InterruptLine) {
    self.clock = clock
    self.interrupt = interrupt
    counters.initialize(repeating: PITCounter(isGateOpen: true), count: 3)
    counters[2] = PITCounter(isGateOpen: false)
    timer = clock.makeTimer { [unowned self] in outputRises() }
  }

  deinit {
    timer?.disarm()
    counters.deallocate()
  }

  /// Maps 0x40 … 0x43.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, (), name: "pit", count: 4), at: 0x40)
  }

  /// After power-on no counter counts until it has a control word and a count.
  public func reset() {
    counters.update(repeating: PITCounter(isGateOpen: true), count: 3)
    counters[2] = PITCounter(isGateOpen: false)
    flags = 0
    timer?.disarm()
    interrupt.lower()
  }

  private var tick: Int64 { PITTicks.count(in: clock.now) }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    // The control word cannot be read.
    guard offset != PIT8254Register.control else { return 0xFF }
    return UInt64(counters[offset & 3].read(at: tick))
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    guard offset == PIT8254Register.control else {
      counters[offset & 3].write(byte, at: tick)
      if offset == 0 { updateInterrupt() }
      return
    }
    let select = byte >> 6
    if select == PIT8254Register.ReadBack.select {
      readBack(byte)
    } else if byte >> 4 & 3 == PIT8254Register.Access.latch {
      counters[Int(select)].latchCount(at: tick)
    } else {
      counters[Int(select)].writeControl(byte, at: tick)
      if select == 0 { updateInterrupt() }
    }
  }

  private func readBack(_ command: UInt8) {
    let tick = tick
    for index in 0..<3 where command >> UInt8(index + 1) & 1 != 0 {
      if command & PIT8254Register.ReadBack.noCount == 0 { counters[index].latchCount(at: tick) }
      if command & PIT8254Register.ReadBack.noStatus == 0 { counters[index].latchStatus(at: tick) }
    }
  }

  // MARK: Interrupts

  /// Brings the line to OUT0 and waits for OUT0 to rise.
  private func updateInterrupt() {
    let tick = tick
    interrupt.set(counters[0].output(at: tick))
    arm(after: tick)
  }

  private func arm(after tick: Int64) {
    guard let rise = counters[0].nextRise(after: tick) else {
      timer?.disarm()
      return
    }
    timer?.arm(at: PITTicks.time(of: rise))
  }

  /// OUT0 has been low and is high again. When it fell does not matter to an edge.
  private func outputRises() {
    let tick = tick
    counters[0].settle(at: tick)
    interrupt.lower()
    interrupt.raise()
    arm(after: tick)
  }

  // MARK: The speaker

  /// GATE2.
  public var isGateOpen: Bool {
    get { counters[2].isGateOpen }
    set { counters[2].setGate(newValue, at: tick) }
  }

  /// OUT2.
  public var output: Bool {
    let tick = tick
    counters[2].settle(at: tick)
    return counters[2].output(at: tick)
  }

  // MARK: State

  /// The registers of the three counters.
  public func save() -> PlatformState.PIT {
    let now = clock.now
    var state = PlatformState.PIT()
    state.flags = flags
    for index in 0..<3 {
      counters[index].settle(at: PITTicks.count(in: now))
      state.channels[index] = counters[index].save(at: now)
    }
    return state
  }

  /// Takes the registers over; fields out of range are brought into it. The gates that have no wire are open.
  public func restore(_ state: PlatformState.PIT) throws(RestoreError) {
    guard state.channels.count == 3 else {
      throw RestoreError("the state of the 8254 is damaged: it has \(state.channels.count) counters")
    }
    flags = state.flags & Self.keptFlags
    let now = clock.now
    for index in 0..<3 {
      var channel = state.channels[index]
      if index < 2 { channel.gate = 1 }
      counters[index].restore(channel, at: now)
    }
    let tick = PITTicks.count(in: now)
    // An edge that the line had already made is the interrupt controllers' to remember.
    if counters[0].output(at: tick) { interrupt.raise() } else { interrupt.lower() }
    arm(after: tick)
  }
}
