// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-device`.
  mutating func configureDevices() throws(OptionError) {
    for text in options.machine.device {
      var given = try PropertyList(anySpelling: text, option: "-device", implied: "driver")
      guard let name = given.take("driver") else { throw OptionError("-device \(text): driver= is missing") }
      let driver = try DeviceCatalog.driver(name, option: "-device")
      let option = "-device \(name)"
      var list = globals.properties(of: name, own: given, option: option)
      let id = list.take("id")
      if let id {
        guard deviceIDs.insert(id).inserted else {
          throw OptionError("\(option): there are two with id=\(id)")
        }
        configuration.namedDevices.append(NamedDevice(id: id, driver: driver.name))
      }
      switch driver.name {
      case "ide-hd": try addDrive(.disk, id: id, &list)
      case "ide-cd": try addDrive(.cdrom, id: id, &list)
      case "isa-serial": try addSerialPort(&list)
      case "isa-parallel": try addParallelPort(&list)
      case "isa-debugcon":
        guard let chardev = list.take("chardev") else { throw OptionError("\(option): chardev= is missing") }
        try addDebugConsole(&list, port: try port("chardev:\(chardev)", option: option))
      case "isa-debug-exit": try addDebugExit(&list)
      case "pvpanic": try addPanicDevice(&list)
      case "VGA": try addGraphicsCard(&list)
      default:
        if let model = NetworkCardConfiguration.Model(named: name) {
          try addNetworkCard(model, id: id, &list)
        } else if let model = USBDeviceConfiguration.Model(rawValue: name) {
          try addUSBDevice(model, id: id, &list)
        } else if let model = USBControllerConfiguration.Model(named: name) {
          try addUSBController(model, id: id, &list)
        } else {
          throw OptionError("\(option): it cannot be added")
        }
      }
      try list.finish()
    }
  }

  // MARK: Drives

  private mutating func addDrive(_ media: Drive.Kind, id: String?, _ list: inout PropertyList)
    throws(OptionError)
  {
    var drive: DriveConfiguration
    if let name = list.take("drive") {
      guard let back = backEnds.removeValue(forKey: name) else {
        throw OptionError(
          "\(list.option): there is no -drive with id=\(name) nor -blockdev with node-name=\(name) that is free"
            + didYouMean(name, in: backEnds.keys))
      }
      drive = back
      drive.media = media
      if media == .cdrom { drive.image.isReadOnly = true }
    } else {
      guard media == .cdrom else { throw OptionError("\(list.option): drive= is missing") }
      drive = DriveConfiguration(file: nil, media: media)
    }
    drive.deviceID = id
    let unit = try list.takeInteger("unit", in: 0...1)
    switch list.take("bus") {
    case "ide.0": drive.position = .init(channel: 0, unit: unit ?? freeUnit(onChannel: 0) ?? 0)
    case "ide.1": drive.position = .init(channel: 1, unit: unit ?? freeUnit(onChannel: 1) ?? 0)
    case nil:
      let channel = [0, 1].first { channel in
        unit.map { isFree(channel, $0) } ?? (freeUnit(onChannel: channel) != nil)
      }
      guard let channel else { throw OptionError("\(list.option): there is no free place for it on IDE") }
      drive.position = .init(channel: channel, unit: unit ?? freeUnit(onChannel: channel) ?? 0)
    case let bus?:
      throw OptionError("\(list.option): there is no bus '\(bus)'\(didYouMean(bus, in: ["ide.0", "ide.1"]))")
    }
    guard let position = drive.position, isFree(position.channel, position.unit) else {
      throw OptionError("\(list.option): the place bus=ide.\(drive.position?.channel ?? 0) is taken")
    }
    drive.writeErrorPolicy = try list.takeChoice("werror") ?? drive.writeErrorPolicy
    drive.readErrorPolicy = try list.takeChoice("rerror") ?? drive.readErrorPolicy
    guard drive.readErrorPolicy != .enospc else {
      throw OptionError("\(list.option): rerror=enospc makes no sense for reads")
    }
    if let serial = list.take("serial") { drive.serial = try checkedSerial(serial, option: list.option) }
    if let version = list.take("ver") {
      drive.firmwareVersion = try checkedVersion(version, option: list.option)
    }
    drive.bootIndex = try list.takeInteger("bootindex", in: 0...65535) ?? drive.bootIndex
    configuration.drives.append(drive)
    configuration.drives.sort { ($0.position?.index ?? 0) < ($1.position?.index ?? 0) }
  }

  private func isFree(_ channel: Int, _ unit: Int) -> Bool {
    !configuration.drives.contains { $0.position == .init(channel: channel, unit: unit) }
  }

  private func freeUnit(onChannel channel: Int) -> Int? { [0, 1].first { isFree(channel, $0) } }

  // MARK: ISA

  private mutating func addSerialPort(_ list: inout PropertyList) throws(OptionError) {
    guard let chardev = list.take("chardev") else { throw OptionError("\(list.option): chardev= is missing") }
    let target = try port("chardev:\(chardev)", option: list.option)
    var ports = configuration.serials
    let index =
      try list.takeInteger("index", in: 0...3) ?? ports.firstIndex(where: { $0 == nil }) ?? ports.count
    guard index < 4 else { throw OptionError("\(list.option): there is room for four serial ports only") }
    try takeISAPlace(&list, MachineConfiguration.serialPorts[index])
    while ports.count <= index { ports.append(nil) }
    guard ports[index] == nil else {
      throw OptionError(
        "\(list.option): COM\(index + 1) is there already; give another index=, or -serial none")
    }
    ports[index] = target
    configuration.serials = ports
  }

  private mutating func addParallelPort(_ list: inout PropertyList) throws(OptionError) {
    guard let chardev = list.take("chardev") else { throw OptionError("\(list.option): chardev= is missing") }
    guard configuration.parallel == nil else {
      throw OptionError(
        "\(list.option): LPT1 is there already; there is one only ('-parallel none' removes it)")
    }
    _ = try list.takeInteger("index", in: 0...0)
    try takeISAPlace(&list, MachineConfiguration.parallelPort)
    configuration.parallel = try port("chardev:\(chardev)", option: list.option)
  }

  /// Where a port is by its number: it may be said, but not be elsewhere.
  private func takeISAPlace(_ list: inout PropertyList, _ place: (base: UInt16, irq: Int)) throws(OptionError)
  {
    try list.takeFixed("bus", ["isa.0"], because: "there is one ISA bus")
    if let given = try list.takeInteger("iobase", in: 0...0xFFFF), given != Int(place.base) {
      throw OptionError(
        "\(list.option): iobase=0x\(String(given, radix: 16)) is not supported: the port is at 0x\(String(place.base, radix: 16))"
      )
    }
    if let given = try list.takeInteger("irq", in: 0...15), given != place.irq {
      throw OptionError("\(list.option): irq=\(given) is not supported: the port has IRQ \(place.irq)")
    }
  }

  /// A debug console, with what is left of its properties.
  mutating func addDebugConsole(_ list: inout PropertyList, port: String) throws(OptionError) {
    var console = DebugConsoleConfiguration(port: port)
    console.ioBase = UInt16(try list.takeInteger("iobase", in: 0...0xFFFF) ?? 0xE9)
    console.readback = UInt8(try list.takeInteger("readback", in: 0...0xFF) ?? 0xE9)
    configuration.debugConsoles.append(console)
  }

  private mutating func addDebugExit(_ list: inout PropertyList) throws(OptionError) {
    var exit = DebugExitConfiguration()
    exit.ioBase = UInt16(try list.takeInteger("iobase", in: 0...0xFFFF) ?? 0x501)
    exit.ioSize = try list.takeInteger("iosize", in: 1...4) ?? 2
    guard exit.ioSize != 3 else { throw OptionError("\(list.option): iosize=3 must be 1, 2 or 4") }
    configuration.debugExits.append(exit)
  }

  private mutating func addPanicDevice(_ list: inout PropertyList) throws(OptionError) {
    guard configuration.panicDevice == nil else { throw OptionError("\(list.option): there is one already") }
    var panic = PanicDeviceConfiguration()
    panic.ioBase = UInt16(try list.takeInteger("ioport", in: 1...0xFFFF) ?? 0x505)
    panic.events = UInt8(try list.takeInteger("events", in: 0...0xFF) ?? 3)
    configuration.panicDevice = panic
  }

  // MARK: PCI

  private mutating func addGraphicsCard(_ list: inout PropertyList) throws(OptionError) {
    guard options.display.vga == "none" || options.machine.noDefaults && options.display.vga == nil else {
      throw OptionError("\(list.option): there is a graphics card already; '-vga none' leaves it out")
    }
    try list.takeFixed("bus", ["pci.0", "pci"], because: "there is one PCI bus")
    let address = list.take("addr")
    guard address.map({ ["2", "02", "0x2", "02.0", "2.0"].contains($0) }) ?? true else {
      throw OptionError("\(list.option): the graphics card is at addr=02.0, nowhere else")
    }
    configuration.vga = try graphicsCard(&list)
  }
}
