// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The planes as the CPU sees them in the window at 0xA0000: latches, write modes, odd/even and chain-4
/// addressing (IBM PS/2 Hardware Interface Technical Reference, video subsystem, "graphics controller").
///
/// The four planes are interleaved: byte `address * 4 + plane`. Chain-4 memory is then simply linear, and
/// one dword holds all that eight pixels of a planar mode or one cell of text are made of.
final class VideoMemory {
  /// What the planes of a VGA hold together; addresses of its own modes wrap there.
  static let classicByteCount = 256 << 10

  let block: RAMBlock
  private let bytes: UnsafeMutablePointer<UInt8>
  /// The size less one; it is a power of two.
  let mask: Int
  private let registers: VGARegisterBank

  init(block: RAMBlock, registers: VGARegisterBank) {
    self.block = block
    self.registers = registers
    bytes = block.hostAddress.assumingMemoryBound(to: UInt8.self)
    mask = block.byteCount - 1
  }

  /// The byte at an interleaved address, which wraps.
  @inline(__always)
  subscript(index: Int) -> UInt8 { bytes[index & mask] }

  /// Four planes at once, plane 0 in the low byte, at an interleaved address, which wraps.
  @inline(__always)
  func planes(at index: Int) -> UInt32 {
    UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: index & mask & ~3, as: UInt32.self).littleEndian
  }

  @inline(__always)
  private func store(_ value: UInt8, at index: Int) {
    bytes[index & mask] = value
    block.dirty.mark(byteOffset: index & mask, count: 1)
  }

  @inline(__always)
  private func store(planes value: UInt32, at index: Int) {
    let offset = index & mask & ~3
    UnsafeMutableRawPointer(bytes).storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    block.dirty.mark(byteOffset: offset, count: 4)
  }

  /// Four bits, each spread over a byte.
  @inline(__always)
  static func spread(_ value: UInt8) -> UInt32 {
    let value = UInt32(value)
    return (value & 1 | (value & 2) << 7 | (value & 4) << 14 | (value & 8) << 21) &* 0xFF
  }

  /// The offset in the memory map that graphics register 6 chose, of an offset from 0xA0000; nil where the
  /// card does not answer.
  @inline(__always)
  private func decoded(_ offset: Int) -> Int? {
    switch registers.graphics[Graphics.miscellaneous] >> 2 & 3 {
    case 0: offset
    case 1: offset < 0x10000 ? offset : nil
    case 2: offset >= 0x10000 && offset < 0x18000 ? offset - 0x10000 : nil
    default: offset >= 0x18000 ? offset - 0x18000 : nil
    }
  }

  private var isOddEven: Bool { registers.graphics[Graphics.mode] & 0x10 != 0 }

  /// The interleaved address of the four bytes at an address in planar modes: each plane has 64 KiB, more
  /// only in those of the display interface.
  @inline(__always)
  private func interleaved(_ address: Int) -> Int {
    registers.isDispiEnabled ? (address &+ registers.bankOffset) << 2 : (address & 0xFFFF) << 2
  }

  /// A read by the CPU at an offset from 0xA0000; it loads the latches.
  func read(_ offset: Int) -> UInt8 {
    guard let address = decoded(offset) else { return 0xFF }
    if registers.isChain4 { return self[address &+ registers.bankOffset] }
    // Odd/even: the lowest address bit chooses the plane of a pair.
    let index = interleaved(isOddEven ? address >> 1 : address)
    registers.latch = planes(at: index)
    if registers.graphics[Graphics.mode] & 0x08 == 0 {
      var plane = UInt32(registers.graphics[Graphics.readMap] & 3)
      if isOddEven { plane = plane & 2 | UInt32(address & 1) }
      return UInt8(truncatingIfNeeded: registers.latch >> (plane * 8))
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
  func write(_ offset: Int, _ value: UInt8) {
    guard let address = decoded(offset) else { return }
    var mapMask = registers.sequencer[Sequencer.mapMask]
    if registers.isChain4 {
      if mapMask >> UInt8(address & 3) & 1 != 0 { store(value, at: address &+ registers.bankOffset) }
      return
    }
    if isOddEven { mapMask &= address & 1 != 0 ? 0b1010 : 0b0101 }
    let index = interleaved(isOddEven ? address >> 1 : address)
    let writable = Self.spread(mapMask)
    let kept = planes(at: index) & ~writable
    store(planes: written(value) & writable | kept, at: index)
  }

  /// What the graphics controller makes of a byte from the CPU: a byte for each plane.
  @inline(__always)
  private func written(_ value: UInt8) -> UInt32 {
    let latch = registers.latch
    let function = registers.graphics[Graphics.dataRotate]
    let rotation = function & 7
    let rotated = value >> rotation | value << (8 - rotation)
    var bitMask = UInt32(registers.graphics[Graphics.bitMask])
    var data: UInt32
    switch registers.graphics[Graphics.mode] & 3 {
    case 0:
      let set = Self.spread(registers.graphics[Graphics.enableSetReset])
      data = UInt32(rotated) &* 0x0101_0101 & ~set | Self.spread(registers.graphics[Graphics.setReset]) & set
    case 1: return latch
    case 2: data = Self.spread(value & 0x0F)
    default:
      bitMask &= UInt32(rotated)
      data = Self.spread(registers.graphics[Graphics.setReset])
    }
    switch function >> 3 & 3 {
    case 1: data &= latch
    case 2: data |= latch
    case 3: data ^= latch
    default: break
    }
    let bits = bitMask &* 0x0101_0101
    return data & bits | latch & ~bits
  }
}
