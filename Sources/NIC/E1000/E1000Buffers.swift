// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Network

/// The memory a card works in, had once so that frames cost no allocation.
final class E1000Buffers {
  /// The most pieces a packet is gathered in; with a header of its own it still fits what ports take.
  static let pieceLimit = PacketLimits.mostPieces - 2
  /// Headers lie within the 256 bytes that offsets of a byte reach, and a word.
  static let headerByteCount = 264
  /// Room for a VLAN tag in front of a header.
  static let headerRoom = 4
  static let zeroByteCount = 4096
  /// Frames that come back in loopback.
  static let loopbackByteCount = 16384

  /// The pieces of the packet being gathered.
  let pieces = UnsafeMutablePointer<iovec>.allocate(capacity: pieceLimit + 2)
  /// The pieces of a frame being handed over.
  let output = UnsafeMutablePointer<iovec>.allocate(capacity: PacketLimits.mostPieces)
  /// A header that is changed before it is sent, behind room for a tag.
  let header = UnsafeMutablePointer<UInt8>.allocate(capacity: headerRoom + headerByteCount)
  /// The header of a packet that is cut, as the guest wrote it.
  let template = UnsafeMutablePointer<UInt8>.allocate(capacity: headerByteCount)
  /// A packet in too many pieces.
  let linear = UnsafeMutablePointer<UInt8>.allocate(capacity: PacketLimits.largestFrame)
  /// What is read where there is no memory.
  let zeros = UnsafeMutablePointer<UInt8>.allocate(capacity: zeroByteCount)
  let loopback = UnsafeMutablePointer<UInt8>.allocate(capacity: loopbackByteCount)
  /// What is received behind a frame's data: padding and the frame check sequence.
  let trailer = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)

  init() {
    pieces.initialize(repeating: iovec(), count: Self.pieceLimit + 2)
    output.initialize(repeating: iovec(), count: PacketLimits.mostPieces)
    header.initialize(repeating: 0, count: Self.headerRoom + Self.headerByteCount)
    template.initialize(repeating: 0, count: Self.headerByteCount)
    zeros.initialize(repeating: 0, count: Self.zeroByteCount)
    trailer.initialize(repeating: 0, count: 64)
    // The large ones are written before they are read, and cost nothing until then.
  }

  deinit {
    pieces.deallocate()
    output.deallocate()
    for bytes in [header, template, linear, zeros, loopback, trailer] { bytes.deallocate() }
  }
}
