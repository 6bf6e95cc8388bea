// SPDX-License-Identifier: GPL-2.0-or-later

/// The sum that IP, TCP and UDP protect their headers and data with (RFC 1071), over any number of pieces.
public struct InternetChecksum {
  /// The one's-complement sum of the words as this host reads them, with what carried out still in the upper bits.
  private var sum: UInt64 = 0
  /// Whether the bytes so far end in the middle of a word.
  private var isOdd = false

  /// The sum of nothing.
  public init() {}

  /// Adds bytes, which go on where those before ended.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    let count = bytes.count
    var part: UInt64 = 0
    var offset = 0
    while offset &+ 8 <= count {
      let value = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      part &+= (value & 0xFFFF_FFFF) &+ (value >> 32)
      offset &+= 8
    }
    while offset &+ 2 <= count {
      part &+= UInt64(UInt16(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
      offset &+= 2
    }
    if offset < count { part &+= UInt64(base.load(fromByteOffset: offset, as: UInt8.self)) }
    let folded = Self.fold(part)
    sum &+= UInt64(isOdd ? folded.byteSwapped : folded)
    if count & 1 != 0 { isOdd.toggle() }
  }

  /// Adds a word of a pseudo header, which must be at an even place.
  public mutating func add(_ word: UInt16) { sum &+= UInt64(word.byteSwapped) }

  private static func fold(_ value: UInt64) -> UInt16 {
    var value = (value & 0xFFFF_FFFF) &+ (value >> 32)
    value = (value & 0xFFFF) &+ (value >> 16 & 0xFFFF) &+ (value >> 32)
    value = (value & 0xFFFF) &+ (value >> 16)
    return UInt16(truncatingIfNeeded: (value & 0xFFFF) &+ (value >> 16))
  }

  /// The sum as a number, the first byte of a word being its upper half. It is 0xFFFF over bytes that hold their
  /// own correct checksum, and zero only over zeros.
  public var value: UInt16 { Self.fold(sum).byteSwapped }
}
