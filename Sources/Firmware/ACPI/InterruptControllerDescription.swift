// SPDX-License-Identifier: GPL-2.0-or-later

/// The MADT (ACPI 6.4, section 5.2.12): local APICs, the I/O APIC, and how ISA interrupts reach it.
struct InterruptControllerDescription {
  private static let localAPICBase: UInt32 = 0xFEE0_0000
  private static let ioAPICBase: UInt32 = 0xFEC0_0000
  /// PC-AT compatible: there are two 8259 as well.
  private static let flags: UInt32 = 1
  /// Interrupts that PCI may use: level-triggered, active high (MPS INTI flags 01b and 11b).
  private static let pciInterrupts: [UInt8] = [5, 9, 10, 11]
  private static let levelActiveHigh: UInt16 = 0x0D

  let platform: PlatformDescription

  /// The body, after the table's header.
  var body: [UInt8] {
    var body: [UInt8] = []
    body.append(littleEndian: Self.localAPICBase)
    body.append(littleEndian: Self.flags)
    for (index, apicID) in platform.apicIDs.enumerated() {
      // Processor local APIC: the CPU's _UID, its APIC ID, enabled.
      body += [0, 8, UInt8(truncatingIfNeeded: index), apicID, 1, 0, 0, 0]
    }
    // I/O APIC with ID 0, interrupts from 0 on.
    body += [1, 12, 0, 0]
    body.append(littleEndian: Self.ioAPICBase)
    body.append(littleEndian: UInt32(0))
    // IRQ 0 is at pin 2.
    body += Self.override(irq: 0, interrupt: 2, flags: 0)
    for irq in Self.pciInterrupts {
      body += Self.override(irq: irq, interrupt: UInt32(irq), flags: Self.levelActiveHigh)
    }
    // NMI at LINT1 of every CPU.
    body += [4, 6, 0xFF, 0, 0, 1]
    return body
  }

  /// Interrupt source override, of the ISA bus.
  private static func override(irq: UInt8, interrupt: UInt32, flags: UInt16) -> [UInt8] {
    var entry: [UInt8] = [2, 10, 0, irq]
    entry.append(littleEndian: interrupt)
    entry.append(littleEndian: flags)
    return entry
  }
}
