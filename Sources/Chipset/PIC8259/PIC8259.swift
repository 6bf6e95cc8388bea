// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// One 8259A (Intel data sheet 231468). Two of them, cascaded, are a ``PIC8259Pair``.
///
/// Called with the machine's lock held.
final class PIC8259 {
  /// All its registers, as saved states have them.
  var state = PlatformState.PIC()
  let isMaster: Bool
  /// INT changed.
  var onOutput: ((_ isRaised: Bool) -> Void)?
  private var output = false
  /// The levels of IR0 … IR7.
  private var lines: UInt8 = 0

  init(isMaster: Bool) {
    self.isMaster = isMaster
    // Which inputs ELCR can make level-triggered: not the timer, the keyboard, the cascade, the clock and the
    // coprocessor (82371SB data sheet, section 2.5.6).
    state.elcrMask = isMaster ? 0xF8 : 0xDE
  }

  func reset() {
    let mask = state.elcrMask
    state = PlatformState.PIC()
    state.elcrMask = mask
    update()
  }

  func restore(_ saved: PlatformState.PIC) {
    let mask = state.elcrMask
    state = saved
    state.elcrMask = mask
    state.elcr &= mask
    state.priorityAdd &= 7
    state.irqBase &= 0xF8
    lines = saved.lastIRR
    update()
  }

  // MARK: Inputs

  func setLine(_ number: Int, isRaised: Bool) {
    let bit = (1 as UInt8) << UInt8(number & 7)
    lines = isRaised ? lines | bit : lines & ~bit
    if state.elcr & bit != 0 {
      state.irr = isRaised ? state.irr | bit : state.irr & ~bit
    } else if isRaised {
      if state.lastIRR & bit == 0 { state.irr |= bit }
    } else if state.isr & bit == 0 {
      // A request that goes away before it is acknowledged becomes a spurious one (IR7).
      state.irr &= ~bit
    }
    state.lastIRR = isRaised ? state.lastIRR | bit : state.lastIRR & ~bit
    update()
  }

  /// The highest priority among some requests, 0 the highest; 8 if there is none.
  private func priority(_ mask: UInt8) -> Int {
    guard mask != 0 else { return 8 }
    var priority = 0
    while mask & 1 << UInt8((priority + Int(state.priorityAdd)) & 7) == 0 { priority += 1 }
    return priority
  }

  /// The request to deliver; nil if there is none above what is in service.
  private var request: Int? {
    let wanted = priority(state.irr & ~state.imr)
    guard wanted < 8 else { return nil }
    var inService = state.isr
    if state.specialMask != 0 { inService &= ~state.imr }
    // The master lets further requests of the slave through in special fully nested mode.
    if state.specialFullyNested != 0, isMaster { inService &= ~4 }
    return wanted < priority(inService) ? (wanted + Int(state.priorityAdd)) & 7 : nil
  }

  func update() {
    let raised = request != nil
    guard raised != output else { return }
    output = raised
    onOutput?(raised)
  }

  var isRaised: Bool { output }

  /// INTA: the input that is acknowledged; nil for a spurious interrupt (IR7).
  func acknowledge() -> Int? {
    guard let number = request else { return nil }
    let bit = (1 as UInt8) << UInt8(number)
    if state.autoEOI != 0 {
      if state.rotateOnAutoEOI != 0 { state.priorityAdd = UInt8((number + 1) & 7) }
    } else {
      state.isr |= bit
    }
    if state.elcr & bit == 0 { state.irr &= ~bit }
    update()
    return number
  }

  // MARK: Registers

  func write(_ offset: Int, _ value: UInt8) {
    if offset == 0 {
      if value & 0x10 != 0 {
        initialize(value)
      } else if value & 8 != 0 {
        writeOCW3(value)
      } else {
        writeOCW2(value)
      }
    } else {
      writeMaskOrInitialization(value)
    }
    update()
  }

  /// ICW1.
  private func initialize(_ value: UInt8) {
    state.irr &= state.elcr
    state.lastIRR = lines
    state.imr = 0
    state.isr = 0
    state.priorityAdd = 0
    state.readRegisterSelect = 0
    state.poll = 0
    state.specialMask = 0
    state.autoEOI = 0
    state.rotateOnAutoEOI = 0
    state.specialFullyNested = 0
    state.init4 = value & 1
    state.initState = 1
  }

