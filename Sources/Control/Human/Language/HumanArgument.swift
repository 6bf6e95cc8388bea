// SPDX-License-Identifier: GPL-2.0-or-later

/// A part of a command's line: how it is read, and what completes it.
struct HumanArgument: Sendable {
  enum Kind: Sendable, Equatable {
    /// A word or a text in quotes.
    case text
    /// A file's name.
    case file
    /// A drive.
    case drive
    /// Keys, joined by hyphens.
    case keys
    /// A command, for help.
    case command
    /// One of these words.
    case word([String])
    /// An expression whose value has 32 bits.
    case integer
    /// An expression.
    case long
    /// The format of memory: `/4xw`.
    case format
    /// `-f`: a letter that is there or not.
    case flag(Character)
    /// `-f VALUE`.
    case option(Character)
    /// All that is left.
    case rest
  }

  let name: String
  let kind: Kind
  let isOptional: Bool

  init(_ name: String, _ kind: Kind, optional isOptional: Bool = false) {
    (self.name, self.kind, self.isOptional) = (name, kind, isOptional)
  }
}

/// What a line gave.
struct HumanArguments {
  private(set) var texts: [String: String] = [:]
  private(set) var numbers: [String: UInt64] = [:]
  private(set) var flags: Set<Character> = []
  private(set) var format = DumpFormat()

  /// A text that must be there: it has been checked.
  func text(_ name: String) -> String { texts[name] ?? "" }
  func number(_ name: String) -> UInt64 { numbers[name] ?? 0 }
  /// A 32-bit number, with its sign.
  func integer(_ name: String) -> Int { Int(Int32(truncatingIfNeeded: number(name))) }
  func has(_ flag: Character) -> Bool { flags.contains(flag) }

  /// Reads the arguments of a command.
  static func read(
    _ line: inout LineReader, for command: HumanCommand, lastFormat: inout DumpFormat,
    registers: Expression.Registers
  ) throws(HumanError) -> HumanArguments {
    var arguments = HumanArguments()
    for argument in command.arguments {
      try arguments.read(argument, &line, command, &lastFormat, registers)
    }
    line.skipSpaces()
    guard line.isAtEnd else {
      throw .usage("\(command.fullName): extraneous characters at the end of line")
    }
    return arguments
  }

  private mutating func read(
    _ argument: HumanArgument, _ line: inout LineReader, _ command: HumanCommand,
    _ lastFormat: inout DumpFormat, _ registers: Expression.Registers
  ) throws(HumanError) {
    line.skipSpaces()
    switch argument.kind {
    case .format: format = try DumpFormat.read(&line, last: &lastFormat)
    case .flag(let letter):
      if try hasOption(letter, &line, command) { flags.insert(letter) }
    case .option(let letter):
      guard try hasOption(letter, &line, command) else { return }
      guard let value = try line.string() else {
        throw .usage("\(command.name): Value expected for -\(letter)")
      }
      texts[argument.name] = value
    case .rest: texts[argument.name] = line.rest()
    case .integer, .long:
      if argument.isOptional && line.isAtEnd { return }
      let value = try Expression.value(in: &line, registers: registers)
      // A negative number has its upper half set.
      if argument.kind == .integer, value >> 32 != 0,
        Int64(bitPattern: value) < Int64(Int32.min) || Int64(bitPattern: value) >= 0
      {
        throw .usage("'\(command.fullName)' has failed: integer is for 32-bit values")
      }
      numbers[argument.name] = value
    case .text, .file, .drive, .keys, .command, .word:
      if argument.isOptional && line.isAtEnd { return }
      guard let value = try line.string() else {
        let what =
          switch argument.kind {
          case .file: "filename"
          case .drive: "block device name"
          default: "string"
          }
        throw .usage("\(command.name): \(what) expected")
      }
      texts[argument.name] = value
    }
  }

  /// Whether an option with this letter is next; it is passed then.
  private func hasOption(_ letter: Character, _ line: inout LineReader, _ command: HumanCommand)
    throws(HumanError) -> Bool
  {
    guard line.next == UInt8(ascii: "-"), let byte = line.peek(1) else { return false }
    if byte == letter.asciiValue {
      line.advance()
      line.advance()
      return true
    }
    let isKnown = command.arguments.contains { other in
      switch other.kind {
      case .flag(let other), .option(let other): other.asciiValue == byte
      default: false
      }
    }
    guard isKnown else { throw .usage("\(command.name): unsupported option -\(LineReader.shown(byte))") }
    return false
  }
}
