// SPDX-License-Identifier: GPL-2.0-or-later

/// The 8042's translation of scan code set 2 to set 1: a table, and the break prefix that becomes bit 7 of what follows
/// (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device controller).
struct ScanCodeTranslator: Codable, Equatable, Sendable {
  private static let breakPrefix: UInt8 = 0xF0
  private var sawBreak = false

  /// What the guest gets for a byte of the keyboard; nil for the break prefix.
  mutating func translate(_ byte: UInt8) -> UInt8? {
    if byte == Self.breakPrefix {
      sawBreak = true
      return nil
    }
    let code = Int(byte) < ScanCodes.set1ForSet2.count ? ScanCodes.set1ForSet2[Int(byte)] : byte
    defer { sawBreak = false }
    return sawBreak ? code | 0x80 : code
  }

  /// Forgets a prefix.
  mutating func clear() { sawBreak = false }
}
