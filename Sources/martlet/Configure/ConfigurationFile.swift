// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import OptionSyntax

/// A file of options (`-readconfig`, `-writeconfig`), in QEMU's form: `[section "id"]`, then `key = "value"`.
///
/// The sections are QEMU's where it has them. `[martlet]` holds the options that have no properties, by their names:
/// `nodefaults = "on"`, `vnc = ":1"`; it may name one several times. In a value, two quotation marks are one.
enum ConfigurationFile {
  /// An option that has a section of its own.
  private struct Section {
    let name: String
    let option: String
    /// The key of what the option says first without a name.
    let implied: String?
    /// The key that stands beside the section's name.
    var id: String? = "id"
  }

  private static let sections = [
    Section(name: "machine", option: "machine", implied: "type"),
    Section(name: "accel", option: "accel", implied: "accel"),
    Section(name: "memory", option: "m", implied: "size"),
    Section(name: "smp-opts", option: "smp", implied: "cpus"),
    Section(name: "name", option: "name", implied: "guest"),
    Section(name: "overcommit", option: "overcommit", implied: nil),
    Section(name: "rtc", option: "rtc", implied: nil),
    Section(name: "icount", option: "icount", implied: "shift"),
    Section(name: "boot-opts", option: "boot", implied: "order"),
    Section(name: "smbios", option: "smbios", implied: nil),
    Section(name: "fw_cfg", option: "fw_cfg", implied: "name"),
    Section(name: "action", option: "action", implied: nil),
    Section(name: "msg", option: "msg", implied: "timestamp"),
    Section(name: "sandbox", option: "sandbox", implied: "enable"),
    Section(name: "object", option: "object", implied: "qom-type"),
    Section(name: "add-fd", option: "add-fd", implied: nil),
    Section(name: "chardev", option: "chardev", implied: "backend"),
    Section(name: "audiodev", option: "audiodev", implied: "driver"),
    Section(name: "netdev", option: "netdev", implied: "type"),
    Section(name: "nic", option: "nic", implied: "type"),
    Section(name: "net", option: "net", implied: "type"),
    Section(name: "blockdev", option: "blockdev", implied: "driver", id: "node-name"),
    Section(name: "drive", option: "drive", implied: "file"),
    Section(name: "global", option: "global", implied: nil),
    Section(name: "device", option: "device", implied: "driver"),
    Section(name: "mon", option: "mon", implied: "chardev"),
  ]
  private static let own = "martlet"
  /// What is not about the machine.
  private static let left = ["readconfig", "writeconfig", "print-config"]

  // MARK: Reading

  /// The arguments with what the files of `-readconfig` say in the place of that option.
  static func expanding(_ arguments: [String]) throws(OptionError) -> [String] {
    guard arguments.contains(where: { $0.contains("readconfig") }) else { return arguments }
    return OptionTable.joined(try expanding(try OptionTable.split(arguments)))
  }

  /// The file that stands for these arguments, which the parser has understood.
  static func text(_ arguments: [String]) throws(OptionError) -> String {
    try text(try OptionTable.split(arguments))
  }

  /// Puts what the files of `-readconfig` say in the place of that option, and rewrites all options so that a value that
  /// begins with a dash is one.
  static func expanding(_ given: [OptionTable.Given]) throws(OptionError) -> [OptionTable.Given] {
    var result: [OptionTable.Given] = []
    for option in given {
      guard option.name == "readconfig", let path = option.value else {
        result.append(option)
        continue
      }
      guard let bytes = HostFile.read(path) else {
        throw OptionError("-readconfig: cannot read '\(path)': \(String(cString: strerror(errno)))")
      }
      result += try options(in: String(decoding: bytes, as: UTF8.self), name: path)
    }
    return result
  }

