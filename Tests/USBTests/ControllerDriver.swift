// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import TestSupport

/// What drivers of all controllers do with memory and time.
protocol ControllerDriver: AnyObject {
  var board: TestBoard { get }
}

extension ControllerDriver {
  func store(_ value: UInt32, at address: UInt32) {
    board.memory.memory.store(value, at: GuestAddress(address))
  }
  func load(_ address: UInt32) -> UInt32 { board.memory.memory.load(GuestAddress(address)) ?? 0 }
  func store(_ bytes: [UInt8], at address: UInt32) {
    _ = bytes.withUnsafeBytes { board.memory.memory.write(GuestAddress(address), from: $0) }
  }
  func bytes(_ address: UInt32, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    _ = bytes.withUnsafeMutableBytes { board.memory.memory.read(GuestAddress(address), into: $0) }
    return bytes
  }
  func milliseconds(_ count: Int = 1) { board.clock.advance(by: UInt64(count) * 1_000_000) }
}
