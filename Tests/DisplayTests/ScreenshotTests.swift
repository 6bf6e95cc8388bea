// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Foundation
import TestSupport
import Testing

@Suite struct ScreenshotTests {
  private func surface(width: Int, height: Int, _ pixel: (_ x: Int, _ y: Int) -> UInt32) -> DisplaySurface {
    let surface = DisplaySurface(width: width, height: height)
    surface.lock.withLock {
      for y in 0..<height {
        for x in 0..<width { surface.pixels[y * surface.stride + x] = pixel(x, y) }
      }
    }
    return surface
  }

  @Test func aPictureWithFewColoursComesBackAndIsSmall() throws {
    let picture = Screenshot(
      of: surface(width: 200, height: 100) { x, y in UInt32((x / 20) << 16 | (y / 10) << 4) })
    let file = try picture.png()
    #expect(try Screenshot(png: file) == picture)
    #expect(file.count < 2000)
    #expect(file.starts(with: [0x89, 0x50, 0x4E, 0x47]))
  }

  @Test(arguments: [256, 257]) func palettesEndAt256Colours(colors: Int) throws {
    let picture = Screenshot(of: surface(width: colors, height: 3) { x, _ in UInt32(x) &* 0x01_0307 })
    let file = try picture.png()
    #expect(try Screenshot(png: file) == picture)
    // The colour type in the header: 3 is a palette, 2 is not.
    #expect(file[25] == (colors == 256 ? 3 : 2))
  }

  @Test func noiseThatDoesNotCompressComesBack() throws {
    var random = SeededGenerator(seed: 1)
    let picture = Screenshot(
      of: surface(width: 97, height: 61) { _, _ in UInt32.random(in: 0...0xFF_FFFF, using: &random) })
    #expect(try Screenshot(png: picture.png()) == picture)
  }

  @Test func theUnusedByteOfAPixelIsNotPartOfThePicture() {
    let picture = Screenshot(of: surface(width: 1, height: 1) { _, _ in 0xAB12_3456 })
    #expect(picture[0, 0] == 0x12_3456)
    #expect(picture[1, 0] == nil)
  }

  @Test func filesThatAreNotPicturesAreRefused() throws {
    #expect(throws: PNGError.self) { try Screenshot(png: []) }
    #expect(throws: PNGError.self) { try Screenshot(png: Array("not a picture".utf8)) }
    let file = try Screenshot(of: surface(width: 64, height: 64) { x, y in UInt32(x * y) }).png()
    #expect(throws: PNGError.self) { try Screenshot(png: Array(file.prefix(file.count / 2))) }
    // A header that promises a million pixels a row.
    var huge = file
    huge.replaceSubrange(16..<20, with: [0, 0x0F, 0x42, 0x40])
    #expect(throws: PNGError.self) { try Screenshot(png: huge) }
  }

  @Test func aFileThatUnpacksToGigabytesIsRefused() throws {
    var file = try Screenshot(of: surface(width: 64, height: 64) { _, _ in 0 }).png()
    // 16384 by 16384 pixels, in a header with the right checksum (PNG, section 5.5).
    file.replaceSubrange(16..<24, with: [0, 0, 0x40, 0, 0, 0, 0x40, 0])
    var checksum = UInt32.max
    for byte in file[12..<29] {
      checksum ^= UInt32(byte)
      for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 != 0 ? 0xEDB8_8320 : 0) }
    }
    let bigEndian = (~checksum).bigEndian
    file.replaceSubrange(29..<33, with: withUnsafeBytes(of: bigEndian) { Array($0) })
    #expect(throws: PNGError.badSize(width: 16384, height: 16384)) { try Screenshot(png: file) }
  }

  @Test func differencesAreFound() {
    let one = Screenshot(of: surface(width: 10, height: 10) { _, _ in 5 })
    let two = Screenshot(of: surface(width: 10, height: 10) { x, y in x == 3 && y == 7 ? 6 : 5 })
    let wide = Screenshot(of: surface(width: 11, height: 10) { _, _ in 5 })
    #expect(one.firstDifference(from: one) == nil)
    #expect(one.firstDifference(from: two).map { [$0.x, $0.y] } == [3, 7])
    #expect(one.firstDifference(from: wide).map { [$0.x, $0.y] } == [10, 0])
  }

  @Test func filesAreWrittenInBothFormats() throws {
    let picture = Screenshot(of: surface(width: 2, height: 1) { x, _ in x == 0 ? 0x01_0203 : 0x04_0506 })
    let path = NSTemporaryDirectory() + "martlet-screenshot-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try picture.write(to: path)
    #expect(try Screenshot(png: Array(Data(contentsOf: URL(fileURLWithPath: path)))) == picture)
    try picture.write(to: path, as: .ppm)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: path)) == Data("P6\n2 1\n255\n".utf8 + [1, 2, 3, 4, 5, 6]))
    #expect(throws: (any Error).self) { try picture.write(to: "/nonexistent/picture.png") }
  }
}
