// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// An interrupter: its registers, and its event ring as the producer sees it (xHCI 1.2, sections 4.9.4 and 4.17).
struct XHCIInterrupter: Codable, Equatable {
  /// How many blocks the one segment of an event ring may have (section 6.5).
  private static let segmentSizes: ClosedRange<UInt32> = 16...4096
  /// EHB of ERDP.
  private static let eventHandlerBusy: UInt64 = 1 << 3

  var management: XHCIInterrupterManagement = []
  /// IMOD; interrupts are not held back.
  var moderation: UInt32 = 4000
  /// ERSTSZ; a table has one segment (ERST Max is 0).
  private(set) var segmentTableSize: UInt32 = 0
  private(set) var segmentTable: UInt64 = 0
  /// ERDP
  private(set) var dequeue: UInt64 = 0

  /// The segment: where it is, how many blocks it has, and where the next event goes.
  private var base: UInt64 = 0
  private var blockCount: UInt32 = 0
  private var position: UInt32 = 0
  /// PCS
  private var cycle = true

  // MARK: Registers

  mutating func write(segmentTableSize value: UInt32) { segmentTableSize = value & 0xFFFF }

  /// ERSTBA: the ring begins. There is none if the table's entry (section 6.5) is not a right one.
  mutating func write(segmentTable value: UInt64, _ memory: GuestMemory) {
    segmentTable = value & ~63
    (position, cycle) = (0, true)
    let entry = GuestAddress(segmentTable)
    guard segmentTableSize > 0, let address = memory.load(entry, as: UInt64.self),
      let size = memory.load(entry + 8, as: UInt32.self), Self.segmentSizes.contains(size & 0xFFFF)
    else {
      blockCount = 0
      return
    }
    (base, blockCount) = (address & ~63, size & 0xFFFF)
  }

  /// ERDP.
  /// - Returns: whether the driver said that it has handled events, but not all that there are.
  mutating func write(dequeue value: UInt64, isLow: Bool) -> Bool {
    let isBusy = dequeue & Self.eventHandlerBusy != 0
    dequeue = value & ~Self.eventHandlerBusy
    guard isLow, value & Self.eventHandlerBusy != 0 else {
      if isBusy { dequeue |= Self.eventHandlerBusy }
      return false
    }
    return blockCount > 0 && enqueue != dequeue & ~15
  }

  private var enqueue: UInt64 { base &+ UInt64(position) &* UInt64(XHCIBlock.byteCount) }

  // MARK: Events

  /// Whether the driver gave it an event ring.
  var hasRing: Bool { blockCount > 0 }

  /// Whether there is a ring, and room for so many events in it, or, if it is not longer, for half of it.
  func hasRoom(for count: Int) -> Bool {
    guard blockCount > 0 else { return false }
    // The last place stays free, so that a full ring differs from an empty one.
    var free = blockCount - 1
    let handled = ((dequeue & ~15) &- base) / UInt64(XHCIBlock.byteCount)
    if handled < UInt64(blockCount) {
      free -= (blockCount + position - UInt32(truncatingIfNeeded: handled)) % blockCount
    }
    return free >= min(UInt32(clamping: count), blockCount / 2)
  }

  /// Puts an event onto the ring.
  /// - Returns: false where there is no ring or no memory.
  mutating func put(_ event: XHCIBlock, _ memory: GuestMemory) -> Bool {
    guard blockCount > 0 else { return false }
    let address = GuestAddress(enqueue)
    let words = SIMD4<UInt32>(
      event.parameter.lowWord, event.parameter.highWord, event.status, 0)
    let isWritten = withUnsafeBytes(of: words) { bytes in
      memory.write(
        address, from: UnsafeRawBufferPointer(rebasing: bytes[..<Int(XHCIBlock.controlOffset)]))
    }
    // The cycle bit hands it over: last.
    let control = event.control & ~XHCIBlock.cycle | (cycle ? XHCIBlock.cycle : 0)
    guard isWritten, memory.store(control, at: address + XHCIBlock.controlOffset) else { return false }
    position += 1
    if position == blockCount {
      position = 0
      cycle.toggle()
    }
    return true
  }

  /// An event asks for an interrupt, unless the driver is at work on those before.
  /// - Returns: whether the interrupter is pending now and was not.
  mutating func raise() -> Bool {
    guard dequeue & Self.eventHandlerBusy == 0 else { return false }
    dequeue |= Self.eventHandlerBusy
    return management.insert(.pending).inserted
  }

  /// Whether a saved state can be one of ours.
  var isValid: Bool {
    segmentTableSize <= 0xFFFF && base & 63 == 0 && segmentTable & 63 == 0
      && (blockCount == 0 || Self.segmentSizes.contains(blockCount) && position < blockCount)
  }
}
