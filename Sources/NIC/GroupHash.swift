// SPDX-License-Identifier: GPL-2.0-or-later

extension EthernetCRC {
  /// The bit, 0 … 63, that stands for a group address in a table of 64 bits: the upper six bits of the frame check
  /// sequence over its six bytes, with the bit sent first as the highest.
  static func groupHash(_ address: UnsafeRawBufferPointer) -> Int {
    let remainder = ~checksum(address)
    // The last six bits, the other way round.
    var index = 0
    for bit in 0..<6 { index = index << 1 | Int(remainder >> UInt32(bit) & 1) }
    return index
  }
}
