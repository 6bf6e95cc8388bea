// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport

@testable import PCI

/// A PCI function that is a device, with nothing but what every function has.
final class TestFunction: PCIFunction, Device {
  let deviceName = "test-function"
  func reset() { resetConfiguration() }
  func save() -> PCIFunction.State { saveConfiguration() }
  func restore(_ state: PCIFunction.State) throws(RestoreError) { try restoreConfiguration(state) }

  static func make(pin: UInt8 = 1, device: UInt16 = 0x1234) -> TestFunction {
    TestFunction(
      name: "test",
      identity: PCIIdentity(vendor: 0x8086, device: device, revision: 7, classCode: 0x020301),
      interruptPin: pin)
  }
}

/// Registers that remember writes and answer with a pattern.
final class Registers: RegisterFile {
  var writes: [(offset: Int, value: UInt64)] = []
  func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(offset & 0x7F) | 0x80 }
  func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    writes.append((offset, value))
  }

  func window(count: UInt64) -> AddressWindow {
    RegisterWindow(self, (), name: "registers", count: count)
  }

  func region(count: UInt64) -> MemoryRegion {
    MemoryRegion(window: window(count: count), base: GuestAddress(UInt64(0)))
  }
}

/// Narrow accesses to the CONFIG_DATA ports.
extension TestBoard {
  func select(_ address: PCIAddress, _ register: Int) {
    outl(
      0xCF8,
      0x8000_0000 | UInt32(address.device) << 11 | UInt32(address.function) << 8 | UInt32(register & 0xFC))
  }

  func enable(_ address: PCIAddress, _ command: PCICommand) {
    select(address, PCIConfigurationOffset.command)
    outw(0xCFC, command.rawValue)
  }
}
