// SPDX-License-Identifier: GPL-2.0-or-later

/// The ten bytes before each frame of a tap device that takes offloads (virtio 1.1, section 5.1.6, `virtio_net_hdr`, in
/// the host's byte order).
enum VirtualNetworkHeader {
  static let byteCount = 10
  private static let needsChecksum: UInt8 = 1

  /// Writes the header that says what is left to do.
  static func store(_ offload: PacketOffload, in bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: offload.needsChecksum ? needsChecksum : 0, as: UInt8.self)
    bytes.storeBytes(of: offload.segmentation.rawValue, toByteOffset: 1, as: UInt8.self)
    bytes.storeBytes(of: offload.headerLength, toByteOffset: 2, as: UInt16.self)
    bytes.storeBytes(of: offload.segmentSize, toByteOffset: 4, as: UInt16.self)
    bytes.storeBytes(of: offload.checksumStart, toByteOffset: 6, as: UInt16.self)
    bytes.storeBytes(of: offload.checksumOffset, toByteOffset: 8, as: UInt16.self)
  }
}
