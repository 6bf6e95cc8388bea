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
      var list = globals.properties(of: "isa-debugcon", option: "-debugcon")
      try addDebugConsole(&list, port: try port(text, option: "-debugcon"))
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
}
