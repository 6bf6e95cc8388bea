// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import TestSupport
import Testing

@Suite struct JSONStreamTests {
  /// Feeds `text` in pieces of `size` bytes; errors are told as strings.
  private func values(in text: String, pieces size: Int = .max, limit: Int = 4 << 20) -> [JSONValue] {
    let stream = JSONStream(maximumByteCount: limit)
    var found: [JSONValue] = []
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + min(size, bytes.count))
      bytes[start..<end].withUnsafeBytes { piece in
        var rest = UnsafeRawBufferPointer(piece)
        while !rest.isEmpty {
          do throws(JSONError) {
            guard let value = try stream.next(&rest) else { break }
            found.append(value)
          } catch { found.append(.string("error")) }
        }
      }
      start = end
    }
    return found
  }

  @Test func valuesBehindOneAnother() {
    let text = #"{"a":1}{"b":[true,null,-2.5]}  {"c":"x"}"#
    let expected: [JSONValue] = [["a": 1], ["b": [true, .null, .number(-2.5)]], ["c": "x"]]
    for size in [1, 2, 3, 7, .max] { #expect(values(in: text, pieces: size) == expected) }
  }

  @Test func numbers() {
    #expect(
      values(in: "[9223372036854775807, 18446744073709551615, -9223372036854775808]") == [
        [.integer(.max), .unsigned(.max), .integer(.min)]
      ])
  }

  @Test func text() {
    #expect(values(in: #"["\u00e4\n\"\ud83d\ude00", 'single']"#) == [["ä\n\"😀", "single"]])
    let value: JSONValue = ["a": "ä\u{0}\"/\n", "b": [1, .number(0.5), false, .null], "c": .unsigned(.max)]
    let again = try? JSONValue(parsing: value.text())
    #expect(again == value)
    #expect(value["b"]?.array?.count == 4)
  }

  @Test func whatIsNoJSON() {
    #expect(values(in: "{]").contains("error"))
    #expect(values(in: "{\"a\":1} xyz {").first == ["a": 1])
    #expect(throws: JSONError.self) { try JSONValue(parsing: "{\"a\":") }
    #expect(throws: JSONError.self) { try JSONValue(parsing: "{} {}") }
    // No UTF-8.
    let stream = JSONStream()
    let bytes: [UInt8] = [0x22, 0xFF, 0x22, 0x20]
    bytes.withUnsafeBytes { piece in
      var rest = UnsafeRawBufferPointer(piece)
      #expect(throws: JSONError.self) { try stream.next(&rest) }
    }
  }

  @Test func depthAndSizeAreBounded() {
    let deep = String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)
    #expect(values(in: deep).contains("error"))
    let long = "{\"a\":\"" + String(repeating: "x", count: 5000)
    #expect(values(in: long, pieces: 100, limit: 1000).contains("error"))
    let fits = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(!values(in: fits).contains("error"))
  }

  @Test func rubbishNeitherTrapsNorHangs() {
    var generator = SeededGenerator(seed: 5)
    let alphabet = Array("{}[]\",:'0123456789eE+-. \\utrufalsn\n\u{1}".utf8) + [0xFF, 0xC3]
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 1...60, using: &generator)).map { _ in
        alphabet.randomElement(using: &generator) ?? 0
      }
      let stream = JSONStream(maximumByteCount: 40)
      bytes.withUnsafeBytes { piece in
        var rest = UnsafeRawBufferPointer(piece)
        var rounds = 0
        while !rest.isEmpty {
          rounds += 1
          if rounds > 200 { break }
          if let value = try? stream.next(&rest) { _ = value.text() }
        }
        #expect(rounds <= 200)
      }
    }
  }
}
