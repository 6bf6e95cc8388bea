// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-serial -parallel -debugcon -chardev`.
  mutating func configureCharacters() throws(OptionError) {
    let given = options.characters
    for text in given.chardev {
      var list = try PropertyList(text, option: "-chardev", implied: "kind")
      let kind = list.take("kind") ?? ""
      guard let id = list.take("id") else { throw OptionError("-chardev \(text): id= is missing") }
      var port = kind
      if kind == "file" {
        guard let path = list.take("path") else { throw OptionError("-chardev file: path= is missing") }
        port = "file:\(path)"
      }
      try list.finish()
      guard namedPorts.updateValue(port, forKey: id) == nil else {
        throw OptionError("-chardev: there are two with id=\(id)")
      }
    }
    guard given.serial.count <= 4 else {
      throw OptionError("-serial: there is room for four serial ports only")
    }
    guard given.parallel.count <= 1 else {
      throw OptionError("-parallel: there is room for one parallel port only")
    }
    for text in given.serial {
      configuration.serials.append(text == "none" ? nil : try port(text, option: "-serial"))
    }
    if given.serial.isEmpty && !options.machine.noDefaults {
      configuration.serials = [options.display.noGraphic ? "mon:stdio" : "null"]
    }
    if let text = given.parallel.first, text != "none" {
      configuration.parallel = try port(text, option: "-parallel")
    } else if given.parallel.isEmpty && !options.machine.noDefaults {
      configuration.parallel = "null"
    }
    for text in given.debugcon where text != "none" {
      try addDebugConsole("", port: try port(text, option: "-debugcon"), option: "-debugcon")
    }
  }

  /// The port that `text` names, also by `chardev:ID`.
  func port(_ text: String, option: String) throws(OptionError) -> String {
    guard text.hasPrefix("chardev:") else { return text }
    let id = String(text.dropFirst("chardev:".count))
    guard let port = namedPorts[id] else {
      throw OptionError("\(option): there is no -chardev with id=\(id)\(didYouMean(id, in: namedPorts.keys))")
    }
    return port
  }

  /// `-device`.
  mutating func configureDevices() throws(OptionError) {
    for text in options.machine.device {
      let name = String(text.prefix { $0 != "," })
      let own = String(text.dropFirst(name.count + 1))
      let driver = try DeviceCatalog.driver(name, option: "-device")
      guard driver.canBeAdded else {
        throw OptionError("-device \(name): it is part of the board; set its properties with -global")
      }
      switch name {
      case "isa-debugcon": try addDebugConsole(own, port: nil, option: "-device \(name)")
      default: try addDebugExit(own)
      }
    }
  }

  private mutating func addDebugConsole(_ own: String, port: String?, option: String) throws(OptionError) {
    var list = try globals.list(for: "isa-debugcon", own: own, option: option)
    _ = list.take("driver")
    let chardev = list.take("chardev")
    var target = port
    if let chardev { target = try self.port("chardev:\(chardev)", option: option) }
    guard let target else { throw OptionError("\(option): chardev= is missing") }
    var console = DebugConsoleConfiguration(port: target)
    console.ioBase = UInt16(try list.takeInteger("iobase", in: 0...0xFFFF) ?? 0xE9)
    console.readback = UInt8(try list.takeInteger("readback", in: 0...0xFF) ?? 0xE9)
    _ = list.take("id")
    try list.finish()
    configuration.debugConsoles.append(console)
  }

  private mutating func addDebugExit(_ own: String) throws(OptionError) {
    var list = try globals.list(for: "isa-debug-exit", own: own, option: "-device isa-debug-exit")
    _ = list.take("driver")
    var exit = DebugExitConfiguration()
    exit.ioBase = UInt16(try list.takeInteger("iobase", in: 0...0xFFFF) ?? 0x501)
    exit.ioSize = try list.takeInteger("iosize", in: 1...4) ?? 2
    guard exit.ioSize != 3 else { throw OptionError("-device isa-debug-exit: iosize=3 must be 1, 2 or 4") }
    _ = list.take("id")
    try list.finish()
    configuration.debugExits.append(exit)
  }
}
