// SPDX-License-Identifier: GPL-2.0-or-later

/// Why a command failed: sense key, additional code and qualifier (SPC-3 section 4.5.6 and annex D).
public struct SCSISense: Codable, Equatable, Sendable {
  public var key: UInt8
  /// Additional sense code.
  public var code: UInt8
  /// Additional sense code qualifier.
  public var qualifier: UInt8

  public init(_ key: UInt8, _ code: UInt8, _ qualifier: UInt8 = 0) {
    (self.key, self.code, self.qualifier) = (key, code, qualifier)
  }

  public static let none = SCSISense(0, 0)
  public static let noMedium = SCSISense(2, 0x3A)
  public static let unrecoveredRead = SCSISense(3, 0x11)
  public static let writeFault = SCSISense(3, 0x0C)
  public static let internalFailure = SCSISense(4, 0x44)
  public static let invalidCommand = SCSISense(5, 0x20)
  public static let outOfRange = SCSISense(5, 0x21)
  public static let invalidField = SCSISense(5, 0x24)
  public static let unknownUnit = SCSISense(5, 0x25)
  public static let incompatibleMedium = SCSISense(5, 0x30, 2)
  public static let invalidParameter = SCSISense(5, 0x26)
  public static let cannotSave = SCSISense(5, 0x39)
  public static let removalPrevented = SCSISense(5, 0x53, 2)
  public static let mediumChanged = SCSISense(6, 0x28)
  public static let capacityChanged = SCSISense(6, 0x2A, 9)
  public static let removalRequest = SCSISense(6, 0x5A, 1)
  public static let writeProtected = SCSISense(7, 0x27)
}
