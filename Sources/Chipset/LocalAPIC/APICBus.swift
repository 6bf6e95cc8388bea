// SPDX-License-Identifier: GPL-2.0-or-later

/// An interrupt on its way to local APICs (SDM volume 3, section 10.6).
struct APICMessage {
  enum Mode: UInt8 {
    case fixed, lowestPriority, systemManagement, reserved3, nonMaskable, initialize, startup, external
  }
  /// A physical APIC ID or a logical destination, 8 bits, or 32 in x2APIC mode.
  var destination: UInt32
  var isLogical: Bool
  var mode: Mode
  var vector: UInt8
  var isLevel = false
  /// For INIT: asserted.
  var isAsserted = true
  /// The sender is in x2APIC mode: destinations have 32 bits.
  var isWide = false
}

/// What joins the local APICs, the IOAPIC and message-signalled interrupts.
final class APICBus {
  private(set) var localAPICs: [LocalAPIC] = []
  var onEndOfInterrupt: ((_ vector: UInt8) -> Void)?
  /// The 8259 pair's acknowledge, for interrupts sent as ExtINT.
  var acknowledgeExternal: (() -> UInt8)?

  /// A state is being restored: what changes is no event.
  var isRestoring = false

  func add(_ apic: LocalAPIC) { localAPICs.append(apic) }

  /// INT of the 8259 pair changed: it goes to LINT0 of all.
  func externalInterruptChanged(isRaised: Bool) {
    for index in localAPICs.indices {
      localAPICs[index].externalChanged(isRaised: isRaised, isEdge: isRaised && !isRestoring)
    }
  }

  /// - Returns: Whether anyone took it.
  @discardableResult
  func deliver(_ message: APICMessage) -> Bool {
    if message.mode == .lowestPriority {
      var best: LocalAPIC?
      for index in localAPICs.indices {
        let apic = localAPICs[index]
        guard apic.matches(message), apic.isSoftwareEnabled else { continue }
        if let found = best, found.processorPriority <= apic.processorPriority { continue }
        best = apic
      }
      return best?.accept(message) ?? false
    }
    var isAccepted = false
    for index in localAPICs.indices where localAPICs[index].matches(message) {
      if localAPICs[index].accept(message) { isAccepted = true }
    }
    return isAccepted
  }

  /// An inter-processor interrupt with a shorthand: 1 self, 2 all, 3 all others.
  func deliver(_ message: APICMessage, shorthand: UInt32, from sender: LocalAPIC) {
    switch shorthand {
    case 0: deliver(message)
    case 1: sender.accept(message)
    default:
      for index in localAPICs.indices {
        let apic = localAPICs[index]
        // One that is off is not on the bus.
        if apic.isEnabled, shorthand == 2 || apic !== sender { apic.accept(message) }
      }
    }
  }

  /// A message-signalled interrupt (SDM volume 3, section 10.11).
  func sendMessage(address: UInt64, data: UInt32) {
    guard address >> 20 == 0xFEE else { return }
    deliver(
      APICMessage(
        destination: UInt32(address >> 12 & 0xFF), isLogical: address & 4 != 0,
        mode: APICMessage.Mode(rawValue: UInt8(data >> 8 & 7)) ?? .reserved3,
        vector: UInt8(truncatingIfNeeded: data), isLevel: data & 1 << 15 != 0))
  }
}
