// SPDX-License-Identifier: GPL-2.0-or-later

/// MDIC: the way to the PHY's registers (section 13.4.7).
enum E1000MDI {
  static let registerShift: UInt32 = 16
  static let phyShift: UInt32 = 21
  static let write: UInt32 = 1 << 26
  static let read: UInt32 = 1 << 27
  static let ready: UInt32 = 1 << 28
  static let interrupt: UInt32 = 1 << 29
  static let error: UInt32 = 1 << 30
}

/// Registers of the PHY (section 13.5; IEEE 802.3, clause 22.2.4).
enum E1000PHYRegister {
  static let control = 0
  static let status = 1
  static let identifier1 = 2
  static let identifier2 = 3
  static let advertisement = 4
  static let partnerAbility = 5
  static let expansion = 6
  static let nextPage = 7
  static let partnerNextPage = 8
  static let gigabitControl = 9
  static let gigabitStatus = 10
  static let extendedStatus = 15
  static let specificControl = 16
  static let specificStatus = 17
  static let interruptEnable = 18
  static let interruptStatus = 19
  static let extendedSpecificControl = 20
}

/// The copper transceiver inside the card, an 88E1000: what it says of a link to a partner that can do everything.
struct E1000PHY: Codable, Equatable, Sendable {
  /// The address it answers at.
  static let address: UInt32 = 1

  private enum Control {
    static let speedHigh: UInt16 = 1 << 6
    static let fullDuplex: UInt16 = 1 << 8
    static let restart: UInt16 = 1 << 9
    static let isolate: UInt16 = 1 << 10
    static let powerDown: UInt16 = 1 << 11
    static let negotiate: UInt16 = 1 << 12
    static let speedLow: UInt16 = 1 << 13
    static let loopback: UInt16 = 1 << 14
    static let reset: UInt16 = 1 << 15
  }

  /// A link's rate: 0 is 10, 1 is 100, 2 is 1000 Mb/s.
  struct Mode: Equatable {
    var speed: UInt16
    var isFullDuplex: Bool
  }

  private(set) var registers: [UInt16]
  /// Whether the cable's other end is there.
  var hasPartner = false
  /// Whether negotiation is under way.
  private(set) var isNegotiating = false
  /// Link status in the status register, once zero, stays so until it is read.
  private var hasLostLink = false

  /// A PHY after power-on, whose negotiation is over.
  init() { registers = Self.resetValues }

  private static let resetValues: [UInt16] = {
    var values = [UInt16](repeating: 0, count: 32)
    values[E1000PHYRegister.control] = Control.negotiate | Control.fullDuplex | Control.speedHigh
    values[E1000PHYRegister.identifier1] = 0x0141
    values[E1000PHYRegister.identifier2] = 0x0C20
    values[E1000PHYRegister.advertisement] = 0x0DE1
    values[E1000PHYRegister.nextPage] = 0x2001
    values[E1000PHYRegister.gigabitControl] = 0x0E00
    values[E1000PHYRegister.extendedStatus] = 0x3000
    values[E1000PHYRegister.specificControl] = 0x0360
    values[E1000PHYRegister.extendedSpecificControl] = 0x0D60
    return values
  }()

  /// Which bits of each register may be written.
  private static let writable: [UInt16] = {
    var masks = [UInt16](repeating: 0, count: 32)
    masks[E1000PHYRegister.control] = 0x7DC0
    masks[E1000PHYRegister.advertisement] = 0xBFFF
    masks[E1000PHYRegister.nextPage] = 0xB7FF
    masks[E1000PHYRegister.gigabitControl] = 0xFF00
    for index in [E1000PHYRegister.specificControl, E1000PHYRegister.interruptEnable, 20, 24, 25, 29, 30] {
      masks[index] = 0xFFFF
    }
    return masks
  }()

  private var control: UInt16 { registers[E1000PHYRegister.control] }

  /// Whether what is sent comes back.
  var isLoopback: Bool { control & Control.loopback != 0 }

