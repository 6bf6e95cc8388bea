// SPDX-License-Identifier: GPL-2.0-or-later

/// Goes through the bytes of a command line.
struct LineReader {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ line: String) { bytes = Array(line.utf8) }

  /// The next byte; nil at the end.
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }
  var isAtEnd: Bool { position >= bytes.count }

  /// The byte `offset` after the next; nil beyond the end.
  func peek(_ offset: Int) -> UInt8? { position + offset < bytes.count ? bytes[position + offset] : nil }

  mutating func advance() { position += 1 }

  /// Goes past `byte` if it is the next.
  mutating func skip(_ byte: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  mutating func skipSpaces() { while let byte = next, Self.isSpace(byte) { position += 1 } }

  /// Takes bytes as long as they satisfy `condition`.
  mutating func take(while condition: (UInt8) -> Bool) -> String {
    let start = position
    while let byte = next, condition(byte) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// Takes a word, or a text in double quotes, in which a backslash stands before quotes, itself, `n` and `r`.
  /// - Returns: nil at the end of the line.
  mutating func string() throws(HumanError) -> String? {
    skipSpaces()
    guard !isAtEnd else { return nil }
    guard skip("\"") else { return take { !Self.isSpace($0) } }
    var text: [UInt8] = []
    while let byte = next {
      advance()
      if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard let escaped = next else { break }
      advance()
      switch escaped {
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(escaped)
      default: throw .usage("unsupported escape code: '\\\(Self.shown(escaped))'")
      }
    }
    throw .usage("unterminated string")
  }

  /// The rest of the line, without spaces in front.
  mutating func rest() -> String {
    skipSpaces()
    defer { position = bytes.count }
    return String(decoding: bytes[position...], as: UTF8.self)
  }

  /// A byte of a line in a message.
  static func shown(_ byte: UInt8) -> String {
    (0x20..<0x7F).contains(byte) ? String(UnicodeScalar(byte)) : "\\x\(Digits.hex(byte, 2))"
  }
}

/// Numbers as monitors print them.
enum Digits {
  /// At least `count` hexadecimal digits.
  static func hex(_ value: some FixedWidthInteger & UnsignedInteger, _ count: Int) -> String {
    padded(String(value, radix: 16), count, with: "0")
  }

  /// At least `count` characters, with `filling` in front.
  static func padded(_ text: String, _ count: Int, with filling: String = " ") -> String {
    String(repeating: filling, count: max(0, count - text.utf8.count)) + text
  }

  /// At least `count` characters, with spaces behind.
  static func leftAligned(_ text: String, _ count: Int) -> String {
    text + String(repeating: " ", count: max(0, count - text.utf8.count))
  }
}
