// SPDX-License-Identifier: GPL-2.0-or-later

/// The frame check sequence of IEEE 802.3 (section 3.2.9), which cards also hash group addresses with.
public enum EthernetCRC {
  private static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 != 0 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    return value
  }

  /// The checksum over the bytes, least significant bit first: sent in little-endian order behind the frame.
  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      var value: UInt32 = 0xFFFF_FFFF
      for byte in bytes { value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] }
      return ~value
    }
  }
}
