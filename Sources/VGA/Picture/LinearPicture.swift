// SPDX-License-Identifier: GPL-2.0-or-later

import CPixman
import Display

/// Draws the linear frame buffer: pixman converts what it has a format for, runs of rows at a time, with images
/// made once for each mode.
final class LinearPicture {
  private let video: VideoMemory
  private let palette: Palette
  /// The frame buffer as pixman sees it, and what it was made for.
  private var source: OpaquePointer?
  private var sourceFormat = PictureFormat()
  /// The surface's pixels, and where they were.
  private var target: OpaquePointer?
  private var targetPixels: UnsafeMutablePointer<UInt32>?

  init(video: VideoMemory, palette: Palette) {
    self.video = video
    self.palette = palette
  }

  deinit { forgetImages() }

  private func forgetImages() {
    if let source { pixman_image_unref(source) }
    if let target { pixman_image_unref(target) }
    (source, target) = (nil, nil)
  }

  /// Draws the rows whose memory changed, or all; the surface has the format's size and is locked.
  func draw(
    _ format: PictureFormat, bits: Int, on surface: DisplaySurface, pages: ChangedPages, all: Bool,
    changes: inout ChangeList
  ) {
    let bytesPerPixel = (bits + 7) / 8
    guard let pixels = surface.pixels.baseAddress, fits(format) else { return }
    prepareImages(format, bits: bits, pixels)
    let offset = format.start + format.columnOffset * bytesPerPixel
    var y = 0
    while y < format.height {
      // A run of rows that changed.
      let first = y
      while y < format.height
        && (all
          || pages.contains(
            offset + y * format.pitch, byteCount: format.width * bytesPerPixel, mask: format.addressMask))
      { y += 1 }
      if y > first {
        drawRows(first..<y, format, bits: bits, pixels)
        changes.add(x: 0..<format.width, y: first..<y)
      }
      y += 1
    }
  }

  /// Whether all of the picture is inside the memory, as the display interface's registers see to.
  private func fits(_ format: PictureFormat) -> Bool {
    format.width > 0 && format.height > 0 && format.pitch > 0 && format.start >= 0
      && format.start + format.pitch * format.height <= video.block.byteCount
  }

  private func prepareImages(_ format: PictureFormat, bits: Int, _ pixels: UnsafeMutablePointer<UInt32>) {
    guard format != sourceFormat || pixels != targetPixels else { return }
    forgetImages()
    (sourceFormat, targetPixels) = (format, pixels)
    let code: pixman_format_code_t
    switch (bits, format.isBigEndian) {
    case (15, false): code = PIXMAN_x1r5g5b5
    case (16, false): code = PIXMAN_r5g6b5
    case (24, false): code = PIXMAN_r8g8b8
    case (24, true): code = PIXMAN_b8g8r8
    case (32, false): code = PIXMAN_x8r8g8b8
    case (32, true): code = PIXMAN_b8g8r8x8
    default: return
    }
    // The pitch is a multiple of eight pixels, so rows start at dwords, as pixman wants them.
    let memory = (video.block.hostAddress + format.start).assumingMemoryBound(to: UInt32.self)
    source = pixman_image_create_bits_no_clear(
      code, Int32(format.columnOffset + format.width), Int32(format.height), memory, Int32(format.pitch))
    target = pixman_image_create_bits_no_clear(
      PIXMAN_x8r8g8b8, Int32(format.width), Int32(format.height), pixels, Int32(format.width * 4))
  }

  private func drawRows(
    _ rows: Range<Int>, _ format: PictureFormat, bits: Int, _ pixels: UnsafeMutablePointer<UInt32>
  ) {
    if let source, let target {
      let y = Int32(rows.lowerBound)
      pixman_image_composite32(
        PIXMAN_OP_SRC, source, nil, target, Int32(format.columnOffset), y, 0, 0, 0, y, Int32(format.width),
        Int32(rows.count))
      return
    }
    for y in rows {
      let target = pixels + y * format.width
      let memory = UnsafeRawPointer(video.block.hostAddress) + format.start + y * format.pitch
      if bits == 8 {
        let indices = memory.assumingMemoryBound(to: UInt8.self) + format.columnOffset
        for x in 0..<format.width { target[x] = palette.dac[Int(indices[x])] }
      } else {
        // 15 or 16 bits with the high byte first, which pixman does not have.
        let values = memory.assumingMemoryBound(to: UInt16.self) + format.columnOffset
        for x in 0..<format.width { target[x] = Self.color(UInt16(bigEndian: values[x]), bits: bits) }
      }
    }
  }

  private static func color(_ value: UInt16, bits: Int) -> UInt32 {
    let greenBits: UInt32 = bits == 15 ? 5 : 6
    let value = UInt32(value)
    let (red, blue) = (value >> (5 + greenBits) & 31, value & 31)
    let green = value >> 5 & ((1 << greenBits) - 1)
    let wide = green << (8 - greenBits) | green >> (2 * greenBits - 8)
    return (red << 3 | red >> 2) << 16 | wide << 8 | (blue << 3 | blue >> 2)
  }
}
