// SPDX-License-Identifier: GPL-2.0-or-later

/// An Ethernet address: six bytes.
public struct MACAddress: Hashable, Sendable, CustomStringConvertible {
  /// The bytes in the order they are sent, the first in bits 47 … 40.
  public let bits: UInt64

  /// An address of the low 48 bits.
  public init(bits: UInt64) { self.bits = bits & 0xFFFF_FFFF_FFFF }

  /// An address of six bytes; missing ones are zero.
  public init(_ bytes: some Sequence<UInt8>) {
    var bits: UInt64 = 0
    var count = 0
    for byte in bytes.prefix(6) {
      bits = bits << 8 | UInt64(byte)
      count += 1
    }
    self.init(bits: bits << UInt64((6 - count) * 8))
  }

  /// An address written as `52:54:00:12:34:56` (or with `-`); nil if it is not one.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
    guard parts.count == 6 else { return nil }
    var bits: UInt64 = 0
    for part in parts {
      guard (1...2).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
        let byte = UInt8(part, radix: 16)
      else { return nil }
      bits = bits << 8 | UInt64(byte)
    }
    self.init(bits: bits)
  }

  /// ff:ff:ff:ff:ff:ff.
  public static let broadcast = MACAddress(bits: 0xFFFF_FFFF_FFFF)

  /// Byte `index` (0 … 5) in the order they are sent.
  public subscript(index: Int) -> UInt8 {
    (0..<6).contains(index) ? UInt8(truncatingIfNeeded: bits >> UInt64((5 - index) * 8)) : 0
  }

  /// The six bytes in the order they are sent.
  public var bytes: [UInt8] { (0..<6).map { self[$0] } }

  /// Whether it is a group (multicast or broadcast) address.
  public var isGroup: Bool { self[0] & 1 != 0 }

  public var description: String {
    (0..<6).map { index in
      let byte = self[index]
      return (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined(separator: ":")
  }
}
