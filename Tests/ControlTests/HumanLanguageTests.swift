// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Control

@Suite struct HumanLanguageTests {
  private func value(_ text: String) throws -> UInt64 {
    var line = LineReader(text)
    let value = try Expression.value(in: &line) { (name) throws(HumanError) in
      name == "eax" ? 0x1234 : name == "cs.base" ? 7 : nil
    }
    #expect(line.isAtEnd, "\(text)")
    return value
  }

  private func failure(_ text: String) -> String? {
    do {
      _ = try value(text)
      return nil
    } catch HumanError.usage(let message) { return message } catch { return "\(error)" }
  }

  @Test(arguments: [
    ("0", 0), ("12", 12), ("0x1F", 31), ("0777", 511), ("'a'", 97), ("$eax", 0x1234), ("$cs.base+1", 8),
    ("1+2*3", 7), ("(1+2)*3", 9), ("10-2-3", 5), ("7/2", 3), ("7%4", 3), ("~0", UInt64.max),
    ("-1", UInt64.max), ("+5", 5), ("- -5", 5), (" 1 + 2 ", 3),
    // All three of them are equally tight, and tighter than a sum.
    ("0x10|3^1", 0x12), ("1+6&3", 3), ("1|2*2", 5),
    ("-8/2", UInt64(bitPattern: -4)), ("-7%4", UInt64(bitPattern: -3)),
    ("0x8000000000000000/-1", 1 << 63), ("0x8000000000000000%-1", 0), ("0xffffffffffffffff+2", 1),
  ]) func anExpressionHasItsValue(_ text: String, _ expected: UInt64) throws {
    #expect(try value(text) == expected)
  }

  @Test(arguments: [
    ("", "unexpected end of expression"), ("1+", "unexpected end of expression"), ("(1+2", "')' expected"),
    ("1/0", "division by zero"), ("1%(2-2)", "division by zero"), ("$foo", "unknown register"),
    ("$", "unknown register"), ("99999999999999999999", "number too large"),
    ("'ab'", "missing terminating ' character"), ("'", "character constant expected"),
    ("foo", "invalid char 'f' in expression"), (")", "invalid char ')' in expression"),
    (String(repeating: "(", count: 4000), "the expression is nested too deeply"),
    (String(repeating: "-", count: 4000) + "1", "the expression is nested too deeply"),
  ]) func aWrongExpressionIsToldFor(_ text: String, _ message: String) {
    #expect(failure(text) == message)
  }

  private func format(_ text: String, last: DumpFormat = DumpFormat()) throws -> DumpFormat {
    var (line, last) = (LineReader(text), last)
    return try DumpFormat.read(&line, last: &last)
  }

  @Test func formatsAreRead() throws {
    #expect(try format("") == DumpFormat(count: 1, form: .hexadecimal, byteCount: 4))
    #expect(try format("/4xb 0") == DumpFormat(count: 4, form: .hexadecimal, byteCount: 1))
    #expect(try format("/g") == DumpFormat(count: 1, form: .hexadecimal, byteCount: 8))
    #expect(try format("/hd") == DumpFormat(count: 1, form: .signed, byteCount: 2))
    #expect(try format("/3i") == DumpFormat(count: 3, form: .instruction, byteCount: nil))
    #expect(try format("/99999999999999999999999x").count == Int.max)
    #expect(throws: HumanError.usage("invalid char in format: 's'")) { try format("/s") }
    #expect(throws: HumanError.usage("invalid char in format: '-'")) { try format("/-1x") }
  }

  @Test func whatAFormatLeavesOutIsAsItWas() throws {
    var last = DumpFormat()
    for (text, expected) in [
      ("/2dh", DumpFormat(count: 2, form: .signed, byteCount: 2)),
      ("", DumpFormat(count: 1, form: .signed, byteCount: 2)),
      ("/i", DumpFormat(count: 1, form: .instruction, byteCount: nil)),
      ("", DumpFormat(count: 1, form: .instruction, byteCount: nil)),
      ("/x", DumpFormat(count: 1, form: .hexadecimal, byteCount: 2)),
    ] {
      var line = LineReader(text)
      #expect(try DumpFormat.read(&line, last: &last) == expected)
    }
  }

  @Test func textsMayBeInQuotes() throws {
    func string(_ text: String) throws -> String? {
      var line = LineReader(text)
      return try line.string()
    }
    #expect(try string(" a b") == "a")
    #expect(try string(#""a b\"\\\n" c"#) == "a b\"\\\n")
    #expect(try string("  ") == nil)
    #expect(throws: HumanError.usage("unterminated string")) { try string("\"abc") }
    #expect(throws: HumanError.usage("unterminated string")) { try string("\"abc\\") }
    #expect(throws: HumanError.usage("unsupported escape code: '\\x'")) { try string(#""\x""#) }
  }

  @Test func anyBytesAreAnExpressionOrAnError() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let alphabet = Array("0123456789abcdefx+-*/%&|^~()$' \"\\eax")
    for _ in 0..<5000 {
      let length = Int.random(in: 0..<30, using: &generator)
      let text = String((0..<length).compactMap { _ in alphabet.randomElement(using: &generator) })
      var line = LineReader(text)
      _ = try? Expression.value(in: &line) { _ throws(HumanError) in 5 }
      var last = DumpFormat()
      var other = LineReader("/" + text)
      _ = try? DumpFormat.read(&other, last: &last)
    }
    print("seed \(seed)")
  }
}