  /// The options that the text of a file stands for.
  /// - Parameter name: what it is called in messages.
  static func options(in text: String, name: String) throws(OptionError) -> [OptionTable.Given] {
    var reader = ConfigurationReader(text, name: name)
    var result: [OptionTable.Given] = []
    var section: (section: Section?, id: String?, values: [(String, String)])?
    func finish() {
      guard let (kind, id, values) = section, let kind else { return }
      result.append(OptionTable.Given(name: kind.option, value: Self.value(kind, id: id, values)))
    }
    while let line = try reader.next() {
      switch line {
      case .section(let title, let id):
        finish()
        let known = sections.first { $0.name == title }
        guard title == own || known.map({ OptionTable.declaration(named: $0.option) != nil }) ?? false else {
          throw reader.error(
            "there is no section [\(title)]\(didYouMean(title, in: sections.map(\.name) + [own]))")
        }
        guard id == nil || known?.id != nil else { throw reader.error("[\(title)] has no id") }
        section = (known, id, [])
      case .value(let key, let value):
        guard let (kind, _, _) = section else { throw reader.error("'\(key)' is in no section") }
        if kind == nil {
          if let option = try ownOption(key, value, reader) { result.append(option) }
        } else {
          section?.values.append((key, value))
        }
      }
    }
    finish()
    return result
  }

  /// A line of `[martlet]`; nil for one that switches something off.
  private static func ownOption(_ key: String, _ value: String, _ reader: ConfigurationReader)
    throws(OptionError)
    -> OptionTable.Given?
  {
    guard let option = OptionTable.declaration(named: key), !left.contains(option.name) else {
      let known = OptionTable.declarations.map(\.name).filter { !left.contains($0) }
      throw reader.error("there is no option '\(key)'\(didYouMean(key, in: known))")
    }
    guard option.valueName == nil else { return OptionTable.Given(name: option.name, value: value) }
    switch value {
    case "on", "yes", "true": return OptionTable.Given(name: option.name, value: nil)
    case "off", "no", "false": return nil
    default: throw reader.error("\(key) = \"\(value)\" must be on or off")
    }
  }

  /// The value of an option as one writes it behind its name. What is implied comes first, as some need it there.
  private static func value(_ section: Section, id: String?, _ values: [(String, String)]) -> String {
    var pairs = values
    if let id, let key = section.id { pairs.append((key, id)) }
    if section.option == "global", let index = pairs.firstIndex(where: { $0.0 == "driver" }) {
      pairs.insert(pairs.remove(at: index), at: 0)
    }
    return pairs.enumerated().map { index, pair in
      let value = pair.1.replacing(",", with: ",,")
      // Some understand a word only where it stands alone: '-nic none'.
      let isPlain = !value.isEmpty && !value.contains("=") && !value.hasPrefix("{")
      return index == 0 && pair.0 == section.implied && isPlain ? value : "\(pair.0)=\(value)"
    }.joined(separator: ",")
  }

  // MARK: Writing

  /// The file that stands for these options, without the data of secrets. They are well formed.
  static func text(_ given: [OptionTable.Given]) throws(OptionError) -> String {
    var text = "# Options of martlet: 'martlet -readconfig FILE' starts the same machine.\n"
    let simple = given.filter { option in
      !left.contains(option.name) && !sections.contains { $0.option == option.name }
    }
    if !simple.isEmpty {
      text += "\n[\(own)]\n"
      for option in simple { text += line(option.name, option.value ?? "on") }
    }
    for option in given {
      guard let section = sections.first(where: { $0.option == option.name }), let value = option.value else {
        continue
      }
      var pairs = try properties(section, value)
      var id: String?
      if let key = section.id, let index = pairs.lastIndex(where: { $0.key == key }),
        isName(pairs[index].value)
      {
        id = pairs[index].value
        pairs.removeAll { $0.key == key }
      }
      text += "\n[\(section.name)\(id.map { " \"\($0)\"" } ?? "")]\n"
      let isSecret = section.option == "object" && pairs.contains { $0 == ("qom-type", "secret") }
      for pair in pairs {
        text += isSecret && pair.key == "data" ? hidden : line(pair.key, pair.value)
      }
    }
    return text
  }

  private static func properties(_ section: Section, _ value: String) throws(OptionError) -> [(
    key: String, value: String
  )] {
    if section.option == "global", !value.hasPrefix("driver=") {
      let (driver, property, value) = try GlobalProperties.split(value)
      return [("driver", driver), ("property", property), ("value", value)]
    }
    return try PropertyList(anySpelling: value, option: "-\(section.option)", implied: section.implied)
      .spelledOut
  }

  /// What stands in the place of a secret: monitors and files are read by others.
  private static let hidden = "  # data is not told; file = \"PATH\" is what can stand here\n"

  /// Whether a section's name can have it beside it.
  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && ![0x22, 0x5B, 0x5D].contains($0) }
  }

  private static func line(_ key: String, _ value: String) -> String {
    "  \(key) = \"\(value.replacing("\"", with: "\"\""))\"\n"
  }
}

