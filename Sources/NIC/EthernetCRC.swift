// SPDX-License-Identifier: GPL-2.0-or-later

import CCRC

/// The frame check sequence of IEEE 802.3 (section 3.2.9), which cards also hash group addresses with.
public enum EthernetCRC {
  private static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 != 0 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    return value
  }

  /// Whether the host multiplies without carries: then a frame takes some 50 ns, else a few microseconds.
  private static let isAccelerated = ccrc_is_available() != 0

  /// The checksum over the bytes, least significant bit first: sent in little-endian order behind the frame.
  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value: UInt32 = 0xFFFF_FFFF
    var rest = bytes
    if bytes.count >= 64, isAccelerated, let base = bytes.baseAddress {
      let count = bytes.count & ~15
      value = ccrc_update(value, base, count)
      rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
    }
    table.withUnsafeBufferPointer { table in
      for byte in rest { value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] }
    }
    return ~value
  }
}
