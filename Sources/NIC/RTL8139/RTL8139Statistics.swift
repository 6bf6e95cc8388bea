// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The tally counters (RTL8139C+ data sheet, section 5.3 "DTCCR"), without those of errors that do not happen here.
struct RTL8139Statistics: Codable, Equatable, Sendable {
  var sent: UInt64 = 0
  var received: UInt64 = 0
  var missed: UInt16 = 0
  var receivedToOwn: UInt64 = 0
  var receivedBroadcasts: UInt64 = 0
  var receivedMulticasts: UInt32 = 0

  static let byteCount = 64

  /// Writes the 64 bytes to memory.
  func dump(at address: GuestAddress, in memory: GuestMemory) {
    withUnsafeTemporaryAllocation(byteCount: Self.byteCount, alignment: 8) { bytes in
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      bytes.storeBytes(of: sent, toByteOffset: 0, as: UInt64.self)
      bytes.storeBytes(of: received, toByteOffset: 8, as: UInt64.self)
      bytes.storeBytes(of: missed, toByteOffset: 28, as: UInt16.self)
      bytes.storeBytes(of: receivedToOwn, toByteOffset: 40, as: UInt64.self)
      bytes.storeBytes(of: receivedBroadcasts, toByteOffset: 48, as: UInt64.self)
      bytes.storeBytes(of: receivedMulticasts, toByteOffset: 56, as: UInt32.self)
      memory.write(address, from: UnsafeRawBufferPointer(bytes))
    }
  }
}
