// SPDX-License-Identifier: GPL-2.0-or-later

/// How the bytes of the time of day are written, by register B: BCD or binary, 12 or 24 hours (MC146818A data sheet,
/// "time, calendar and alarm locations").
struct RTCFormat: Equatable {
  let isBinary: Bool
  let is24Hour: Bool
  private static let afternoon: UInt8 = 0x80

  init(_ b: RTCRegisterB) {
    isBinary = b.contains(.binary)
    is24Hour = b.contains(.hour24)
  }

  /// A number of two digits.
  func encode(_ value: Int64) -> UInt8 {
    let byte = UInt8(truncatingIfNeeded: value % 100)
    return isBinary ? byte : (byte / 10) << 4 | byte % 10
  }

  /// What a byte means; one that is no number means something all the same.
  func decode(_ byte: UInt8) -> Int64 {
    isBinary ? Int64(byte) : Int64(byte >> 4) * 10 + Int64(byte & 0x0F)
  }

  /// An hour, 0 … 23.
  func encodeHour(_ hour: Int64) -> UInt8 {
    if is24Hour { return encode(hour) }
    return encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? Self.afternoon : 0)
  }

  /// An hour as the guest wrote it.
  func decodeHour(_ byte: UInt8) -> Int64 {
    if is24Hour { return decode(byte) }
    return decode(byte & ~Self.afternoon) % 12 + (byte & Self.afternoon != 0 ? 12 : 0)
  }
}
