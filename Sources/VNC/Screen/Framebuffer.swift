// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Glibc

/// The screen thread's own copy of the pixels, from which the library encodes.
final class Framebuffer {
  /// The library's buffer must hold a row (32 KiB).
  static let maximumWidth = 8160
  /// Changes are found in pieces of this size.
  static let tileWidth = 64
  static let tileHeight = 16

  let width: Int
  let height: Int
  let pixels: UnsafeMutablePointer<UInt32>

  /// A copy of the surface; its lock is held.
  init(copying surface: DisplaySurface) {
    width = min(surface.width, Self.maximumWidth)
    height = surface.height
    pixels = .allocate(capacity: width * height)
    guard let source = surface.pixels.baseAddress else {
      pixels.initialize(repeating: 0, count: width * height)
      return
    }
    for y in 0..<height {
      (pixels + y * width).initialize(from: source + y * surface.stride, count: width)
    }
  }

  deinit { pixels.deallocate() }

  /// Whether the surface, whose lock is held, still has the size it was copied with.
  func hasSize(of surface: DisplaySurface) -> Bool {
    min(surface.width, Self.maximumWidth) == width && surface.height == height
  }

  /// Copies what differs inside `rectangle` from the surface, whose lock is held, and reports where that was.
  func update(_ rectangle: PixelRectangle, from surface: DisplaySurface, changed: (PixelRectangle) -> Void) {
    let area = rectangle.clipped(width: width, height: height)
    guard area.width > 0, area.height > 0, let source = surface.pixels.baseAddress else { return }
    let right = area.x + area.width
    let bottom = area.y + area.height
    // Tiles lie on a fixed grid, so that changes seen in several calls fit together.
    var top = area.y
    while top < bottom {
      let end = min((top / Self.tileHeight + 1) * Self.tileHeight, bottom)
      var runStart: Int?
      var left = area.x
      while left < right {
        let tileEnd = min((left / Self.tileWidth + 1) * Self.tileWidth, right)
        if copyTile(
          x: left, y: top, width: tileEnd - left, height: end - top, from: source, stride: surface.stride)
        {
          runStart = runStart ?? left
        } else if let start = runStart {
          changed(PixelRectangle(x: start, y: top, width: left - start, height: end - top))
          runStart = nil
        }
        left = tileEnd
      }
      if let start = runStart {
        changed(PixelRectangle(x: start, y: top, width: right - start, height: end - top))
      }
      top = end
    }
  }

  private func copyTile(
    x: Int, y: Int, width tileWidth: Int, height tileHeight: Int, from source: UnsafeMutablePointer<UInt32>,
    stride: Int
  ) -> Bool {
    var differs = false
    for row in y..<y + tileHeight {
      let new = source + row * stride + x
      let old = pixels + row * width + x
      let count = tileWidth * MemoryLayout<UInt32>.size
      if memcmp(new, old, count) != 0 {
        memcpy(old, new, count)
        differs = true
      }
    }
    return differs
  }
}