/// Reads a file of options piece by piece.
struct ConfigurationReader {
  enum Line {
    case section(String, id: String?)
    case value(key: String, String)
  }

  private let name: String
  private var rest: Substring.UnicodeScalarView
  private var lineNumber = 1

  init(_ text: String, name: String) {
    self.name = name
    rest = text[...].unicodeScalars
  }

  func error(_ message: String) -> OptionError { OptionError("\(name):\(lineNumber): \(message)") }

  /// The next section or value; nil at the end.
  mutating func next() throws(OptionError) -> Line? {
    while true {
      skip { $0.properties.isWhitespace }
      guard let first = rest.first else { return nil }
      guard first == "#" else { return first == "[" ? try section() : try value() }
      skip { $0 != "\n" }
    }
  }

  private mutating func skip(_ condition: (Unicode.Scalar) -> Bool) { _ = take(condition) }

  private mutating func take(_ condition: (Unicode.Scalar) -> Bool) -> String {
    let taken = rest.prefix(while: condition)
    rest = rest[taken.endIndex...]
    lineNumber += taken.reduce(0) { $0 + ($1 == "\n" ? 1 : 0) }
    return String(taken)
  }

  private mutating func skipBlanks() { skip { $0 == " " || $0 == "\t" } }

  private mutating func section() throws(OptionError) -> Line {
    rest.removeFirst()
    skipBlanks()
    let title = take { $0 != "]" && $0 != "\"" && !$0.properties.isWhitespace }
    skipBlanks()
    var id: String?
    if rest.first == "\"" {
      rest.removeFirst()
      id = take { $0 != "\"" && $0 != "\n" }
      guard rest.popFirst() == "\"" else { throw error("the id of [\(title)] has no end") }
      skipBlanks()
    }
    guard rest.popFirst() == "]", !title.isEmpty else {
      throw error("a section is written [name] or [name \"id\"]")
    }
    try endLine()
    return .section(title, id: id)
  }

  private mutating func value() throws(OptionError) -> Line {
    let key = take { $0 != "=" && !$0.properties.isWhitespace }
    skipBlanks()
    guard rest.popFirst() == "=", !key.isEmpty else { throw error("a value is written key = \"value\"") }
    skipBlanks()
    guard rest.popFirst() == "\"" else {
      throw error("the value of '\(key)' needs quotation marks around it")
    }
    var text = ""
    while true {
      text += take { $0 != "\"" }
      guard rest.popFirst() != nil else { throw error("the value of '\(key)' has no end") }
      // Two are one; one is the end.
      guard rest.first == "\"" else { break }
      rest.removeFirst()
      text += "\""
    }
    try endLine()
    return .value(key: key, text)
  }

  private mutating func endLine() throws(OptionError) {
    skipBlanks()
    if rest.first == "#" { skip { $0 != "\n" } }
    if rest.first == "\r" { rest.removeFirst() }
    guard rest.isEmpty || rest.first == "\n" else { throw error("there is something behind the end of this") }
  }
}
