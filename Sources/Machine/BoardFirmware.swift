// SPDX-License-Identifier: GPL-2.0-or-later

import Chipset
import Firmware
import GuestMemory

/// What the firmware is told about the machine.
extension Board {
  /// Fills the firmware configuration device.
  func describeMachine(to device: FirmwareConfigurationDevice, ram: RAMBlock) {
    typealias Item = FirmwareConfigurationItem
    let configuration = self.configuration
    device.set(Item.ramSize, UInt64(ram.byteCount))
    device.set(Item.cpuCount, UInt16(configuration.topology.count))
    device.set(Item.maximumCPUCount, UInt16(configuration.topology.count))
    // Anything but 0 would make the firmware wait for a key.
    device.set(Item.bootMenu, UInt16(configuration.boot.showsMenu ? 1 : 0))
    device.set(Item.noGraphic, UInt16(configuration.vga == nil ? 1 : 0))
    // IRQ 0 arrives at the IOAPIC's pin 2.
    device.set(Item.irq0Override, UInt32(1))
    device.setFile("etc/boot-menu-wait", bytes(UInt64(configuration.boot.menuWaitMilliseconds ?? 0)))
    device.setFile("etc/show-boot-menu", bytes(UInt64(configuration.boot.showsMenu ? 1 : 0)))
    if let milliseconds = configuration.boot.rebootTimeoutMilliseconds {
      device.setFile("etc/boot-fail-wait", bytes(UInt32(milliseconds)))
    }
    device.setFile("bootorder", bootOrder(configuration.boot.once ?? configuration.boot.order))
  }

  private func bootOrder(_ order: String) -> [UInt8] {
    let candidates = configuration.drives.compactMap { drive -> BootOrder.Candidate? in
      guard let position = drive.position else { return nil }
      return BootOrder.Candidate(
        letter: drive.media == .disk ? "c" : "d", index: drive.bootIndex,
        path: BootOrder.path(ofDriveOn: position.channel, unit: position.unit))
    }
    return BootOrder.file(candidates, order: order, isStrict: configuration.boot.isStrict)
  }

  private func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

extension BootConfiguration {
  /// The order in the codes CMOS memory has for it.
  var cmosCodes: [UInt8] {
    let codes: [Character: UInt8] = ["a": 1, "b": 1, "c": 2, "d": 3, "n": 4]
    return (once ?? order).compactMap { codes[$0] }.prefix(3).map { $0 }
  }
}
