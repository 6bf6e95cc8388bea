// SPDX-License-Identifier: GPL-2.0-or-later

/// Operation codes (SPC-3, SBC-2).
enum SCSIOperation {
  static let testUnitReady: UInt8 = 0x00
  static let requestSense: UInt8 = 0x03
  static let formatUnit: UInt8 = 0x04
  static let read6: UInt8 = 0x08
  static let write6: UInt8 = 0x0A
  static let inquiry: UInt8 = 0x12
  static let modeSelect6: UInt8 = 0x15
  static let modeSense6: UInt8 = 0x1A
  static let startStopUnit: UInt8 = 0x1B
  static let sendDiagnostic: UInt8 = 0x1D
  static let preventAllowMediumRemoval: UInt8 = 0x1E
  static let readFormatCapacities: UInt8 = 0x23
  static let readCapacity10: UInt8 = 0x25
  static let read10: UInt8 = 0x28
  static let write10: UInt8 = 0x2A
  static let seek10: UInt8 = 0x2B
  static let verify10: UInt8 = 0x2F
  static let synchronizeCache10: UInt8 = 0x35
  static let unmap: UInt8 = 0x42
  static let modeSense10: UInt8 = 0x5A
  static let read16: UInt8 = 0x88
  static let write16: UInt8 = 0x8A
  static let verify16: UInt8 = 0x8F
  static let synchronizeCache16: UInt8 = 0x91
  static let serviceActionIn16: UInt8 = 0x9E
  static let reportLUNs: UInt8 = 0xA0
  static let read12: UInt8 = 0xA8
  static let write12: UInt8 = 0xAA
  /// The service action of SERVICE ACTION IN(16) that is READ CAPACITY(16).
  static let readCapacity16: UInt8 = 0x10
}

/// Why a command failed: sense key, additional code and qualifier (SPC-3 section 4.5.6 and annex D).
struct SCSISense: Codable, Equatable, Sendable {
  var key: UInt8
  var code: UInt8
  var qualifier: UInt8

  init(_ key: UInt8, _ code: UInt8, _ qualifier: UInt8 = 0) {
    (self.key, self.code, self.qualifier) = (key, code, qualifier)
  }

  static let none = SCSISense(0, 0)
  static let noMedium = SCSISense(2, 0x3A)
  static let unrecoveredRead = SCSISense(3, 0x11)
  static let writeFault = SCSISense(3, 0x0C)
  static let invalidCommand = SCSISense(5, 0x20)
  static let outOfRange = SCSISense(5, 0x21)
  static let invalidField = SCSISense(5, 0x24)
  static let unknownUnit = SCSISense(5, 0x25)
  static let invalidParameter = SCSISense(5, 0x26)
  static let mediumChanged = SCSISense(6, 0x28)
  static let capacityChanged = SCSISense(6, 0x2A, 9)
  static let removalRequest = SCSISense(6, 0x5A, 1)
  static let writeProtected = SCSISense(7, 0x27)
}

/// What a command asks of its transport.
enum SCSIAction: Equatable {
  /// Done.
  case good
  /// Failed; the sense is kept for REQUEST SENSE.
  case failed
  /// So many bytes of the reply are the data to the initiator.
  case reply(Int)
  /// So many bytes of parameters are expected, then ``SCSIDisk/finish(parameters:)``.
  case parameters(Int)
  /// Bytes of the medium to the initiator.
  case read(offset: UInt64, byteCount: UInt64)
  /// Bytes from the initiator to the medium.
  case write(offset: UInt64, byteCount: UInt64, isDurable: Bool)
  /// What was written is to be on stable storage.
  case flush
}
