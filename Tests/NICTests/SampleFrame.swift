// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Network

/// Frames for tests of cards.
enum SampleFrame {
  static let own = MACAddress(bits: 0x5254_0012_3456)
  static let other = MACAddress(bits: 0x5254_0065_4321)
  static let group = MACAddress(bits: 0x0100_5E00_00FB)

  /// A frame of `count` bytes, told from others by `seed`.
  static func make(to destination: MACAddress = own, count: Int = 100, seed: UInt8 = 0) -> [UInt8] {
    var frame = destination.bytes + other.bytes + [0x88, 0xB5]
    for index in 14..<max(count, 14) { frame.append(UInt8(truncatingIfNeeded: index &* 7) &+ seed) }
    return Array(frame.prefix(count))
  }

  /// `frame` as it is on the cable: at least 60 bytes, with its frame check sequence by the plain algorithm.
  static func onCable(_ frame: [UInt8]) -> [UInt8] {
    let padded = frame + Array(repeating: 0, count: max(60 - frame.count, 0))
    var remainder: UInt32 = 0xFFFF_FFFF
    for byte in padded {
      remainder ^= UInt32(byte)
      for _ in 0..<8 { remainder = remainder & 1 != 0 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1 }
    }
    return padded + (0..<4).map { UInt8(truncatingIfNeeded: ~remainder >> ($0 * 8)) }
  }

  /// The bit of a table of 64 for a group address, as Linux's `ether_crc(6, address) >> 26`: the most significant bit
  /// first.
  static func groupBit(_ address: MACAddress) -> Int {
    var remainder: UInt32 = 0xFFFF_FFFF
    for byte in address.bytes {
      for bit in 0..<8 {
        let isSet = remainder >> 31 != UInt32(byte >> UInt8(bit) & 1)
        remainder = remainder << 1 ^ (isSet ? 0x04C1_1DB7 : 0)
      }
    }
    return Int(remainder >> 26)
  }
}

/// A cable that only counts, without touching the heap.
final class SilentPort: PacketPort {
  weak var receiver: (any PacketReceiver)?
  var isLinkUp: Bool { true }
  var offloads: PacketOffloads { [] }
  var count = 0
  func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    count += 1
    return true
  }
  func receiverBecameReady() {}
}
