// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// A logical unit: does commands, whatever moves their data. Called with the machine's lock held.
public protocol SCSIUnit: AnyObject {
  /// Where its blocks are.
  var drive: Drive { get }
  /// What `SCSIAction.reply` is about.
  var reply: UnsafeMutableRawBufferPointer { get }
  /// Why the last command failed.
  var sense: SCSISense { get set }
  /// Begins a command.
  /// - Parameters:
  ///   - command: the command descriptor block, of 16 bytes; what is beyond its length is zero.
  ///   - unit: the number it was sent to; 0 is this one, and others are not there.
  func begin(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction
  /// The parameters of a command are there.
  /// - Returns: what else is to be done, and the ranges to discard: byte offsets and counts.
  func finish(parameters: UnsafeRawBufferPointer) -> (SCSIAction, [(offset: UInt64, byteCount: UInt64)])
  /// Forgets errors, and that the medium is locked.
  func reset()
  /// The drive has another medium, or none.
  func mediumChanged()
  /// The tray was moved from outside.
  func trayMoved()
  /// Somebody outside asks for the medium.
  func ejectRequested()
  /// The medium has another size.
  func resized()
  /// What it keeps.
  func save() -> SCSIUnitState
  func restore(_ state: SCSIUnitState)
}

/// What a logical unit keeps beside the drive's own state.
public struct SCSIUnitState: Codable, Equatable, Sendable {
  var sense = SCSISense.none
  /// A unit attention that nobody has seen.
  var attention: SCSISense?
  /// What GET EVENT STATUS NOTIFICATION tells next of the medium: 0 nothing, 1 eject wanted, 2 new medium, 3 removed.
  var mediaEvent: UInt8 = 0
}

extension SCSIUnit {
  /// Keeps the reason for REQUEST SENSE.
  public func fail(_ reason: SCSISense) -> SCSIAction {
    sense = reason
    return .failed
  }

  /// Puts a reply where it is fetched from, cut to what was asked for.
  func reply(_ bytes: [UInt8], limit: Int) -> SCSIAction {
    let count = min(bytes.count, reply.count, max(limit, 0))
    reply.copyBytes(from: bytes.prefix(count))
    return count == 0 ? .good : .reply(count)
  }

  /// Fixed format (SPC-3 section 4.5.3).
  func senseData(_ told: SCSISense) -> [UInt8] {
    [0x70, 0, told.key, 0, 0, 0, 0, 10, 0, 0, 0, 0, told.code, told.qualifier, 0, 0, 0, 0]
  }
}
