// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Machine
import PCI

/// The buses and devices as `info qtree` shows them.
struct DeviceTree {
  let machine: Machine

  func print(to output: inout HumanOutput) throws(HumanError) {
    try output.line("bus: main-system-bus\n  type System\n  dev: i440FX-pcihost, id \"\"")
    try output.line("    bus: pci.0\n      type PCI")
    let functions = machine.pciFunctions
    for function in functions { try print(function, to: &output) }
    // What is not on the PCI bus is behind the ISA bridge.
    let names = Set(functions.map(\.name) + machine.usbDevices.map(\.name))
    try output.line("        bus: isa.0\n          type ISA")
    for name in machine.deviceNames where !names.contains(name) {
      try output.line("          dev: \(name), id \"\"")
    }
  }

  private func print(_ function: PCIFunction, to output: inout HumanOutput) throws(HumanError) {
    let address = function.address
    let place = "\(Digits.hex(UInt8(address.device), 2)).\(address.function)"
    let identity = function.identity
    try output.line("      dev: \(function.name), id \"\"\n        addr = \(place)")
    try output.line(
      "        class \(PCIDescription.name(ofClass: identity.classCode >> 8)), addr 00:\(place), pci id "
        + "\(Digits.hex(identity.vendor, 4)):\(Digits.hex(identity.device, 4)) "
        + "(sub \(Digits.hex(function[0x2C, as: UInt16.self], 4)):"
        + "\(Digits.hex(function[0x2E, as: UInt16.self], 4)))")
    for region in function.regions {
      let start = region.base ?? UInt64.max
      let end = start &+ region.byteCount &- 1
      try output.line(
        "        bar \(region.index): \(region.isMemory ? "mem" : "i/o") at 0x\(String(start, radix: 16)) "
          + "[0x\(String(end, radix: 16))]")
    }
    for bus in machine.usbBuses where bus.address == function.address {
      try output.line("        bus: \(bus.name)\n          type usb-bus")
      for device in machine.usbDevices where device.busName == bus.name {
        try output.line(
          "          dev: \(device.driver), id \"\(device.id ?? "")\"\n            port = \"\(device.port)\"\n"
            + "            addr \(device.bus).\(device.address), port \(device.port), speed \(device.speed), "
            + "name \(device.product), attached")
      }
    }
    guard identity.classCode >> 8 == 0x0101 else { return }
    for (channel, drives) in machine.drivesByChannel.enumerated() {
      try output.line("        bus: ide.\(channel)\n          type IDE")
      for (unit, drive) in drives {
        try output.line(
          "          dev: \(drive.kind == .disk ? "ide-hd" : "ide-cd"), id \"\"\n"
            + "            drive = \"\(drive.name)\"\n            serial = \"\(drive.serial)\"\n"
            + "            unit = \(unit) (0x\(unit))")
      }
    }
  }
}

extension Machine {
  /// The drives on each of the two IDE channels, with their places there.
  fileprivate var drivesByChannel: [[(unit: Int, drive: Drive)]] {
    (0..<2).map { channel in
      zip(drives, configuration.drives).compactMap { drive, settings in
        guard let position = settings.position, position.channel == channel else { return nil }
        return (position.unit, drive)
      }
    }
  }
}
