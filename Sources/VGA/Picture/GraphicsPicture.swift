// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Draws the VGA's own graphics modes, and the display interface's with four planes, scan line by scan line.
final class GraphicsPicture {
  private let video: VideoMemory
  private let palette: Palette
  /// One scan line with what panning takes away, and a byte of planes more.
  private let row: UnsafeMutablePointer<UInt32>
  private static let rowCapacity = Int(DISPI.maximumWidth) + 2 * PictureFormat.maximumPanning + 32

  init(video: VideoMemory, palette: Palette) {
    self.video = video
    self.palette = palette
    row = .allocate(capacity: Self.rowCapacity)
    row.initialize(repeating: 0, count: Self.rowCapacity)
  }

  deinit { row.deallocate() }

  /// Draws the scan lines whose memory changed, or all; the surface has the format's size and is locked.
  func draw(
    _ format: PictureFormat, on surface: DisplaySurface, pages: ChangedPages, all: Bool,
    changes: inout ChangeList
  ) {
    guard let pixels = surface.pixels.baseAddress else { return }
    // Each dword of planes makes eight dots, in 256-colour modes four pixels of two.
    let dotsPerDword = 8 * format.scale
    let dwordCount =
      min(format.width + PictureFormat.maximumPanning, Self.rowCapacity - 32) / dotsPerDword + 1
    var drawn: ScanLineSource?
    for y in 0..<format.height {
      let source = ScanLineSource(of: y, in: format)
      guard all || pages.contains(source.address, byteCount: dwordCount * 4, mask: format.addressMask) else {
        continue
      }
      // Scan lines are often doubled.
      if drawn?.address != source.address { drawRow(source.address, format, dwordCount: dwordCount) }
      drawn = source
      (pixels + y * surface.stride).update(from: row + source.skippedDots, count: format.width)
      changes.add(x: 0..<format.width, y: y..<(y + 1))
    }
  }

  private func drawRow(_ address: Int, _ format: PictureFormat, dwordCount: Int) {
    var target = row
    for index in 0..<dwordCount {
      let planes = video.planes(at: (address &+ index << 2) & format.addressMask)
      switch format.kind {
      case .planar: drawPlanar(planes, format.isHalfClock, to: &target)
      case .interleaved: drawInterleaved(planes, format.isHalfClock, to: &target)
      default: drawPacked(planes, to: &target)
      }
    }
  }

  @inline(__always)
  private func put(_ color: UInt32, twice: Bool, to target: inout UnsafeMutablePointer<UInt32>) {
    target.pointee = color
    target += 1
    guard twice else { return }
    target.pointee = color
    target += 1
  }

  @inline(__always)
  private func drawPlanar(_ planes: UInt32, _ twice: Bool, to target: inout UnsafeMutablePointer<UInt32>) {
    var bit: UInt32 = 8
    while bit > 0 {
      bit -= 1
      let bits = planes >> bit
      let color = bits & 1 | bits >> 7 & 2 | bits >> 14 & 4 | bits >> 21 & 8
      put(palette.indexed[Int(color)], twice: twice, to: &target)
    }
  }

  /// Planes 0 and 2 have the first four pixels, 1 and 3 the next: two bits of a pixel each.
  @inline(__always)
  private func drawInterleaved(_ planes: UInt32, _ twice: Bool, to target: inout UnsafeMutablePointer<UInt32>)
  {
    for half in 0..<2 {
      let low = planes >> UInt32(half * 8)
      let high = low >> 16
      var shift: UInt32 = 8
      while shift > 0 {
        shift -= 2
        let color = low >> shift & 3 | (high >> shift & 3) << 2
        put(palette.indexed[Int(color)], twice: twice, to: &target)
      }
    }
  }

  @inline(__always)
  private func drawPacked(_ planes: UInt32, to target: inout UnsafeMutablePointer<UInt32>) {
    var rest = planes
    for _ in 0..<4 {
      put(palette.dac[Int(rest & 0xFF)], twice: true, to: &target)
      rest >>= 8
    }
  }
}
