// SPDX-License-Identifier: GPL-2.0-or-later

/// What follows a slash: how many items, in what form, of what size. `/10xw` are ten 32-bit numbers in hexadecimal.
struct DumpFormat: Equatable {
  enum Form: UInt8 {
    case hexadecimal = 0x78
    case signed = 0x64
    case unsigned = 0x75
    case octal = 0x6F
    case character = 0x63
    case instruction = 0x69
  }

  var count = 1
  var form = Form.hexadecimal
  /// Bytes of an item: 1, 2, 4 or 8; nil for instructions whose size nobody gave.
  var byteCount: Int? = 4

  /// Reads a format.
  /// - Parameter last: what was asked for before; it gives what is left out, and is brought up to date.
  static func read(_ line: inout LineReader, last: inout DumpFormat) throws(HumanError) -> DumpFormat {
    line.skipSpaces()
    var format = last
    format.count = 1
    guard line.skip("/") else {
      if format.form == .instruction { format.byteCount = nil }
      return format
    }
    let digits = line.take { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    // More than anybody can be shown is as good as the most there can be.
    if !digits.isEmpty { format.count = Int(digits) ?? Int.max }
    var form: Form?
    var size: Int?
    while let byte = line.next {
      if let named = Form(rawValue: byte) {
        form = named
      } else if let named = Self.size(byte) {
        size = named
      } else {
        break
      }
      line.advance()
    }
    if let byte = line.next, !LineReader.isSpace(byte) {
      throw .usage("invalid char in format: '\(LineReader.shown(byte))'")
    }
    format.form = form ?? last.form
    if format.form == .instruction {
      format.byteCount = size
    } else {
      format.byteCount = size ?? last.byteCount ?? 4
      last.byteCount = format.byteCount
    }
    last.form = format.form
    return format
  }

  private static func size(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "b"): 1
    case UInt8(ascii: "h"): 2
    case UInt8(ascii: "w"): 4
    case UInt8(ascii: "g"), UInt8(ascii: "L"): 8
    default: nil
    }
  }

  /// A character in quotes, as in C.
  static func quoted(_ byte: UInt8) -> String {
    switch byte {
    case 0x27: "'\\''"
    case 0x5C: "'\\\\'"
    case 0x0A: "'\\n'"
    case 0x0D: "'\\r'"
    case 0x20..<0x7F: "'\(UnicodeScalar(byte))'"
    default: "'\\x\(Digits.hex(byte, 2))'"
    }
  }
}
