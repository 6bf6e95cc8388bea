// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine

extension HumanCommands {
  /// Interrupts.
  static let interruptTopics: [HumanCommand] = [
    HumanCommand("irq", help: "how often devices have raised each interrupt") { _, monitor, output in
      let counts = monitor.machine.interruptCounts
      for (name, inputs) in [("ioapic", 24), ("isa-i8259", 16)] {
        try output.line("IRQ statistics for \(name):")
        for (number, count) in counts.prefix(inputs).enumerated() where count > 0 {
          try output.line(" \(number): \(count)")
        }
      }
    },
    HumanCommand("pic", help: "the interrupt controllers") { _, monitor, output in
      let state = try monitor.machine.interruptControllers()
      try printIOAPIC(state.ioapic, to: &output)
      for (index, pic) in state.pics.enumerated().reversed() { try printPIC(pic, index, to: &output) }
    },
  ]

  /// Names of delivery modes (82093AA, section 3.2.4).
  private static let deliveryModes = ["fixed", "lowest", "smi", "...", "nmi", "init", "...", "extINT"]

  private static func printIOAPIC(_ ioapic: PlatformState.IOAPIC, to output: inout HumanOutput) throws {
    try output.line(
      "ioapic0: ver=0x20 id=0x\(Digits.hex(ioapic.id, 2)) sel=0x\(Digits.hex(ioapic.registerSelect, 2))")
    for (pin, entry) in ioapic.redirection.enumerated() {
      let isLogical = entry >> 11 & 1 != 0
      let destination = entry >> 56 & (isLogical ? 0xFF : 0xF)
      try output.line(
        "  pin \(Digits.leftAligned(String(pin), 2)) 0x\(Digits.hex(entry, 16)) "
          + "dest=\(String(destination, radix: 16)) vec=\(Digits.leftAligned(String(entry & 0xFF), 3)) "
          + "\(entry >> 13 & 1 != 0 ? "active-lo" : "active-hi") "
          + "\(Digits.leftAligned(entry >> 15 & 1 != 0 ? "level" : "edge", 5)) "
          + "\(Digits.leftAligned(entry >> 16 & 1 != 0 ? "masked" : "", 6)) "
          + "\(Digits.leftAligned(deliveryModes[Int(entry >> 8 & 7)], 6)) "
          + "\(isLogical ? "logical" : "physical")")
    }
    let requested = (0..<24).filter { ioapic.irr >> UInt32($0) & 1 != 0 }
    let remote = ioapic.redirection.indices.filter { ioapic.redirection[$0] >> 14 & 1 != 0 }
    try output.line("  IRR      \(list(requested))")
    try output.line("  Remote IRR \(list(remote))")
  }

  private static func list(_ numbers: [Int]) -> String {
    numbers.isEmpty ? "(none)" : numbers.map(String.init).joined(separator: " ")
  }

  private static func printPIC(_ pic: PlatformState.PIC, _ index: Int, to output: inout HumanOutput) throws {
    try output.line(
      "pic\(index): irr=\(Digits.hex(pic.irr, 2)) imr=\(Digits.hex(pic.imr, 2)) "
        + "isr=\(Digits.hex(pic.isr, 2)) hprio=\(pic.priorityAdd) irq_base=\(Digits.hex(pic.irqBase, 2)) "
        + "rr_sel=\(pic.readRegisterSelect) elcr=\(Digits.hex(pic.elcr, 2)) fnm=\(pic.specialFullyNested)")
  }
}
