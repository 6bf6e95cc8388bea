// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Network
import OptionSyntax

/// What a guest on a user network sends.
enum GuestFrame {
  static let address: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, 0x56]
  static let gateway: [UInt8] = [10, 0, 2, 2]
  static let own: [UInt8] = [10, 0, 2, 15]

  /// Who has the gateway's address.
  static var arpRequest: [UInt8] {
    Array(repeating: 0xFF, count: 6) + address + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + address + own
      + [0, 0, 0, 0, 0, 0] + gateway
  }

  /// The Internet checksum.
  static func sum(_ bytes: [UInt8]) -> [UInt8] {
    var total: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      total += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
    }
    while total >> 16 != 0 { total = total & 0xFFFF + total >> 16 }
    return [UInt8(truncatingIfNeeded: ~total >> 8), UInt8(truncatingIfNeeded: ~total)]
  }

  /// An IPv4 packet in a frame to the gateway, or to all.
  static func packet(
    to destination: [UInt8], from source: [UInt8] = own, protocol number: UInt8, _ payload: [UInt8]
  ) -> [UInt8] {
    let length = 20 + payload.count
    var header: [UInt8] = [0x45, 0, UInt8(length >> 8), UInt8(length & 0xFF), 0, 1, 0, 0, 64, number, 0, 0]
    header += source + destination
    header.replaceSubrange(10..<12, with: sum(header))
    let isBroadcast = destination == [255, 255, 255, 255]
    let hardware: [UInt8] = isBroadcast ? Array(repeating: 0xFF, count: 6) : [0x52, 0x55] + gateway
    return hardware + address + [8, 0] + header + payload
  }
}

extension UserNetwork {
  /// A network as `-netdev user,…` describes it, with the bench's card.
  static func make(_ text: String, on bench: Bench, port: (any CharacterPort)? = nil) throws -> UserNetwork {
    var list = try PropertyList(text, option: "-netdev")
    let configuration = try UserNetworkConfiguration(&list)
    try list.finish()
    let network = try bench.lock.withLock {
      try UserNetwork(configuration, id: "net", loop: bench.loop, log: bench.log) { _, _ in port }
    }
    network.receiver = bench
    return network
  }
}
