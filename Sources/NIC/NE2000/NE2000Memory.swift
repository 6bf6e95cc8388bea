// SPDX-License-Identifier: GPL-2.0-or-later

import Network

/// What is behind the chip on an NE2000: a PROM of 32 bytes at 0, and 32 KiB of RAM at 0x4000.
final class NE2000Memory {
  static let promByteCount = 32
  static let ramBase = 0x4000
  static let ramByteCount = 0x8000
  static let ramEnd = ramBase + ramByteCount

  private let prom = UnsafeMutablePointer<UInt8>.allocate(capacity: promByteCount)
  let ram = UnsafeMutablePointer<UInt8>.allocate(capacity: ramByteCount)

  /// Memory with `address` in its PROM: on a card with 16 data lines each byte is seen twice, and two bytes `W` say
  /// so.
  init(address: MACAddress) {
    for index in 0..<16 {
      let byte = index < 6 ? address[index] : index >= 14 ? 0x57 : 0
      prom[2 * index] = byte
      prom[2 * index + 1] = byte
    }
    ram.initialize(repeating: 0, count: Self.ramByteCount)
  }

  deinit {
    prom.deallocate()
    ram.deallocate()
  }

  /// The byte at any address; all ones where there is nothing. Only RAM can be written.
  subscript(address: Int) -> UInt8 {
    get {
      if address >= Self.ramBase && address < Self.ramEnd { return ram[address &- Self.ramBase] }
      return address >= 0 && address < Self.promByteCount ? prom[address] : 0xFF
    }
    set {
      if address >= Self.ramBase && address < Self.ramEnd { ram[address &- Self.ramBase] = newValue }
    }
  }

  /// The bytes at `address`, or nil if they are not all RAM.
  func bytes(at address: Int, count: Int) -> UnsafeMutableRawBufferPointer? {
    guard address >= Self.ramBase, count >= 0, count <= Self.ramEnd &- address else { return nil }
    return UnsafeMutableRawBufferPointer(start: ram + (address &- Self.ramBase), count: count)
  }
}
