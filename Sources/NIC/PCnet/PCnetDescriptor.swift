// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Bits of a descriptor's status and count, as 32 bits of software style 2 ("Buffer Management Unit").
enum PCnetDescriptorBits {
  static let own: UInt32 = 1 << 31
  static let error: UInt32 = 1 << 30
  /// ADD_FCS of a transmit descriptor.
  static let addFCS: UInt32 = 1 << 29
  /// LTINT of a transmit descriptor.
  static let interrupt: UInt32 = 1 << 28
  static let start: UInt32 = 1 << 25
  static let end: UInt32 = 1 << 24
  /// PAM, LAFM, BAM of a receive descriptor: why a frame was let in.
  static let physicalMatch: UInt32 = 1 << 22
  static let groupMatch: UInt32 = 1 << 21
  static let broadcastMatch: UInt32 = 1 << 20
}

/// A descriptor in any of the software styles, brought to one form.
struct PCnetDescriptor {
  var address: GuestAddress
  /// Status in the upper half, count in the lower.
  var status: UInt32

  var isOwn: Bool { status & PCnetDescriptorBits.own != 0 }
  /// BCNT: the two's complement of the buffer's length.
  var byteCount: Int { 4096 - Int(status & 0xFFF) }
}

/// How descriptors lie in memory (BCR20, SWSTYLE).
enum PCnetSoftwareStyle: UInt8 {
  /// 16 bits: as the LANCE.
  case lance = 0
  case ilacc = 1
  /// 32 bits.
  case pcnet = 2
  /// The same with address and status exchanged.
  case pcnetReordered = 3

  var is32Bit: Bool { self != .lance }
  var descriptorByteCount: Int { self == .lance ? 8 : 16 }
  /// BCR20 and CSR58 as they read: CSRPCNET and SSIZE32.
  var registerValue: UInt16 {
    UInt16(rawValue) | (self == .ilacc ? 0 : 0x200) | (self == .lance ? 0 : 0x100)
  }
  /// Where the three words that matter lie in a descriptor of 32 bits.
  var addressOffset: Int { self == .pcnetReordered ? 8 : 0 }
  var messageOffset: Int { self == .pcnetReordered ? 0 : 8 }
}
