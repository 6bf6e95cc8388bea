// SPDX-License-Identifier: GPL-2.0-or-later

/// Bytes as pairs of hexadecimal digits.
enum HexText {
  private static let digits = Array("0123456789abcdef".utf8)

  static func nibble(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x37
    case 0x61...0x66: character - 0x57
    default: nil
    }
  }

  static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
    text.reserveCapacity(text.count + bytes.count * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
  }

  /// The first `count` bytes of a text; what it lacks is zero. Nil if there is something else in it than digits.
  static func bytes(_ text: ArraySlice<UInt8>, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var position = text.startIndex
    for index in 0..<count {
      guard text.endIndex - position >= 2 else { break }
      guard let high = nibble(text[position]), let low = nibble(text[position + 1]) else { return nil }
      bytes[index] = high << 4 | low
      position += 2
    }
    return bytes
  }

  /// `value` in at least `width` digits, after 0x.
  static func number(_ value: UInt64, width: Int) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
