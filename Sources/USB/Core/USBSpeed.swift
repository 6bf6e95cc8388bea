// SPDX-License-Identifier: GPL-2.0-or-later

/// How fast a device is connected (USB 2.0 section 4.2.1, USB 3.2 section 3.1).
public enum USBSpeed: UInt8, Codable, Comparable, Sendable {
  /// 1.5 Mb/s.
  case low
  /// 12 Mb/s.
  case full
  /// 480 Mb/s.
  case high
  /// 5 Gb/s.
  case superSpeed

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The speeds that a device has or a port offers.
public struct USBSpeeds: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ speed: USBSpeed) { rawValue = 1 << speed.rawValue }
  public static let low = USBSpeeds(.low)
  public static let full = USBSpeeds(.full)
  public static let high = USBSpeeds(.high)
  public static let superSpeed = USBSpeeds(.superSpeed)

  public static let all: USBSpeeds = [.low, .full, .high, .superSpeed]

  /// The fastest of them.
  public var fastest: USBSpeed? {
    for speed in [USBSpeed.superSpeed, .high, .full, .low] where contains(USBSpeeds(speed)) { return speed }
    return nil
  }

  /// The slowest of them.
  public var slowest: USBSpeed? {
    for speed in [USBSpeed.low, .full, .high, .superSpeed] where contains(USBSpeeds(speed)) { return speed }
    return nil
  }
}
