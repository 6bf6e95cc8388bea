// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-serial -parallel -debugcon -chardev`.
  mutating func configureCharacters() throws(OptionError) {
    let given = options.characters
    for text in given.chardev { try addCharacterDevice(text) }
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
    // Who shares a terminal with the monitor needs a monitor.
    for text in Set(configuration.serials.compactMap { $0 } + [configuration.parallel].compactMap { $0 })
      .sorted()
    where text.hasPrefix("mon:") {
      configuration.monitors.append(
        MonitorConfiguration(mode: .readline, port: text, label: "monitor on \(text)"))
    }
    for text in given.debugcon where text != "none" {
      var list = globals.properties(of: "isa-debugcon", option: "-debugcon")
      try addDebugConsole(&list, port: try port(text, option: "-debugcon"))
    }
  }

  /// The port that `text` names, also by `chardev:ID`.
  func port(_ text: String, option: String) throws(OptionError) -> String {
    guard text.hasPrefix("chardev:") else { return text }
    let id = String(text.dropFirst("chardev:".count))
    let known = configuration.characterDevices.map(\.id)
    guard known.contains(id) else {
      throw OptionError("\(option): there is no -chardev with id=\(id)\(didYouMean(id, in: known))")
    }
    return text
  }

  /// `-chardev`.
  private mutating func addCharacterDevice(_ text: String) throws(OptionError) {
    var list = try PropertyList(anySpelling: text, option: "-chardev", implied: "backend")
    let kind = list.take("backend") ?? ""
    guard let id = list.take("id") else { throw OptionError("-chardev \(text): id= is missing") }
    guard !configuration.characterDevices.contains(where: { $0.id == id }) else {
      throw OptionError("-chardev: there are two with id=\(id)")
    }
    var device = CharacterDeviceConfiguration(
      id: id, specification: try specification(kind, &list).withLog(&list))
    device.isShared = try list.takeFlag("mux") ?? false
    try list.finish()
    configuration.characterDevices.append(device)
  }

  /// The kinds that `-chardev` knows.
  static let backEnds = ["null", "stdio", "pty", "file", "pipe", "ringbuf", "socket", "vc"]

  /// The text of `-chardev help`.
  static var characterDeviceHelp: String {
    "Available chardev backend types:\n" + backEnds.sorted().map { "  \($0)\n" }.joined()
  }

  private func specification(_ kind: String, _ list: inout PropertyList) throws(OptionError)
    -> CharacterPortSpecification
  {
    func path() throws(OptionError) -> String {
      guard let path = list.take("path"), !path.isEmpty else {
        throw OptionError("-chardev \(kind): path= is missing")
      }
      return path
    }
    switch kind {
    case "null", "vc": return .null
    case "stdio": return .stdio(keepsSignals: try list.takeFlag("signal") ?? true)
    case "pty": return .pty
    case "file": return .file(path: try path(), appends: try list.takeFlag("append") ?? false)
    case "pipe": return .pipe(path: try path())
    case "ringbuf", "memory":
      let size = try list.takeInteger("size", in: 1...(64 << 20)) ?? 65536
      guard size & (size - 1) == 0 else {
        throw OptionError("-chardev ringbuf: size=\(size) must be a power of two")
      }
      return .ringBuffer(byteCount: size)
    case "socket": return .socket(try SocketSettings(&list, address: nil))
    default:
      throw OptionError(
        "-chardev: there is no kind '\(kind)'\(didYouMean(kind, in: Self.backEnds)); there are "
          + Self.backEnds.joined(separator: ", "))
    }
  }
}
