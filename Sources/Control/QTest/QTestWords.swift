// SPDX-License-Identifier: GPL-2.0-or-later

/// The words of a line, and the numbers they stand for.
struct QTestWords {
  private let words: [ArraySlice<UInt8>]

  /// The words of `line`, between blanks.
  init(_ line: [UInt8]) { words = line.split { $0 == 0x20 || $0 == 0x0D } }

  /// The command.
  var command: String { words.first.map { String(decoding: $0.prefix(64), as: UTF8.self) } ?? "" }

  /// The bytes of an argument, of which the first is number 1; throws if it was not given.
  func bytes(_ index: Int) throws(QTestError) -> ArraySlice<UInt8> {
    guard words.indices.contains(index) else {
      throw QTestError("'\(command)' needs \(index) argument\(index == 1 ? "" : "s") at least")
    }
    return words[index]
  }

  /// An argument as text.
  func text(_ index: Int) throws(QTestError) -> String { String(decoding: try bytes(index), as: UTF8.self) }

  /// Whether there is such an argument.
  func has(_ index: Int) -> Bool { words.indices.contains(index) }

  /// An argument as strtoul reads it with a base of 0: hexadecimal after 0x, octal after 0, a minus sign for the
  /// number's complement.
  func number(_ index: Int) throws(QTestError) -> UInt64 {
    let word = try bytes(index)
    guard let value = Self.number(word) else {
      throw QTestError("'\(String(decoding: word.prefix(32), as: UTF8.self))' is not a number")
    }
    return value
  }

  private static func number(_ word: ArraySlice<UInt8>) -> UInt64? {
    var digits = word
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    var radix: UInt64 = 10
    if digits.count > 1, digits.first == UInt8(ascii: "0") {
      radix = 8
      digits = digits.dropFirst()
      if let mark = digits.first, mark | 0x20 == UInt8(ascii: "x") {
        radix = 16
        digits = digits.dropFirst()
      }
    }
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard let digit = HexText.nibble(digit), UInt64(digit) < radix else { return nil }
      let (product, isTooLarge) = value.multipliedReportingOverflow(by: radix)
      let (sum, carries) = product.addingReportingOverflow(UInt64(digit))
      guard !isTooLarge, !carries else { return nil }
      value = sum
    }
    return isNegative ? 0 &- value : value
  }

  /// The line again, for the log.
  var line: String { words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") }
}

/// What is wrong with a command; the client is told.
struct QTestError: Error {
  let message: String
  init(_ message: String) { self.message = message }
}
