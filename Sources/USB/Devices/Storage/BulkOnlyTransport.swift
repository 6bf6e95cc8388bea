// SPDX-License-Identifier: GPL-2.0-or-later

/// The wrappers and requests of USB Mass Storage Class, Bulk-Only Transport 1.0.
enum BulkOnlyTransport {
  /// "USBC": a command block wrapper (section 5.1).
  static let commandSignature: UInt32 = 0x4342_5355
  static let commandByteCount = 31
  /// "USBS": a command status wrapper (section 5.2).
  static let statusSignature: UInt32 = 0x5342_5355
  static let statusByteCount = 13
  /// Class requests (section 3).
  static let reset: UInt8 = 0xFF
  static let getMaxLUN: UInt8 = 0xFE

  /// bCSWStatus.
  enum Status: UInt8, Codable, Sendable {
    case passed = 0
    case failed = 1
    case phaseError = 2
  }
}
