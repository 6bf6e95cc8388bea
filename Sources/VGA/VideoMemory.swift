// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The planes as the CPU sees them in the window at 0xA0000: latches, write modes, odd/even and chain-4 addressing (IBM PS/2
/// Hardware Interface Technical Reference, video subsystem, "graphics controller").
///
/// The four planes are interleaved: byte `address * 4 + plane`. Chain-4 memory is then simply linear.
final class VideoMemory {
  let block: RAMBlock
  private let bytes: UnsafeMutablePointer<UInt8>
  /// The size is a power of two.
  let mask: Int

  init(block: RAMBlock) {
    self.block = block
    bytes = block.hostAddress.assumingMemoryBound(to: UInt8.self)
    mask = block.byteCount - 1
  }

  /// The byte at an interleaved address, which wraps.
  @inline(__always)
  subscript(index: Int) -> UInt8 { bytes[index & mask] }

  /// Four planes at once: plane 0 in the low byte.
  @inline(__always)
  func planes(_ address: Int) -> UInt32 {
    UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: (address << 2) & mask & ~3, as: UInt32.self)
      .littleEndian
  }

  @inline(__always)
  private func store(_ value: UInt8, at index: Int) {
    bytes[index & mask] = value
    block.dirty.mark(byteOffset: index & mask, count: 1)
  }

  @inline(__always)
  private func store(planes value: UInt32, at address: Int) {
    let offset = (address << 2) & mask & ~3
    UnsafeMutableRawPointer(bytes).storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    block.dirty.mark(byteOffset: offset, count: 4)
  }

  /// The offset in the window's memory map of an offset from 0xA0000; nil where the card does not answer.
  @inline(__always)
  private static func decoded(_ offset: Int, _ registers: borrowing VGARegisters) -> Int? {
    switch registers.graphics[Graphics.miscellaneous] >> 2 & 3 {
    case 0: return offset
    case 1: return offset < 0x10000 ? offset : nil
    case 2: return offset >= 0x10000 && offset < 0x18000 ? offset - 0x10000 : nil
    default: return offset >= 0x18000 ? offset - 0x18000 : nil
    }
  }

  /// Four bits, each spread over a byte.
  @inline(__always)
  static func spread(_ value: UInt8) -> UInt32 {
    var result: UInt32 = 0
    if value & 1 != 0 { result |= 0x0000_00FF }
    if value & 2 != 0 { result |= 0x0000_FF00 }
    if value & 4 != 0 { result |= 0x00FF_0000 }
    if value & 8 != 0 { result |= 0xFF00_0000 }
    return result
  }

  /// A read by the CPU at an offset from 0xA0000; it loads the latches.
  func read(_ offset: Int, _ registers: inout VGARegisters) -> UInt8 {
    guard var address = Self.decoded(offset, registers) else { return 0xFF }
    if registers.isDispiEnabled { address &+= Int(registers.dispi[DISPI.bank]) << 16 }
    if registers.isChain4 || registers.isDispiEnabled { return self[address] }
    let mode = registers.graphics[Graphics.mode]
    if mode & 0x10 != 0 {
      let plane = Int(registers.graphics[Graphics.readMap] & 2) | address & 1
      registers.latch = planes(address >> 1)
      return self[(address & ~1) << 1 | plane]
    }
    registers.latch = planes(address)
    if mode & 0x08 == 0 {
      return UInt8(
        truncatingIfNeeded: registers.latch >> UInt32(registers.graphics[Graphics.readMap] & 3) * 8)
    }
    // Read mode 1: which pixels have the colour asked for, in the planes that matter.
    let compare = Self.spread(registers.graphics[Graphics.colorCompare])
    let care = Self.spread(registers.graphics[Graphics.colorDontCare])
    var difference = (registers.latch ^ compare) & care
    difference |= difference >> 16
    difference |= difference >> 8
    return ~UInt8(truncatingIfNeeded: difference)
  }

  /// A write by the CPU at an offset from 0xA0000.
  func write(_ offset: Int, _ value: UInt8, _ registers: borrowing VGARegisters) {
    guard var address = Self.decoded(offset, registers) else { return }
    let mapMask = registers.sequencer[Sequencer.mapMask]
    if registers.isDispiEnabled { return store(value, at: address &+ Int(registers.dispi[DISPI.bank]) << 16) }
    if registers.isChain4 {
      if mapMask >> UInt8(address & 3) & 1 != 0 { store(value, at: address) }
      return
    }
    let mode = registers.graphics[Graphics.mode]
    if mode & 0x10 != 0 {
      let plane = Int(registers.graphics[Graphics.readMap] & 2) | address & 1
      if mapMask >> UInt8(plane) & 1 != 0 { store(value, at: (address & ~1) << 1 | plane) }
      return
    }
    address &= 0x1FFFF
    let writeMask = Self.spread(mapMask)
    let rotation = registers.graphics[Graphics.dataRotate] & 7
    let rotated = value >> rotation | value << (8 - rotation)
    var bitMask = UInt32(registers.graphics[Graphics.bitMask])
    var data: UInt32
    switch mode & 3 {
    case 0:
      data = UInt32(rotation == 0 ? value : rotated) &* 0x0101_0101
      let set = Self.spread(registers.graphics[Graphics.enableSetReset])
      data = data & ~set | Self.spread(registers.graphics[Graphics.setReset]) & set
    case 1: return merge(registers.latch, at: address, mask: writeMask)
    case 2: data = Self.spread(value & 0x0F)
    default:
      bitMask &= UInt32(rotation == 0 ? value : rotated)
      data = Self.spread(registers.graphics[Graphics.setReset])
    }
    switch registers.graphics[Graphics.dataRotate] >> 3 & 3 {
    case 1: data &= registers.latch
    case 2: data |= registers.latch
    case 3: data ^= registers.latch
    default: break
    }
    let bits = bitMask &* 0x0101_0101
    merge(data & bits | registers.latch & ~bits, at: address, mask: writeMask)
  }

  @inline(__always)
  private func merge(_ data: UInt32, at address: Int, mask: UInt32) {
    store(planes: data & mask | planes(address) & ~mask, at: address)
  }
}
