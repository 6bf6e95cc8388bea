// SPDX-License-Identifier: GPL-2.0-or-later

/// A keyboard device in the guest. Called with the machine's lock held.
public protocol KeyboardSink: AnyObject {
  /// A key went down (again, if it repeats) or up.
  func key(_ code: KeyCode, isDown: Bool)
}

/// The lights of a keyboard.
public struct KeyboardLEDs: OptionSet, Sendable, Codable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let scrollLock = KeyboardLEDs(rawValue: 1)
  public static let numLock = KeyboardLEDs(rawValue: 2)
  public static let capsLock = KeyboardLEDs(rawValue: 4)
}

/// The buttons of a mouse.
public struct PointerButtons: OptionSet, Sendable, Codable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let left = PointerButtons(rawValue: 1)
  public static let right = PointerButtons(rawValue: 2)
  public static let middle = PointerButtons(rawValue: 4)
  public static let side = PointerButtons(rawValue: 8)
  public static let extra = PointerButtons(rawValue: 16)
}

/// A pointing device in the guest. Called with the machine's lock held.
public protocol PointerSink: AnyObject {
  /// Whether it takes positions (a tablet) rather than movements (a mouse).
  var isAbsolute: Bool { get }
  /// The pointer moved by `dx`, `dy` (right and down positive, in pixels), the wheel by `wheel` notches
  /// (down positive), and these buttons are now down. Relative devices.
  func move(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons)
  /// The pointer is at `x`, `y`, each 0 … 0x7FFF over the whole screen. Absolute devices.
  func move(toX x: Int, y: Int, wheel: Int, buttons: PointerButtons)
}
