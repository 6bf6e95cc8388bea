// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// One 8259A: its registers, its priorities, and what each command word does.
///
/// A plain value, so that the pair costs no references.
struct PIC8259Chip {
  /// Which ICW the data register takes next.
  enum Initialization: UInt8 {
    case done = 0
    case icw2 = 1
    case icw3 = 2
    case icw4 = 3
  }

  /// The levels of the inputs.
  private(set) var lines: UInt8 = 0
  private(set) var irr: UInt8 = 0
  private var imr: UInt8 = 0
  private var isr: UInt8 = 0
  /// The input with the highest priority: 0 unless rotated.
  private var highest: UInt8 = 0
  /// ICW2: the vector of input 0.
  private var vectorBase: UInt8 = 0
  private var readsISR = false
  private var isPolled = false
  private var isSpecialMask = false
  private var initialization = Initialization.done
  private var needsICW4 = false
  private var isAutoEOI = false
  private var rotatesOnAutoEOI = false
  private var isSpecialFullyNested = false
  /// Bit n set: input n is triggered by its level, not by its edge.
  private(set) var elcr: UInt8 = 0
  private let levelCapable: UInt8
  /// The first chip: its input 2 follows the other's INT output.
  private let isFirst: Bool

  init(isFirst: Bool) {
    self.isFirst = isFirst
    levelCapable = isFirst ? PIC8259Register.levelCapable.first : PIC8259Register.levelCapable.second
  }

  /// After RESET#: nothing asks, all edge-triggered. The inputs stay as they are.
  mutating func reset() {
    let lines = lines
    self = PIC8259Chip(isFirst: isFirst)
    self.lines = lines
  }

  // MARK: Inputs

  /// Input `number` (0 … 7) has the given level. A rising edge is remembered until it is acknowledged.
  mutating func setLine(_ number: Int, isRaised: Bool) {
    let bit: UInt8 = 1 << UInt8(truncatingIfNeeded: number & 7)
    if isRaised {
      if lines & bit == 0 || elcr & bit != 0 { irr |= bit }
      lines |= bit
    } else {
      lines &= ~bit
      if elcr & bit != 0 { irr &= ~bit }
    }
  }

  /// The other chip's INT output, which is high for as long as it has a request.
  mutating func setCascade(isRaised: Bool) {
    let bit: UInt8 = 1 << UInt8(PIC8259Register.cascadeInput)
    irr = isRaised ? irr | bit : irr & ~bit
  }

  // MARK: Priorities

  /// The place of the most important of `requests` in the order of priorities, 0 … 7; 8 if there is none.
  private func priority(of requests: UInt8) -> Int {
    // Rotated so that the highest priority is bit 0.
    let rotated = requests >> highest | requests << ((8 - highest) & 7)
    return highest == 0 ? requests.trailingZeroBitCount : rotated.trailingZeroBitCount
  }

  private func input(atPriority place: Int) -> UInt8 { (UInt8(truncatingIfNeeded: place) &+ highest) & 7 }

  /// The input whose request is more important than all that is in service.
  var request: UInt8? {
    let wanted = priority(of: irr & ~imr)
    guard wanted < 8 else { return nil }
    var inService = isr
    // What is masked holds nothing back ("Special Mask Mode").
    if isSpecialMask { inService &= ~imr }
    // The second chip's own priorities decide between its requests ("Special Fully Nested Mode").
    if isSpecialFullyNested && isFirst { inService &= ~(1 << UInt8(PIC8259Register.cascadeInput)) }
    return wanted < priority(of: inService) ? input(atPriority: wanted) : nil
  }

  /// The INTA cycles: `input` goes into service.
  mutating func accept(_ input: UInt8) {
    let bit: UInt8 = 1 << input
    if elcr & bit == 0 { irr &= ~bit }
    if isAutoEOI {
      if rotatesOnAutoEOI { highest = (input &+ 1) & 7 }
    } else {
      isr |= bit
    }
  }

  /// The vector the chip puts on the bus for `input`.
  func vector(of input: UInt8) -> UInt8 { vectorBase | input }

  // MARK: Registers

  mutating func read(_ register: Int) -> UInt8 {
    if isPolled {
      // Any read is the INTA ("Poll Command").
      isPolled = false
      guard let input = request else { return 0 }
      accept(input)
      return PIC8259Register.pollRequest | input
    }
    if register == PIC8259Register.data { return imr }
    return readsISR ? isr : irr
  }

  mutating func write(_ register: Int, _ value: UInt8) {
    if register == PIC8259Register.data {
      writeData(value)
    } else if value & PIC8259Register.ICW1.isInitialization != 0 {
      beginInitialization(value)
    } else if value & PIC8259Register.OCW3.isOCW3 != 0 {
      writeOCW3(value)
    } else {
      writeOCW2(value)
    }
  }

