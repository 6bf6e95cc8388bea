// SPDX-License-Identifier: GPL-2.0-or-later

/// A key of a PC keyboard by its place, not by what is printed on it: the scan code of set 1 ("XT"), with
/// 0x80 added for keys with the 0xE0 prefix. It is what QEMU's extended key events carry, and what a
/// keyboard device translates to its own codes.
public struct KeyCode: RawRepresentable, Hashable, Sendable, Codable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Whether the key's scan code has the 0xE0 prefix.
  public var isExtended: Bool { rawValue & 0x80 != 0 }
  /// The scan code without prefix.
  public var scanCode: UInt8 { rawValue & 0x7F }

  public static let escape = KeyCode(rawValue: 0x01)
  public static let leftControl = KeyCode(rawValue: 0x1D)
  public static let rightControl = KeyCode(rawValue: 0x9D)
  public static let leftShift = KeyCode(rawValue: 0x2A)
  public static let rightShift = KeyCode(rawValue: 0x36)
  public static let leftAlt = KeyCode(rawValue: 0x38)
  /// Right Alt, AltGr.
  public static let rightAlt = KeyCode(rawValue: 0xB8)
  public static let leftMeta = KeyCode(rawValue: 0xDB)
  public static let rightMeta = KeyCode(rawValue: 0xDC)
  public static let space = KeyCode(rawValue: 0x39)
  public static let enter = KeyCode(rawValue: 0x1C)
  public static let capsLock = KeyCode(rawValue: 0x3A)
  public static let numLock = KeyCode(rawValue: 0x45)
  public static let scrollLock = KeyCode(rawValue: 0x46)
  public static let delete = KeyCode(rawValue: 0xD3)
  /// Print Screen; with Alt held a keyboard sends SysRq (0x54).
  public static let printScreen = KeyCode(rawValue: 0xB7)
  /// Pause, whose scan code is a sequence of its own (0xE1 0x1D 0x45 …).
  public static let pause = KeyCode(rawValue: 0xC6)
}
