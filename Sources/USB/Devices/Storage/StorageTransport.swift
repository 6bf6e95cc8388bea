// SPDX-License-Identifier: GPL-2.0-or-later

import SCSI

/// Where a bulk-only disk is in a command, as far as it outlives a transfer.
struct StorageTransport: Codable, Equatable, Sendable {
  enum Stage: String, Codable, Sendable {
    /// A command block wrapper is expected.
    case command
    case dataIn
    case dataOut
    /// The host is to read the status.
    case status
    /// What should have been a command was none: both endpoints stall until the reset (Bulk-Only Transport 1.0
    /// section 6.6.1).
    case broken
  }

  /// Where the data stage's data comes from or goes.
  enum Source: String, Codable, Sendable {
    case none
    case reply
    case parameters
    case medium
  }

  /// A part of the medium to be discarded.
  struct Range: Codable, Equatable, Sendable {
    var offset: UInt64
    var byteCount: UInt64
  }

  /// A multiple of the blocks' size; reads are as long.
  static let bufferByteCount = 128 << 10

  var stage = Stage.command
  var source = Source.none
  /// dCBWTag
  var tag: UInt32 = 0
  /// dCBWDataTransferLength: what the host expects.
  var hostByteCount: UInt64 = 0
  /// What the drive has or takes.
  var deviceByteCount: UInt64 = 0
  /// How far finished transfers came.
  var position: UInt64 = 0
  var status = BulkOnlyTransport.Status.passed
  /// Where the data begins on the medium.
  var mediumOffset: UInt64 = 0
  /// Written data, or all before, is to be on stable storage before the status is told.
  var mustFlush = false
  /// To be discarded before the status is told.
  var discards: [Range] = []

  /// Whether a saved one can be ours, with `byteCount` bytes beside it.
  func isValid(byteCount: Int) -> Bool {
    let limit: UInt64 = 1 << 48
    return byteCount <= Self.bufferByteCount && position <= hostByteCount
      && hostByteCount <= UInt64(UInt32.max)
      && deviceByteCount <= limit && mediumOffset <= limit && discards.count <= SCSIDisk.parameterByteCount
      && (source == .reply
        ? deviceByteCount <= UInt64(byteCount)
        : UInt64(byteCount) <= position && byteCount <= Self.bufferByteCount)
  }
}
