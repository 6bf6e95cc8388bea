// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A descriptor of a C+ ring (RTL8139C+ data sheet, section 6 "Descriptors").
struct RTL8139Descriptor {
  static let byteCount = 16
  /// The most a ring has.
  static let ringCount = 64

  /// The first dword: who has it, what it is, and how long.
  var command: UInt32 = 0
  /// The second: the VLAN tag.
  var vlan: UInt32 = 0
  var buffer: UInt64 = 0

  /// Both directions.
  static let own: UInt32 = 1 << 31
  static let endOfRing: UInt32 = 1 << 30
  static let first: UInt32 = 1 << 29
  static let last: UInt32 = 1 << 28
  static let tagMask: UInt32 = 0xFFFF

  /// To be sent.
  static let largeSend: UInt32 = 1 << 27
  static let segmentSizeShift: UInt32 = 16
  static let segmentSizeMask: UInt32 = 0x7FF
  static let ipChecksum: UInt32 = 1 << 18
  static let udpChecksum: UInt32 = 1 << 17
  static let tcpChecksum: UInt32 = 1 << 16
  static let lengthMask: UInt32 = 0xFFFF
  /// Underrun, collisions and link failure.
  static let errorMask: UInt32 = 1 << 25 | 1 << 23 | 1 << 22 | 1 << 21 | 1 << 20
  static let insertTag: UInt32 = 1 << 17

  /// Received.
  static let toMulticast: UInt32 = 1 << 26
  static let toOwnAddress: UInt32 = 1 << 25
  static let toBroadcast: UInt32 = 1 << 24
  static let protocolTCP: UInt32 = 1 << 16
  static let protocolUDP: UInt32 = 2 << 16
  static let protocolIP: UInt32 = 3 << 16
  static let ipFailed: UInt32 = 1 << 15
  static let udpFailed: UInt32 = 1 << 14
  static let tcpFailed: UInt32 = 1 << 13
  static let sizeMask: UInt32 = 0x1FFF
  static let tagAvailable: UInt32 = 1 << 16

  /// What is at `address`; nil if it is not all memory.
  init?(at address: GuestAddress, in memory: GuestMemory) {
    guard let bytes = memory.hostBytes(at: address, count: Self.byteCount, for: .read),
      let base = bytes.baseAddress, bytes.count == Self.byteCount
    else { return nil }
    let words = base.loadUnaligned(as: UInt64.self)
    command = UInt32(truncatingIfNeeded: words)
    vlan = UInt32(truncatingIfNeeded: words >> 32)
    buffer = base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
  }

  var isOwned: Bool { command & Self.own != 0 }
  var isEndOfRing: Bool { command & Self.endOfRing != 0 }

  /// The index behind `index`, which this descriptor has.
  func next(after index: Int) -> Int { isEndOfRing || index &+ 1 >= Self.ringCount ? 0 : index &+ 1 }

  /// Stores the first dword alone.
  /// - Returns: false if it is not memory that can be written.
  static func store(command: UInt32, at address: GuestAddress, in memory: GuestMemory) -> Bool {
    guard let bytes = memory.hostBytes(at: address, count: 4, for: .write), bytes.count == 4 else {
      return false
    }
    bytes.storeBytes(of: command, as: UInt32.self)
    return true
  }

  /// Stores the first two dwords at once, so that whoever sees that the card is done sees all of it.
  static func store(command: UInt32, vlan: UInt32, at address: GuestAddress, in memory: GuestMemory) {
    guard let bytes = memory.hostBytes(at: address, count: 8, for: .write), bytes.count == 8 else { return }
    bytes.storeBytes(of: UInt64(command) | UInt64(vlan) << 32, as: UInt64.self)
  }
}

/// The bits in front of a frame in the ring of C mode.
enum RTL8139ReceiveStatus {
  static let intact: UInt32 = 1 << 0
  static let toBroadcast: UInt32 = 1 << 13
  static let toOwnAddress: UInt32 = 1 << 14
  static let toMulticast: UInt32 = 1 << 15
}
