// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM

/// Where the global system interrupts of a PC end: 0 … 15 at the 8259 pair and at the IOAPIC, 16 … 23 at the
/// IOAPIC alone. The timer's IRQ 0 is at the IOAPIC's pin 2, where the 8259s' cascade would be, as the
/// interrupt source override of the MADT says.
enum KVMInterruptRouting {
  static let lineCount = 24

  static var standard: [kvm_irq_routing_entry] {
    var routes: [kvm_irq_routing_entry] = []
    for line in 0..<16 {
      let chip = line < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE
      routes.append(route(line, to: chip, pin: line % 8))
    }
    for line in 0..<lineCount where line != 2 {
      routes.append(route(line, to: KVM_IRQCHIP_IOAPIC, pin: line == 0 ? 2 : line))
    }
    return routes
  }

  private static func route(_ line: Int, to chip: Int32, pin: Int) -> kvm_irq_routing_entry {
    var entry = kvm_irq_routing_entry()
    entry.gsi = UInt32(line)
    entry.type = UInt32(KVM_IRQ_ROUTING_IRQCHIP)
    entry.u.irqchip.irqchip = UInt32(bitPattern: chip)
    entry.u.irqchip.pin = UInt32(pin)
    return entry
  }
}
