// SPDX-License-Identifier: GPL-2.0-or-later

import CPNG

/// What is wrong with a picture.
public enum PNGError: Error, Equatable, CustomStringConvertible, Sendable {
  /// libpng could not do it, for this reason.
  case library(String)
  /// A width or height that is zero, or more than a surface can have.
  case badSize(width: Int, height: Int)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .library(let message): "PNG: \(message)"
    case .badSize(let width, let height): "PNG: a picture of \(width)x\(height) pixels cannot be handled"
    }
  }
}

/// PNG files through libpng's simplified interface, whose errors are return values.
///
/// Pixels are as a ``DisplaySurface`` has them: bits 23…16 red, 15…8 green, 7…0 blue.
enum PNG {
  /// A file with `width` × `height` pixels. Pictures of up to 256 colours get a palette, which makes them
  /// several times smaller.
  static func encode(width: Int, height: Int, pixels: UnsafeBufferPointer<UInt32>) throws(PNGError) -> [UInt8]
  {
    try check(width: width, height: height)
    guard pixels.count >= width * height else { throw .badSize(width: width, height: height) }
    let pixels = UnsafeBufferPointer(rebasing: pixels[..<(width * height)])
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    image.width = png_uint_32(width)
    image.height = png_uint_32(height)
    defer { png_image_free(&image) }
    if let (indices, colors) = indexed(pixels) {
      image.format = Format.rgbColorMap
      image.colormap_entries = png_uint_32(colors.count)
      return try write(&image, indices, colorMap: rgb(colors))
    }
    image.format = Format.rgb
    // Trying all of PNG's filters on each row costs several times what it saves.
    image.flags = png_uint_32(PNG_IMAGE_FLAG_FAST)
    return try write(&image, rgb(pixels), colorMap: [])
  }

  /// The picture in a PNG file.
  static func decode(_ bytes: [UInt8]) throws(PNGError) -> (width: Int, height: Int, pixels: [UInt32]) {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    // The bytes are read until the picture is finished: both calls happen while they are pinned.
    let result: Result<(Int, Int, [UInt32]), PNGError> = bytes.withUnsafeBytes { file in
      guard png_image_begin_read_from_memory(&image, file.baseAddress, file.count) != 0 else {
        return .failure(error(in: image))
      }
      let (width, height) = (Int(image.width), Int(image.height))
      do throws(PNGError) {
        try check(width: width, height: height)
        guard width * height <= maximumReadPixelCount else { throw .badSize(width: width, height: height) }
      } catch {
        return .failure(error)
      }
      image.format = Format.rgb
      var rgb = [UInt8](repeating: 0, count: width * height * 3)
      guard png_image_finish_read(&image, nil, &rgb, png_int_32(width * 3), nil) != 0 else {
        return .failure(error(in: image))
      }
      let pixels = [UInt32](unsafeUninitializedCapacity: width * height) { pixels, count in
        rgb.withUnsafeBufferPointer { rgb in
          for index in 0..<(width * height) {
            let color = index * 3
            pixels[index] =
              UInt32(rgb[color]) << 16 | UInt32(rgb[color + 1]) << 8 | UInt32(rgb[color + 2])
          }
        }
        count = width * height
      }
      return .success((width, height, pixels))
    }
    let (width, height, pixels) = try result.get()
    return (width, height, pixels)
  }

  /// `PNG_FORMAT_…` of png.h, which are expressions Swift does not import.
  private enum Format {
    static let rgb: png_uint_32 = 0x02
    static let rgbColorMap: png_uint_32 = 0x02 | 0x08
  }

  /// What a file may unpack to: more than twice the largest mode there is, and well below what would exhaust memory.
  static let maximumReadPixelCount = 1 << 26

  private static func check(width: Int, height: Int) throws(PNGError) {
    let range = 1...DisplaySurface.maximumExtent
    guard range.contains(width), range.contains(height) else {
      throw .badSize(width: width, height: height)
    }
  }

  /// Three bytes for each pixel.
  private static func rgb(_ pixels: some RandomAccessCollection<UInt32>) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: pixels.count * 3) { bytes, count in
      for pixel in pixels {
        bytes[count] = UInt8(truncatingIfNeeded: pixel >> 16)
        bytes[count + 1] = UInt8(truncatingIfNeeded: pixel >> 8)
        bytes[count + 2] = UInt8(truncatingIfNeeded: pixel)
        count += 3
      }
    }
  }

  /// The pixels as indices into a palette; nil if there are more than 256 colours.
  private static func indexed(_ pixels: UnsafeBufferPointer<UInt32>) -> (indices: [UInt8], colors: [UInt32])?
  {
    var palette = PaletteBuilder()
    var isIndexed = true
    let indices = [UInt8](unsafeUninitializedCapacity: pixels.count) { indices, count in
      for pixel in pixels {
        guard let index = palette.index(of: pixel & 0xFF_FFFF) else {
          isIndexed = false
          break
        }
        indices[count] = index
        count += 1
      }
    }
    return isIndexed ? (indices, palette.colors) : nil
  }

  private static func write(_ image: inout png_image, _ bytes: [UInt8], colorMap: [UInt8]) throws(PNGError)
    -> [UInt8]
  {
    // What does not compress takes a little more than it is: zlib's and the chunks' headers.
    var count = bytes.count + bytes.count / 64 + Int(image.height) * 2 + 4096
    for _ in 0..<2 {
      var file = [UInt8](repeating: 0, count: count)
      if png_image_write_to_memory(&image, &file, &count, 0, bytes, 0, colorMap.isEmpty ? nil : colorMap) != 0
      {
        return Array(file.prefix(count))
      }
      // If the room was too small, `count` is now how much is needed.
      guard count > file.count else { break }
    }
    throw error(in: image)
  }

  private static func error(in image: png_image) -> PNGError {
    withUnsafeBytes(of: image.message) { .library(String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)) }
  }
}
