// SPDX-License-Identifier: GPL-2.0-or-later

/// What a command asks of its transport.
public enum SCSIAction: Equatable {
  /// Done.
  case good
  /// Failed; the sense is kept for REQUEST SENSE.
  case failed
  /// So many bytes of the reply are the data to the initiator.
  case reply(Int)
  /// So many bytes of parameters are expected, then ``SCSIUnit/finish(parameters:)``.
  case parameters(Int)
  /// Bytes of the medium to the initiator.
  case read(offset: UInt64, byteCount: UInt64)
  /// Bytes from the initiator to the medium.
  case write(offset: UInt64, byteCount: UInt64, isDurable: Bool)
  /// What was written is to be on stable storage.
  case flush
}