  /// What the link runs at, if it is up.
  var mode: Mode? {
    guard control & Control.powerDown == 0 else { return nil }
    let forced = Mode(
      speed: control & Control.speedHigh != 0 ? 2 : control & Control.speedLow != 0 ? 1 : 0,
      isFullDuplex: control & Control.fullDuplex != 0)
    if isLoopback { return forced }
    guard hasPartner, !isNegotiating else { return nil }
    guard control & Control.negotiate != 0 else { return forced }
    let gigabit = registers[E1000PHYRegister.gigabitControl]
    let ability = registers[E1000PHYRegister.advertisement]
    if gigabit & 1 << 9 != 0 { return Mode(speed: 2, isFullDuplex: true) }
    if gigabit & 1 << 8 != 0 { return Mode(speed: 2, isFullDuplex: false) }
    if ability & 1 << 8 != 0 { return Mode(speed: 1, isFullDuplex: true) }
    if ability & 1 << 7 != 0 { return Mode(speed: 1, isFullDuplex: false) }
    if ability & 1 << 6 != 0 { return Mode(speed: 0, isFullDuplex: true) }
    if ability & 1 << 5 != 0 { return Mode(speed: 0, isFullDuplex: false) }
    return nil
  }

  /// Reads register `index` (0 … 31).
  mutating func read(_ index: Int) -> UInt16 {
    switch index & 31 {
    case E1000PHYRegister.status:
      // All modes but 100BASE-T4 and T2, extended status and capability.
      var value: UInt16 = 0x7949
      if isComplete { value |= 1 << 5 }
      if mode != nil && !hasLostLink { value |= 1 << 2 }
      hasLostLink = mode == nil
      return value
    case E1000PHYRegister.partnerAbility: return isComplete ? 0xC5E1 : 0
    case E1000PHYRegister.expansion: return isComplete ? 0x000F : 0x0004
    case E1000PHYRegister.gigabitStatus: return isComplete ? 0x7C00 : 0
    case E1000PHYRegister.specificStatus:
      guard let mode else { return 0 }
      return mode.speed << 14 | (mode.isFullDuplex ? 1 << 13 : 0) | 1 << 11 | 1 << 10
    default: return registers[index & 31]
    }
  }

  private var isComplete: Bool { control & Control.negotiate != 0 && hasPartner && !isNegotiating }

  /// Writes register `index` (0 … 31).
  /// - Returns: whether negotiation is to begin anew.
  mutating func write(_ index: Int, _ value: UInt16) -> Bool {
    let index = index & 31
    if index == E1000PHYRegister.control && value & Control.reset != 0 { return reset() }
    let mask = Self.writable[index]
    let old = control
    let hadLink = mode != nil
    registers[index] = registers[index] & ~mask | value & mask
    guard index == E1000PHYRegister.control else { return false }
    defer { if hadLink && mode == nil { hasLostLink = true } }
    if control & Control.negotiate == 0 { isNegotiating = false }
    let isAwakened = (old & Control.powerDown | old & Control.isolate) & ~control != 0
    let isTurnedOn = control & ~old & Control.negotiate != 0
    return control & Control.negotiate != 0
      && (value & Control.restart != 0 || isAwakened || isTurnedOn)
  }

  /// The PHY's own reset, by its control register or by CTRL.PHY_RST.
  /// - Returns: whether negotiation is to begin anew: always.
  mutating func reset() -> Bool {
    if mode != nil { hasLostLink = true }
    registers = Self.resetValues
    return true
  }

  /// Negotiation begins, which takes the link down.
  mutating func beginNegotiation() {
    if mode != nil { hasLostLink = true }
    isNegotiating = true
  }

  /// Negotiation is over.
  mutating func endNegotiation() { isNegotiating = false }

  /// The cable's other end came or went.
  mutating func setPartner(_ isThere: Bool) {
    if mode != nil && !isThere { hasLostLink = true }
    hasPartner = isThere
  }

  /// Whether a running PHY could look so.
  var isValid: Bool { registers.count == 32 }
}
