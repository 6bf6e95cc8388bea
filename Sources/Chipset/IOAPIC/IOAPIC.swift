// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The 82093AA (Intel data sheet 290566) at 0xFEC00000: 24 inputs to the local APICs.
///
/// Called with the machine's lock held.
public final class IOAPIC: RegisterFile {
  static let base: UInt64 = 0xFEC0_0000
  static let inputCount = 24

  private var state = PlatformState.IOAPIC()
  /// The levels of the inputs.
  private var levels: UInt32 = 0
  private unowned let bus: APICBus

  init(bus: APICBus) { self.bus = bus }

  func reset() { state = PlatformState.IOAPIC() }

  func save() -> PlatformState.IOAPIC {
    var saved = state
    saved.lines = levels
    return saved
  }

  /// Takes a state over, whose number of entries was checked. One of another engine, which does not tell the inputs'
  /// levels, is completed by `knownLevels`, and what it has not delivered is sent: the local APICs have been restored before.
  func restore(_ saved: PlatformState.IOAPIC, knownLevels: UInt32) {
    state = saved
    state.baseAddress = Self.base
    state.registerSelect &= 0xFF
    state.id &= 15
    state.irr &= 0xFF_FFFF
    for input in 0..<Self.inputCount { state.redirection[input] &= Entry.implemented }
    state.lines = nil
    levels = (saved.lines ?? (saved.irr | knownLevels)) & 0xFF_FFFF
    guard saved.lines == nil else { return }
    for input in 0..<Self.inputCount { service(input) }
  }

  // MARK: Redirection entries

  private enum Entry {
    static let levelTriggered: UInt64 = 1 << 15
    static let remoteIRR: UInt64 = 1 << 14
    static let logical: UInt64 = 1 << 11
    static let masked: UInt64 = 1 << 16
    static let mode: UInt64 = 7 << 8
    static let lowestPriority: UInt64 = 1 << 8
    /// The vector … the mask, and the destination, but for the delivery status: what is sent arrives at once.
    static let implemented: UInt64 = 0xFF00_0000_0001_EFFF
    /// What a write does not change: delivery status and remote IRR.
    static let readOnly: UInt64 = 1 << 12 | 1 << 14
  }

  func setLine(_ input: Int, isRaised: Bool) {
    guard input >= 0, input < Self.inputCount else { return }
    let bit = (1 as UInt32) << UInt32(input)
    let wasRaised = levels & bit != 0
    levels = isRaised ? levels | bit : levels & ~bit
    if state.redirection[input] & Entry.levelTriggered != 0 {
      state.irr = isRaised ? state.irr | bit : state.irr & ~bit
    } else if isRaised, !wasRaised {
      // An edge at a masked input is lost.
      if state.redirection[input] & Entry.masked == 0 { state.irr |= bit }
    }
    if isRaised { service(input) }
  }

  /// Sends what an input requests, if it may.
  private func service(_ input: Int) {
    let bit = (1 as UInt32) << UInt32(input)
    let entry = state.redirection[input]
    guard state.irr & bit != 0, entry & Entry.masked == 0 else { return }
    let isLevel = entry & Entry.levelTriggered != 0
    if isLevel {
      guard entry & Entry.remoteIRR == 0 else { return }
      // Only these two modes are ended by an EOI.
      if entry & Entry.mode <= Entry.lowestPriority { state.redirection[input] |= Entry.remoteIRR }
    } else {
      state.irr &= ~bit
    }
    let isAccepted = bus.deliver(
      APICMessage(
        destination: UInt32(entry >> 56), isLogical: entry & Entry.logical != 0,
        mode: APICMessage.Mode(rawValue: UInt8(entry >> 8 & 7)) ?? .reserved3,
        vector: UInt8(truncatingIfNeeded: entry), isLevel: isLevel))
    // Nobody will end what nobody took.
    if !isAccepted { state.redirection[input] &= ~Entry.remoteIRR }
  }

  /// A local APIC has finished a level-triggered interrupt.
  func endOfInterrupt(_ vector: UInt8) {
    for input in 0..<Self.inputCount {
      let entry = state.redirection[input]
      guard UInt8(truncatingIfNeeded: entry) == vector, entry & Entry.remoteIRR != 0 else { continue }
      state.redirection[input] &= ~Entry.remoteIRR
      service(input)
    }
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset & ~3 {
    case 0: return UInt64(state.registerSelect)
    case 0x10:
      switch state.registerSelect {
      case 0, 2: return UInt64(state.id) << 24
      case 1: return UInt64(Self.inputCount - 1) << 16 | 0x11
      case 0x10..<0x40:
        let entry = state.redirection[Int(state.registerSelect - 0x10) >> 1]
        return state.registerSelect & 1 == 0 ? entry & 0xFFFF_FFFF : entry >> 32
      default: return 0
      }
    default: return 0
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    switch offset & ~3 {
    case 0: state.registerSelect = UInt32(value & 0xFF)
    case 0x10:
      switch state.registerSelect {
      case 0: state.id = UInt32(value >> 24 & 15)
      case 0x10..<0x40:
        writeEntry(Int(state.registerSelect - 0x10) >> 1, state.registerSelect & 1 != 0, value)
      default: break
      }
    default: break
    }
  }

  private func writeEntry(_ input: Int, _ isUpper: Bool, _ value: UInt64) {
    let old = state.redirection[input]
    var entry: UInt64
    if isUpper {
      entry = old & 0xFFFF_FFFF | (value & 0xFF00_0000) << 32
    } else {
      entry = old & ~0xFFFF_FFFF | value & 0x1_FFFF & ~Entry.readOnly | old & Entry.readOnly
    }
    // Remote IRR means nothing for an edge.
    if entry & Entry.levelTriggered == 0 { entry &= ~Entry.remoteIRR }
    state.redirection[input] = entry
    let bit = (1 as UInt32) << UInt32(input)
    // What waits is a level; an edge was sent when it came.
    state.irr = entry & Entry.levelTriggered != 0 && levels & bit != 0 ? state.irr | bit : state.irr & ~bit
    service(input)
  }
}
