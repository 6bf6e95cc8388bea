// SPDX-License-Identifier: GPL-2.0-or-later

/// Operation codes of a CD-ROM drive (SPC-3, MMC-4).
enum SCSICommand: UInt8 {
  case testUnitReady = 0x00
  case requestSense = 0x03
  case inquiry = 0x12
  case modeSense6 = 0x1A
  case startStopUnit = 0x1B
  case preventAllowRemoval = 0x1E
  case readCapacity = 0x25
  case read10 = 0x28
  case seek10 = 0x2B
  case readTOC = 0x43
  case getConfiguration = 0x46
  case getEventStatus = 0x4A
  case readDiscInformation = 0x51
  case modeSense10 = 0x5A
  case read12 = 0xA8
  case readDVDStructure = 0xAD
  case setCDSpeed = 0xBB
  case mechanismStatus = 0xBD
  case readCD = 0xBE
}

/// Sense key with additional sense code and qualifier (SPC-3, section 4.5.6 and annex D).
struct SenseCode: Codable, Equatable, Sendable {
  var key: UInt8
  var code: UInt8
  var qualifier: UInt8 = 0

  static let none = SenseCode(key: 0, code: 0)
  static let noMedium = SenseCode(key: 2, code: 0x3A)
  static let mediumError = SenseCode(key: 3, code: 0x11)
  static let invalidOperation = SenseCode(key: 5, code: 0x20)
  static let addressOutOfRange = SenseCode(key: 5, code: 0x21)
  static let invalidField = SenseCode(key: 5, code: 0x24)
  static let removalPrevented = SenseCode(key: 5, code: 0x53, qualifier: 2)
  static let mediumChanged = SenseCode(key: 6, code: 0x28)
}
