// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import USB

/// A driver of the bulk-only transport.
struct StorageDriver {
  let host: TestHost
  let device: USBStorage

  static func wrapper(_ command: [UInt8], _ count: Int, isIn: Bool, unit: UInt8 = 0) -> [UInt8] {
    let length = UInt32(count)
    return Array("USBC".utf8) + [0x78, 0x56, 0x34, 0x12]
      + (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + [
        isIn ? 0x80 : 0, unit, UInt8(command.count),
      ]
      + command + [UInt8](repeating: 0, count: 16 - command.count)
  }

  /// Status and residue.
  func status() -> (UInt8, Int)? {
    guard let wrapper = host.read(1, 13, from: device) else { return nil }
    #expect(Array(wrapper[0..<8]) == Array("USBS".utf8) + [0x78, 0x56, 0x34, 0x12])
    return (wrapper[12], (0..<4).reduce(0) { $0 | Int(wrapper[8 + $1]) << ($1 * 8) })
  }

  func command(_ command: [UInt8], in count: Int, by piece: Int = 1 << 20) -> (
    data: [UInt8], UInt8, Int
  )? {
    guard host.begin(out: 2, Self.wrapper(command, count, isIn: true), to: device).1 == .success else {
      return nil
    }
    var data: [UInt8] = []
    while data.count < count {
      guard let more = host.read(1, min(piece, count - data.count), from: device) else { return nil }
      data += more
    }
    return status().map { (data, $0.0, $0.1) }
  }

  func command(_ command: [UInt8], out data: [UInt8], by piece: Int = 1 << 20) -> (UInt8, Int)? {
    guard host.begin(out: 2, Self.wrapper(command, data.count, isIn: false), to: device).1 == .success else {
      return nil
    }
    var position = 0
    while position < data.count {
      let part = Array(data[position..<min(position + piece, data.count)])
      guard host.begin(out: 2, part, to: device).1 == .success else { return nil }
      position += part.count
    }
    return status()
  }

  func sense() -> [UInt8] {
    guard let (data, status, _) = command([3, 0, 0, 0, 18, 0], in: 18) else { return [] }
    #expect(status == 0)
    return [data[2], data[12], data[13]]
  }
}
