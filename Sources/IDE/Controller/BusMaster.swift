// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import GuestMemory

/// The bus-master engine of one channel: its registers, and the walk through the table of physical region descriptors
/// (BMIDE 1.0, sections 1.2 and 3).
final class BusMaster {
  /// Where the walk is.
  struct Cursor: Codable, Equatable {
    /// The next descriptor.
    var descriptor: UInt32 = 0
    /// The rest of the current region.
    var address: UInt32 = 0
    var count: UInt32 = 0
    /// The current region is the last.
    var isLast = false
    /// Descriptors used since the beginning of the table.
    var used = 0
  }

  /// As many descriptors as fit between two 64 KiB boundaries, which a table may not cross (BMIDE 1.0, section 1.2). One
  /// without an end would otherwise keep the engine going round for the whole transfer.
  private static let longestTable = 8192

  /// How far the regions went for a transfer.
  enum Outcome: Equatable {
    /// All of it.
    case complete
    /// The table ended before the transfer.
    case short
    /// A region or the table itself is not in memory.
    case fault
    /// More pieces than a request holds.
    case tooManyPieces
  }

  var command: UInt8 = 0
  var status: UInt8 = 0
  var table: UInt32 = 0
  var cursor = Cursor()
  private let memory: GuestMemory

  init(memory: GuestMemory) { self.memory = memory }

  var isStarted: Bool { command & BusMasterCommand.start != 0 }
  var isToMemory: Bool { command & BusMasterCommand.toMemory != 0 }

  /// The table has been used up.
  var isAtEnd: Bool { cursor.isLast && cursor.count == 0 }

  /// Goes back to the beginning of the table.
  func rewind() { cursor = Cursor(descriptor: table & ~3) }

  func begin() {
    rewind()
    status |= BusMasterStatus.active
    status &= ~BusMasterStatus.error
  }

  /// Makes sure that there is a current region.
  /// - Returns: false at the end of the table; nil if the table is not in memory.
  private func nextRegion() -> Bool? {
    if cursor.count > 0 { return true }
    if cursor.isLast { return false }
    guard cursor.used < Self.longestTable else { return nil }
    cursor.used += 1
    guard let descriptor = memory.load(GuestAddress(cursor.descriptor), as: UInt64.self) else { return nil }
    // A table may not cross a 64 KiB boundary: the engine's address counter wraps in it.
    cursor.descriptor = cursor.descriptor & 0xFFFF_0000 | (cursor.descriptor &+ 8) & 0xFFFF
    cursor.address = UInt32(truncatingIfNeeded: descriptor) & ~1
    let count = UInt32(truncatingIfNeeded: descriptor >> 32) & 0xFFFE
    cursor.count = count == 0 ? 0x10000 : count
    cursor.isLast = descriptor >> 63 != 0
    return true
  }

  /// Takes up to `limit` bytes of the current region, which a transfer uses.
  private func take(_ limit: Int, for access: GuestMemory.Access) -> UnsafeMutableRawBufferPointer? {
    let wanted = min(limit, Int(cursor.count))
    guard let bytes = memory.hostBytes(at: GuestAddress(cursor.address), count: wanted, for: access) else {
      return nil
    }
    cursor.address &+= UInt32(bytes.count)
    cursor.count -= UInt32(bytes.count)
    return bytes
  }

  /// Fills a request with the regions of the next `count` bytes; on anything but success the cursor stays where it was.
  func gather(into request: BlockRequest, count: Int, for access: GuestMemory.Access) -> Outcome {
    let start = cursor
    request.removeSegments()
    var rest = count
    while rest > 0 {
      switch nextRegion() {
      case nil:
        cursor = start
        return .fault
      case false?:
        cursor = start
        return .short
      case true?: break
      }
      guard let bytes = take(rest, for: access) else {
        cursor = start
        return .fault
      }
      guard request.append(bytes) else {
        cursor = start
        return .tooManyPieces
      }
      rest -= bytes.count
    }
    return .complete
  }

  /// Copies between a buffer of the device and the next regions.
  /// - Returns: how it ended and how many bytes were copied.
  func copy(_ buffer: UnsafeMutableRawBufferPointer, toMemory: Bool) -> (Outcome, Int) {
    var done = 0
    while done < buffer.count {
      guard let hasRegion = nextRegion() else { return (.fault, done) }
      guard hasRegion else { return (.short, done) }
      guard let bytes = take(buffer.count - done, for: toMemory ? .write : .read) else {
        return (.fault, done)
      }
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + bytes.count)])
      if toMemory {
        bytes.copyMemory(from: UnsafeRawBufferPointer(part))
      } else {
        part.copyMemory(from: UnsafeRawBufferPointer(bytes))
      }
      done += bytes.count
    }
    return (.complete, done)
  }

  func reset() {
    command = 0
    status = 0
    table = 0
    cursor = Cursor()
  }

  /// The registers and the walk.
  struct State: Codable, Equatable, Sendable {
    var command: UInt8
    var status: UInt8
    var table: UInt32
    var descriptor: UInt32
    var address: UInt32
    var count: UInt32
    var isLast: Bool
    var used: Int
  }

  func save() -> State {
    State(
      command: command, status: status, table: table, descriptor: cursor.descriptor, address: cursor.address,
      count: cursor.count, isLast: cursor.isLast, used: cursor.used)
  }

  func restore(_ state: State) {
    command = state.command & (BusMasterCommand.start | BusMasterCommand.toMemory)
    status = state.status & 0x67
    table = state.table & ~3
    cursor = Cursor(
      descriptor: state.descriptor & ~3, address: state.address, count: min(state.count, 0x10000),
      isLast: state.isLast, used: min(max(state.used, 0), Self.longestTable))
  }
}
