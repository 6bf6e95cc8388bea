// SPDX-License-Identifier: GPL-2.0-or-later

/// Rows of the linear frame buffer: 8 bits by the DAC, 15, 16, 24 and 32 bits directly.
enum LinearRow {
  /// Draws `width` pixels from the byte at `address` on; addresses wrap at the memory's end.
  static func draw(
    _ video: VideoMemory, _ address: Int, bits: Int, width: Int, palette: Palette,
    into row: UnsafeMutableBufferPointer<UInt32>
  ) {
    let count = min(width, row.count)
    let bytes = (bits + 7) / 8
    let start = address & video.mask
    // A row that wraps is drawn pixel by pixel; none does that a guest sets up in earnest.
    guard start + count * bytes <= video.block.byteCount else {
      for x in 0..<count { row[x] = pixel(video, address &+ x * bytes, bits: bits, palette: palette) }
      return
    }
    let source = UnsafeRawPointer(video.block.hostAddress + start)
    switch bits {
    case 32:
      for x in 0..<count {
        row[x] = source.loadUnaligned(fromByteOffset: x * 4, as: UInt32.self).littleEndian & 0xFF_FFFF
      }
    case 24:
      for x in 0..<count {
        let offset = x * 3
        row[x] =
          UInt32(source.load(fromByteOffset: offset, as: UInt8.self))
          | UInt32(source.load(fromByteOffset: offset + 1, as: UInt8.self)) << 8
          | UInt32(source.load(fromByteOffset: offset + 2, as: UInt8.self)) << 16
      }
    case 16:
      for x in 0..<count {
        row[x] = from565(source.loadUnaligned(fromByteOffset: x * 2, as: UInt16.self).littleEndian)
      }
    case 15:
      for x in 0..<count {
        row[x] = from555(source.loadUnaligned(fromByteOffset: x * 2, as: UInt16.self).littleEndian)
      }
    default:
      palette.dac.withUnsafeBufferPointer { colors in
        for x in 0..<count { row[x] = colors[Int(source.load(fromByteOffset: x, as: UInt8.self))] }
      }
    }
  }

  @inline(__always)
  private static func from565(_ value: UInt16) -> UInt32 {
    let (red, green, blue) = (UInt32(value >> 11), UInt32(value >> 5 & 63), UInt32(value & 31))
    return (red << 3 | red >> 2) << 16 | (green << 2 | green >> 4) << 8 | (blue << 3 | blue >> 2)
  }

  @inline(__always)
  private static func from555(_ value: UInt16) -> UInt32 {
    let (red, green, blue) = (UInt32(value >> 10 & 31), UInt32(value >> 5 & 31), UInt32(value & 31))
    return (red << 3 | red >> 2) << 16 | (green << 3 | green >> 2) << 8 | (blue << 3 | blue >> 2)
  }

  private static func pixel(_ video: VideoMemory, _ address: Int, bits: Int, palette: Palette) -> UInt32 {
    let low = UInt16(video[address]) | UInt16(video[address &+ 1]) << 8
    switch bits {
    case 8: return palette.dac[Int(video[address])]
    case 15: return from555(low)
    case 16: return from565(low)
    default: return UInt32(low) | UInt32(video[address &+ 2]) << 16
    }
  }
}
