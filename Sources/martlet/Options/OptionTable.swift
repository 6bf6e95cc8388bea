// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import OptionSyntax

/// One option, as its declaration has it.
struct OptionDeclaration {
  /// The name it is known by, without dashes: "hda".
  let name: String
  /// All names with the dashes that QEMU's users write.
  let spellings: [String]
  /// What stands behind it; nil if nothing does.
  let valueName: String?
  /// What it is for.
  let about: String
  /// The group it is in: "Drives".
  let topic: String
  /// Whether each time it is given counts.
  let isRepeating: Bool
}

/// All options, read from their declarations: for configuration files, the manual, and the completion of shells.
enum OptionTable {
  /// An option as it was given. An image without an option is `hda`'s.
  struct Given: Equatable {
    let name: String
    /// Nil for an option that has none.
    let value: String?
  }

  /// In the order of the help.
  static let declarations: [OptionDeclaration] = {
    // What the parser tells programs that generate manuals.
    guard let help = try? JSONValue(parsing: Martlet._dumpHelp()),
      let arguments = help["command"]?["arguments"]?.array
    else { return [] }
    return arguments.compactMap { argument in
      guard let kind = argument["kind"]?.string, kind != "positional",
        argument["shouldDisplay"]?.bool != false,
        let names = argument["names"]?.array
      else { return nil }
      let spellings = names.compactMap { name -> String? in
        guard let text = name["name"]?.string else { return nil }
        return name["kind"]?.string == "long" ? "--" + text : "-" + text
      }
      // The first with one dash, if there is one: of -M and -machine the longer.
      let single = spellings.filter { !$0.hasPrefix("--") }
      guard let main = single.max(by: { $0.count < $1.count }) ?? spellings.first else { return nil }
      let name = String(main.drop { $0 == "-" })
      guard name != "help", name != "h" else { return nil }
      return OptionDeclaration(
        name: name, spellings: single.isEmpty ? spellings : single,
        valueName: kind == "option" ? argument["valueName"]?.string ?? "value" : nil,
        about: argument["abstract"]?.string ?? "", topic: argument["sectionTitle"]?.string ?? "",
        isRepeating: argument["isRepeating"]?.bool ?? false)
    }
  }()

  private static let bySpelling: [String: OptionDeclaration] = {
    var result: [String: OptionDeclaration] = [:]
    for declaration in declarations {
      for spelling in declaration.spellings {
        result[spelling] = declaration
        if !spelling.hasPrefix("--") { result["-" + spelling] = declaration }
      }
    }
    return result
  }()

  /// The option with a name without dashes.
  static func declaration(named name: String) -> OptionDeclaration? {
    bySpelling["-" + name] ?? bySpelling["--" + name]
  }

  /// Tells options from values.
  static func split(_ arguments: [String]) throws(OptionError) -> [Given] {
    var given: [Given] = []
    var image: String?
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-"), argument.count > 1 else {
        if let image {
          throw OptionError(
            "'\(argument)': '\(image)' is the disk image already; -hdb, -hdc, -hdd and -cdrom are for more")
        }
        image = argument
        given.append(Given(name: "hda", value: argument))
        continue
      }
      if let option = bySpelling[argument] {
        guard option.valueName != nil else {
          given.append(Given(name: option.name, value: nil))
          continue
        }
        guard let value = rest.popFirst() else { throw OptionError("\(argument): its value is missing") }
        given.append(Given(name: option.name, value: value))
      } else if let equals = argument.firstIndex(of: "="),
        let option = bySpelling[String(argument[..<equals])],
        option.valueName != nil
      {
        given.append(Given(name: option.name, value: String(argument[argument.index(after: equals)...])))
      } else {
        let known = bySpelling.keys.filter { !$0.hasPrefix("--") || $0 == "--print-config" }
        throw OptionError(
          "there is no option '\(argument)'\(didYouMean(argument, in: known)); '-help' lists the options")
      }
    }
    return given
  }

  /// The same options as arguments in which a value that begins with a dash is no option.
  static func joined(_ given: [Given]) -> [String] {
    given.map { option in
      let dashes = bySpelling["-" + option.name] == nil ? "--" : "-"
      return dashes + option.name + (option.value.map { "=" + $0 } ?? "")
    }
  }
}
