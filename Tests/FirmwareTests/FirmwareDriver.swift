// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import TestSupport

@testable import Firmware

/// Reads fw_cfg as firmware does: through the ports, or by DMA with the descriptor at `descriptor`.
struct FirmwareDriver {
  let board: TestBoard
  let memory: GuestMemory
  let device: FirmwareConfigurationDevice
  let descriptor: UInt32 = 0x1000

  init(ramByteCount: Int = 4 << 20) throws {
    board = try TestBoard(ramByteCount: ramByteCount)
    memory = GuestMemory(block: board.ram)
    device = FirmwareConfigurationDevice(memory: memory)
    device.map(in: board.ports)
  }

  func select(_ key: UInt16) { board.outw(0x510, key) }

  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in board.inb(0x511) } }

  func item(_ key: UInt16, count: Int) -> [UInt8] {
    select(key)
    return bytes(count)
  }

  /// The directory: name, size and selector of each file.
  func directory() -> [(name: String, count: Int, key: UInt16)] {
    select(0x19)
    let count = bytes(4).reduce(0) { $0 << 8 | Int($1) }
    return (0..<count).map { _ in
      let entry = bytes(64)
      let size = entry[0..<4].reduce(0) { $0 << 8 | Int($1) }
      let key = UInt16(entry[4]) << 8 | UInt16(entry[5])
      return (String(decoding: entry[8...].prefix { $0 != 0 }, as: UTF8.self), size, key)
    }
  }

  func file(_ name: String) -> [UInt8]? {
    directory().first { $0.name == name }.map { item($0.key, count: $0.count) }
  }

  /// Runs a DMA transfer; returns the control word afterwards.
  func dma(_ control: UInt32, count: UInt32, to address: UInt64) -> UInt32 {
    let place = GuestAddress(descriptor)
    memory.store(control.byteSwapped, at: place)
    memory.store(count.byteSwapped, at: place + 4)
    memory.store(address.byteSwapped, at: place + 8)
    board.outl(0x514, 0)
    board.outl(0x518, descriptor.byteSwapped)
    return memory.load(place, as: UInt32.self)?.byteSwapped ?? ~0
  }

  func ram(_ address: UInt64, _ count: Int) -> [UInt8] {
    [UInt8](board.ram.bytes(at: Int(address), count: count)!)
  }
}