  /// ICW1. LTIM and SNGL mean nothing here: ELCR decides about the trigger, and the chips are cascaded.
  private mutating func beginInitialization(_ value: UInt8) {
    // An edge must come again to count.
    irr = lines & elcr
    (imr, isr, highest) = (0, 0, 0)
    (readsISR, isPolled, isSpecialMask) = (false, false, false)
    needsICW4 = value & PIC8259Register.ICW1.needsICW4 != 0
    // "If IC4 = 0, then all functions selected in ICW4 are set to zero."
    if !needsICW4 { (isAutoEOI, isSpecialFullyNested) = (false, false) }
    rotatesOnAutoEOI = false
    initialization = .icw2
  }

  private mutating func writeData(_ value: UInt8) {
    switch initialization {
    case .done: imr = value
    case .icw2:
      vectorBase = value & 0xF8
      initialization = .icw3
    case .icw3: initialization = needsICW4 ? .icw4 : .done
    case .icw4:
      isAutoEOI = value & PIC8259Register.ICW4.autoEOI != 0
      isSpecialFullyNested = value & PIC8259Register.ICW4.specialFullyNested != 0
      initialization = .done
    }
  }

  private mutating func writeOCW2(_ value: UInt8) {
    let input = value & 7
    switch PIC8259Register.OCW2(rawValue: value >> 5) ?? .noOperation {
    case .rotateInAutoEOIClear: rotatesOnAutoEOI = false
    case .rotateInAutoEOISet: rotatesOnAutoEOI = true
    case .nonSpecificEOI: _ = endMostImportant()
    case .rotateOnNonSpecificEOI: if let ended = endMostImportant() { highest = (ended &+ 1) & 7 }
    case .specificEOI: isr &= ~(1 << input)
    case .rotateOnSpecificEOI:
      isr &= ~(1 << input)
      highest = (input &+ 1) & 7
    case .setPriority: highest = (input &+ 1) & 7
    case .noOperation: break
    }
  }

  /// The non-specific end of interrupt, which passes over what is masked in special mask mode.
  private mutating func endMostImportant() -> UInt8? {
    let place = priority(of: isSpecialMask ? isr & ~imr : isr)
    guard place < 8 else { return nil }
    let input = input(atPriority: place)
    isr &= ~(1 << input)
    return input
  }

  private mutating func writeOCW3(_ value: UInt8) {
    if value & PIC8259Register.OCW3.poll != 0 { isPolled = true }
    if value & PIC8259Register.OCW3.readRegister != 0 {
      readsISR = value & PIC8259Register.OCW3.readISR != 0
    }
    if value & PIC8259Register.OCW3.enableSpecialMask != 0 {
      isSpecialMask = value & PIC8259Register.OCW3.specialMask != 0
    }
  }

  /// The edge/level control register: inputs that are now triggered by their level ask as long as it is high.
  mutating func writeELCR(_ value: UInt8) {
    let before = elcr
    elcr = value & levelCapable
    irr = irr & ~(elcr & ~before) | lines & elcr
  }

  // MARK: State

  func save() -> PlatformState.PIC {
    var state = PlatformState.PIC()
    (state.lastIRR, state.irr, state.imr, state.isr) = (lines, irr, imr, isr)
    (state.priorityAdd, state.irqBase) = (highest, vectorBase)
    (state.readRegisterSelect, state.poll) = (readsISR ? 1 : 0, isPolled ? 1 : 0)
    (state.specialMask, state.initState) = (isSpecialMask ? 1 : 0, initialization.rawValue)
    (state.autoEOI, state.rotateOnAutoEOI) = (isAutoEOI ? 1 : 0, rotatesOnAutoEOI ? 1 : 0)
    (state.specialFullyNested, state.init4) = (isSpecialFullyNested ? 1 : 0, needsICW4 ? 1 : 0)
    (state.elcr, state.elcrMask) = (elcr, levelCapable)
    return state
  }

  mutating func restore(_ state: PlatformState.PIC) {
    elcr = state.elcr & levelCapable
    // A level that asks is high, whether or not it was also seen as an edge.
    lines = state.lastIRR | state.irr & elcr
    (irr, imr, isr) = (state.irr, state.imr, state.isr)
    (highest, vectorBase) = (state.priorityAdd & 7, state.irqBase & 0xF8)
    (readsISR, isPolled) = (state.readRegisterSelect & 1 != 0, state.poll & 1 != 0)
    isSpecialMask = state.specialMask & 1 != 0
    initialization = Initialization(rawValue: state.initState) ?? .done
    (isAutoEOI, rotatesOnAutoEOI) = (state.autoEOI & 1 != 0, state.rotateOnAutoEOI & 1 != 0)
    (isSpecialFullyNested, needsICW4) = (state.specialFullyNested & 1 != 0, state.init4 & 1 != 0)
  }
}
