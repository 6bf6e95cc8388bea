// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// What the screen showed at one moment.
public struct Screenshot: Equatable, Sendable {
  /// How a screenshot is written to a file.
  public enum Format: String, Sendable, CaseIterable {
    /// Portable Network Graphics.
    case png
    /// Portable pixmap, binary ("P6"): what QEMU's `screendump` writes.
    case ppm
  }

  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// The pixels, row by row, as a ``DisplaySurface`` has them; the top byte is zero.
  public let pixels: [UInt32]

  /// What `surface` shows now. The card must have drawn before: ``DisplaySource/refresh(all:)``.
  public init(of surface: DisplaySurface) {
    (width, height, pixels) = surface.lock.withLock {
      (surface.width, surface.height, surface.pixels.map { $0 & 0xFF_FFFF })
    }
  }

  /// The picture in a PNG file.
  public init(png: [UInt8]) throws(PNGError) { (width, height, pixels) = try PNG.decode(png) }

  /// The picture as a PNG file.
  public func png() throws(PNGError) -> [UInt8] {
    let result: Result<[UInt8], PNGError> = pixels.withUnsafeBufferPointer { pixels in
      do throws(PNGError) {
        return .success(try PNG.encode(width: width, height: height, pixels: pixels))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The picture as a portable pixmap.
  public func ppm() -> [UInt8] {
    var bytes = Array("P6\n\(width) \(height)\n255\n".utf8)
    bytes.reserveCapacity(bytes.count + pixels.count * 3)
    for pixel in pixels {
      bytes.append(UInt8(truncatingIfNeeded: pixel >> 16))
      bytes.append(UInt8(truncatingIfNeeded: pixel >> 8))
      bytes.append(UInt8(truncatingIfNeeded: pixel))
    }
    return bytes
  }

  /// Writes the picture to a file, which is replaced if it exists.
  public func write(to path: String, as format: Format = .png) throws {
    let bytes = format == .png ? try png() : ppm()
    let descriptor = DescriptorSets.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw HostError("cannot write the screenshot '\(path)'") }
    defer { close(descriptor) }
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw HostError("cannot write the screenshot '\(path)'") }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// The first pixel, row by row, that differs from `other`'s; nil if none does. Pictures of different sizes
  /// differ at the first pixel that only one of them has.
  public func firstDifference(from other: Screenshot) -> (x: Int, y: Int)? {
    for y in 0..<max(height, other.height) {
      for x in 0..<max(width, other.width) where self[x, y] != other[x, y] { return (x, y) }
    }
    return nil
  }

  /// A pixel; nil outside the picture.
  public subscript(x: Int, y: Int) -> UInt32? {
    guard x >= 0, x < width, y >= 0, y < height else { return nil }
    return pixels[y * width + x]
  }
}