  private func writeOCW3(_ value: UInt8) {
    if value & 4 != 0 { state.poll = 1 }
    if value & 2 != 0 { state.readRegisterSelect = value & 1 }
    if value & 0x40 != 0 { state.specialMask = value >> 5 & 1 }
  }

  private func writeOCW2(_ value: UInt8) {
    let level = value & 7
    switch value >> 5 {
    case 0: state.rotateOnAutoEOI = 0
    case 4: state.rotateOnAutoEOI = 1
    case 1, 5:
      let highest = priority(state.isr)
      guard highest < 8 else { return }
      let number = (highest + Int(state.priorityAdd)) & 7
      state.isr &= ~(1 << UInt8(number))
      if value >> 5 == 5 { state.priorityAdd = UInt8((number + 1) & 7) }
    case 3: state.isr &= ~(1 << level)
    case 6: state.priorityAdd = (level + 1) & 7
    case 7:
      state.isr &= ~(1 << level)
      state.priorityAdd = (level + 1) & 7
    default: break
    }
  }

  /// OCW1, or ICW2 … ICW4 after ICW1.
  private func writeMaskOrInitialization(_ value: UInt8) {
    switch state.initState {
    case 1:
      state.irqBase = value & 0xF8
      state.initState = 2
    case 2: state.initState = state.init4 != 0 ? 3 : 0
    case 3:
      state.specialFullyNested = value >> 4 & 1
      state.autoEOI = value >> 1 & 1
      state.initState = 0
    default: state.imr = value
    }
  }

  func read(_ offset: Int) -> UInt8 {
    if state.poll != 0 {
      state.poll = 0
      // A poll acknowledges; bit 7 says whether there was something.
      return acknowledge().map { UInt8($0) | 0x80 } ?? 0
    }
    if offset != 0 { return state.imr }
    return state.readRegisterSelect != 0 ? state.isr : state.irr
  }
}

/// The two 8259A of a PC, the slave on the master's IR2, and their edge/level control registers.
public final class PIC8259Pair: RegisterFile {
  /// The register windows.
  public enum Window: Sendable { case master, slave, edgeLevel }

  let master = PIC8259(isMaster: true)
  let slave = PIC8259(isMaster: false)
  /// INT to the processor changed.
  var onOutput: ((_ isRaised: Bool) -> Void)?

  init() {
    slave.onOutput = { [unowned self] in master.setLine(2, isRaised: $0) }
    master.onOutput = { [unowned self] in onOutput?($0) }
  }

  /// Maps ports 0x20, 0xA0 and 0x4D0.
  func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .master, name: "pic-master", count: 2), at: 0x20)
    ports.map(RegisterWindow(self, .slave, name: "pic-slave", count: 2), at: 0xA0)
    ports.map(RegisterWindow(self, .edgeLevel, name: "pic-elcr", count: 2), at: 0x4D0)
  }

  func reset() {
    slave.reset()
    master.reset()
  }

  func setLine(_ irq: Int, isRaised: Bool) {
    if irq < 8 { master.setLine(irq, isRaised: isRaised) } else { slave.setLine(irq & 7, isRaised: isRaised) }
  }

  var isRaised: Bool { master.isRaised }

  /// INTA: the vector; that of IR7 if the request has gone away.
  func acknowledge() -> UInt8 {
    guard let number = master.acknowledge() else { return master.state.irqBase | 7 }
    guard number == 2 else { return master.state.irqBase | UInt8(number) }
    return slave.state.irqBase | UInt8(slave.acknowledge() ?? 7)
  }

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .master: UInt64(master.read(offset))
    case .slave: UInt64(slave.read(offset))
    case .edgeLevel: UInt64(offset == 0 ? master.state.elcr : slave.state.elcr)
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch window {
    case .master: master.write(offset, byte)
    case .slave: slave.write(offset, byte)
    case .edgeLevel:
      let chip = offset == 0 ? master : slave
      chip.state.elcr = byte & chip.state.elcrMask
    }
  }
}
