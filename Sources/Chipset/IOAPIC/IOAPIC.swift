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

  func save() -> PlatformState.IOAPIC { state }

  /// The number of entries was checked.
  func restore(_ saved: PlatformState.IOAPIC) {
    state = saved
    levels = saved.irr
    for input in 0..<Self.inputCount { service(input) }
  }

  // MARK: Redirection entries

  private enum Entry {
    static let levelTriggered: UInt64 = 1 << 15
    static let remoteIRR: UInt64 = 1 << 14
    static let logical: UInt64 = 1 << 11
    static let masked: UInt64 = 1 << 16
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
      state.redirection[input] |= Entry.remoteIRR
    } else {
      state.irr &= ~bit
    }
    bus.deliver(
      APICMessage(
        destination: UInt32(entry >> 56), isLogical: entry & Entry.logical != 0,
        mode: APICMessage.Mode(rawValue: UInt8(entry >> 8 & 7)) ?? .reserved3,
        vector: UInt8(truncatingIfNeeded: entry), isLevel: isLevel))
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
      entry = old & 0xFFFF_FFFF | value << 32
    } else {
      entry = old & ~0xFFFF_FFFF | value & 0x1_FFFF & ~Entry.readOnly | old & Entry.readOnly
    }
    // Remote IRR means nothing for an edge.
    if entry & Entry.levelTriggered == 0 { entry &= ~Entry.remoteIRR }
    state.redirection[input] = entry
    let bit = (1 as UInt32) << UInt32(input)
    if entry & Entry.levelTriggered != 0 {
      state.irr = levels & bit != 0 ? state.irr | bit : state.irr & ~bit
    }
    service(input)
  }
}
