// SPDX-License-Identifier: GPL-2.0-or-later

import CZlib

/// The frame check sequence of IEEE 802.3 (section 3.2.9), which cards also hash group addresses with.
public enum EthernetCRC {
  /// The checksum over the bytes, least significant bit first: sent in little-endian order behind the frame.
  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    // The library takes no bytes at all for the wish for its first value.
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return 0 }
    return UInt32(
      truncatingIfNeeded: crc32(
        0, base.assumingMemoryBound(to: Bytef.self), uInt(truncatingIfNeeded: bytes.count)))
  }
}
