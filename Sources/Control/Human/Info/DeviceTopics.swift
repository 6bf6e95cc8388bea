// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Machine
import PCI

extension HumanCommands {
  /// Devices.
  static let deviceTopics: [HumanCommand] = [
    HumanCommand("pci", help: "the PCI devices and their addresses") { _, monitor, output in
      for function in monitor.machine.pciFunctions { try print(function, to: &output) }
    },
    HumanCommand("qtree", help: "the devices and the buses they sit on") { _, monitor, output in
      try DeviceTree(machine: monitor.machine).print(to: &output)
    },
    HumanCommand(
      "block",
      [
        HumanArgument("nodes", .flag("n")), HumanArgument("verbose", .flag("v")),
        HumanArgument("device", .drive, optional: true),
      ], "[-n] [-v] [device]", help: "the drives and what is in them (-v: with the images)"
    ) { arguments, monitor, output in
      var drives = monitor.machine.drives
      if let name = arguments.texts["device"] {
        drives = [try monitor.machine.drive(named: name)]
      } else if arguments.has("n") {
        drives = drives.filter { $0.medium != nil }
      }
      for (index, drive) in drives.enumerated() {
        if index > 0 { try output.line() }
        try print(drive, isVerbose: arguments.has("v"), to: &output)
      }
    },
    HumanCommand("blockstats", help: "what the drives have done") { _, monitor, output in
      for drive in monitor.machine.drives {
        let counts = drive.statistics
        try output.line(
          "\(drive.name): rd_bytes=\(counts.reads.bytes) wr_bytes=\(counts.writes.bytes) "
            + "rd_operations=\(counts.reads.operations) wr_operations=\(counts.writes.operations) "
            + "flush_operations=\(counts.flushes.operations)")
      }
    },
    HumanCommand("mice", help: "the mouse that moves") { _, monitor, output in
      let kind = monitor.machine.input.isAbsolute ? " (absolute)" : ""
      try output.line("* Mouse #\(mouseIndex): QEMU PS/2 Mouse\(kind)")
    },
    HumanCommand("usb", help: "what is on the USB") { _, monitor, output in
      guard monitor.machine.hasUSB else { throw HumanError.failed("USB support not enabled") }
      for device in monitor.machine.usbDevices {
        let id = device.id.map { ", ID: \($0)" } ?? ""
        try output.line(
          "  Device \(device.bus).\(device.address), Port \(device.port), Speed \(device.speed) Mb/s, "
            + "Product \(device.product)\(id)")
      }
    },
  ]

  private static func print(_ function: PCIFunction, to output: inout HumanOutput) throws {
    let address = function.address
    try output.line(
      "  Bus  0, device \(Digits.padded(String(address.device), 3)), function \(address.function):")
    let identity = function.identity
    try output.line(
      "    \(PCIDescription.name(ofClass: identity.classCode >> 8)): PCI device "
        + "\(Digits.hex(identity.vendor, 4)):\(Digits.hex(identity.device, 4))")
    let (subvendor, subsystem) = (function[0x2C, as: UInt16.self], function[0x2E, as: UInt16.self])
    if subvendor != 0 || subsystem != 0 {
      try output.line("      PCI subsystem \(Digits.hex(subvendor, 4)):\(Digits.hex(subsystem, 4))")
    }
    if function.interruptPin != 0 {
      let pin = UnicodeScalar(UInt8(ascii: "A") &+ (function.interruptPin &- 1) & 3)
      try output.line(
        "      IRQ \(function[PCIConfigurationOffset.interruptLine, as: UInt8.self]), pin \(pin)")
    }
    for region in function.regions {
      let start = region.base ?? UInt64.max
      let end = start &+ region.byteCount &- 1
      if region.isMemory {
        let kind = "\(region.is64Bit ? 64 : 32) bit\(region.isPrefetchable ? " prefetchable" : "")"
        try output.line(
          "      BAR\(region.index): \(kind) memory at 0x\(Digits.hex(start, 8)) [0x\(Digits.hex(end, 8))].")
      } else {
        try output.line(
          "      BAR\(region.index): I/O at 0x\(Digits.hex(start, 4)) [0x\(Digits.hex(end, 4))].")
      }
    }
    try output.line("      id \"\"")
  }

  private static func print(_ drive: Drive, isVerbose: Bool, to output: inout HumanOutput) throws {
    let medium = drive.medium
    // A drive whose image has a name of its own has none itself.
    let place = drive.deviceID ?? ObjectTree.path(ofDrive: drive.name)
    let node = drive.nodeName ?? "#\(drive.name)"
    if let medium {
      let name = drive.isAnonymous ? node : "\(drive.name) (\(node))"
      try output.line("\(name): \(medium.label) (raw\(medium.isReadOnly ? ", read-only" : ""))")
    } else {
      try output.line("\(!drive.isAnonymous ? drive.name : place): [not inserted]")
    }
    try output.line("    Attached to:      \(place)")
    if drive.isStopped { try output.line("    I/O status:       failed") }
    if drive.kind == .cdrom {
      try output.line(
        "    Removable device: \(drive.isLocked ? "" : "not ")locked, tray \(drive.isTrayOpen ? "open" : "closed")"
      )
    }
    guard let medium else { return }
    let cache = drive.cache
    try output.line(
      "    Cache mode:       \(cache.isWriteThrough ? "writethrough" : "writeback")"
        + "\(cache.isDirect ? ", direct" : "")\(cache == .unsafe ? ", ignore flushes" : "")")
    if isVerbose {
      try output.line(
        "\nImages:\nimage: \(medium.label)\nfile format: raw\n"
          + "virtual size: \(size(medium.byteCount)) (\(medium.byteCount) bytes)")
    }
  }

  /// A size with three digits that matter.
  static func size(_ byteCount: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var (value, unit) = (Double(byteCount), 0)
    while value >= 1000, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    let scale: Double = value < 10 ? 100 : value < 100 ? 10 : 1
    let rounded = (value * scale).rounded() / scale
    let text = rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    return "\(text) \(units[unit])"
  }
}
