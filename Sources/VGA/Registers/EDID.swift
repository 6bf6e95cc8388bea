// SPDX-License-Identifier: GPL-2.0-or-later

/// The EDID block by which a monitor tells the modes it likes (VESA E-EDID 1.3).
enum EDID {
  /// What the twelve bits of a detailed timing hold.
  private static let maximumExtent = 4095

  /// 128 bytes for a monitor that prefers `width` × `height` at 60 Hz. Sizes the format cannot tell become the
  /// nearest that it can.
  static func block(width: Int, height: Int) -> [UInt8] {
    let (width, height) = (min(max(width, 8), maximumExtent), min(max(height, 1), maximumExtent))
    var bytes = [UInt8](repeating: 0, count: 128)
    func put(_ values: [UInt8], at offset: Int) {
      bytes.replaceSubrange(offset..<(offset + values.count), with: values)
    }
    put([0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0], at: 0)
    // "MLT", product 1, serial 0, 2026, EDID 1.3.
    put([0x35, 0x94, 0x01, 0x00, 0, 0, 0, 0, 1, 36, 1, 3], at: 8)
    // Digital; about 96 dots an inch; gamma 2.2; preferred timing is the first; RGB.
    put([0x80, UInt8(clamping: width * 254 / 9600), UInt8(clamping: height * 254 / 9600), 120, 0x0A], at: 20)
    // sRGB's colours.
    put([0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54], at: 25)
    // 640x480, 800x600, 1024x768 at 60 Hz; then 1280x960, 1280x1024 and 1920x1080 as standard timings.
    put([0x21, 0x08, 0x00], at: 35)
    put([0x81, 0x40, 0x81, 0x80, 0xD1, 0xC0] + Array(repeating: 1, count: 10), at: 38)
    put(detailedTiming(width: width, height: height), at: 54)
    put(descriptor(0xFD, [50, 125, 30, 160, 120, 0x00, 0x0A] + Array(repeating: 0x20, count: 6)), at: 72)
    put(descriptor(0xFC, text("Martlet")), at: 90)
    put(descriptor(0x10, Array(repeating: 0, count: 13)), at: 108)
    bytes[127] = 0 &- bytes[..<127].reduce(0) { $0 &+ $1 }
    return bytes
  }

  private static func text(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8.prefix(12)) + [0x0A]
    return bytes + Array(repeating: 0x20, count: 13 - bytes.count)
  }

  private static func descriptor(_ tag: UInt8, _ data: [UInt8]) -> [UInt8] { [0, 0, 0, tag, 0] + data }

  /// Section 3.10.2, with blanking a quarter of the width and 4 % of the height. The clock ends at
  /// 655.35 MHz: sizes beyond 4K are shown less often.
  private static func detailedTiming(width: Int, height: Int) -> [UInt8] {
    let (blankX, blankY) = (max(width / 4 & ~7, 64), max(height / 25, 16))
    let (frontX, syncX, frontY, syncY) = (blankX / 4, blankX / 4, 3, 6)
    let clock = min((width + blankX) * (height + blankY) * 60 / 10_000, 65535)
    let (sizeX, sizeY) = (width * 254 / 960, height * 254 / 960)
    func low(_ value: Int) -> UInt8 { UInt8(truncatingIfNeeded: value) }
    func high(_ first: Int, _ second: Int) -> UInt8 { low((first >> 8 & 15) << 4 | second >> 8 & 15) }
    return [
      low(clock), low(clock >> 8), low(width), low(blankX), high(width, blankX), low(height), low(blankY),
      high(height, blankY), low(frontX), low(syncX), low((frontY & 15) << 4 | syncY & 15),
      low((frontX >> 8 & 3) << 6 | (syncX >> 8 & 3) << 4), low(sizeX), low(sizeY), high(sizeX, sizeY), 0, 0,
      0x18,
    ]
  }
}
