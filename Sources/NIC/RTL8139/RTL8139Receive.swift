// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// Reception, and the ring of C mode (RTL8139C+ data sheet, section 6.2 "Receive operation").

extension RTL8139 {
  /// The longest frame of C mode with its frame check sequence; that of C+ mode is what its descriptors can say.
  private static let longestByteCount = 4096
  private static let longestPlusByteCount = 0x1FFF
  private static let headerByteCount = 4

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard !isPaused, !isTransmitting else {
      hasRefusedFrame = true
      return false
    }
    guard !isLoopback else { return true }
    guard accept(frame) else {
      hasRefusedFrame = true
      if isPlusReceiver { retryTimer.arm(at: clock.now &+ Self.retryTime) }
      return false
    }
    return true
  }

  /// How long a refused frame waits in C+ mode if nothing else has it offered again.
  private static let retryTime: UInt64 = 1_000_000

  /// Frames that the port kept are offered again. The last thing in a register access, as they come in during the
  /// call.
  func offerAgain() {
    guard hasRefusedFrame, !isPaused else { return }
    hasRefusedFrame = false
    port.receiverBecameReady()
  }

  /// A frame waits in front of a full ring of C mode. A driver that takes so many frames at a time, acknowledges and goes on when
  /// the next one comes (Linux's 8139too after 64) would wait for one that cannot come in; on a card that would be lost, and tell
  /// of the overflow. So the driver is called, as long as it moves on.
  func callDriverAgain() {
    guard hasReadMoved, !interrupts.contains(.received) else { return }
    hasReadMoved = false
    raise(.received)
  }

  /// Takes a frame that came from the cable or, in loopback, from the card itself.
  /// - Returns: false if there is no room for it.
  func accept(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard chipCommand & RTL8139Command.receive != 0, isBusMaster, frame.count >= 14,
      let base = frame.baseAddress
    else { return true }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    let passage = passage(of: bytes)
    guard passage != .refused else { return true }
    let isPlus = isPlusReceiver
    guard
      frame.count <= (isPlus ? Self.longestPlusByteCount : Self.longestByteCount) &- FrameTrailer.fcsByteCount
    else {
      countMissed()
      return true
    }
    switch isPlus ? storeInDescriptors(frame, passage) : storeInRing(frame, passage) {
    case .taken: break
    case .never:
      countMissed()
      return true
    case .notNow: return false
    }
    statistics.received &+= 1
    switch passage {
    case .own: statistics.receivedToOwn &+= 1
    case .multicast: statistics.receivedMulticasts &+= 1
    case .broadcast: statistics.receivedBroadcasts &+= 1
    case .other, .refused: break
    }
    raise(.received)
    return true
  }

  /// Whether a frame found room, and whether it ever will.
  enum Storing {
    case taken
    case notNow
    case never
  }

  func countMissed() {
    missed = min(missed &+ 1, 0xFF_FFFF)
    if statistics.missed < .max { statistics.missed &+= 1 }
  }

  // MARK: The ring of C mode

  private func storeInRing(_ frame: UnsafeRawBufferPointer, _ passage: Passage) -> Storing {
    let rcr = receiveConfiguration
    let ringByteCount = rcr.ringByteCount
    let padding = max(FrameTrailer.leastByteCount &- frame.count, 0)
    let count = frame.count &+ padding &+ FrameTrailer.fcsByteCount
    let needed = (Self.headerByteCount &+ count &+ 3) & ~3
    guard needed < ringByteCount else { return .never }
    // A ring that is all free, and one that is all used, would look the same.
    let free = (readOffset &- writeOffset) & (ringByteCount &- 1)
    guard free == 0 || needed < free else { return .notNow }

    var status = RTL8139ReceiveStatus.intact
    switch passage {
    case .own: status |= RTL8139ReceiveStatus.toOwnAddress
    case .multicast: status |= RTL8139ReceiveStatus.toMulticast
    case .broadcast: status |= RTL8139ReceiveStatus.toBroadcast
    case .other, .refused: break
    }
    // A ring of 64 KiB always wraps.
    let end = rcr.contains(.wrap) && ringByteCount < 0x10000 ? Int.max : ringByteCount
    var place = writeOffset
    var header = status | UInt32(truncatingIfNeeded: count) << 16
    withUnsafeBytes(of: &header) { put($0, at: &place, end: end) }
    put(frame, at: &place, end: end)
    put(trailer.make(for: frame, padding: padding), at: &place, end: end)
    writeOffset = (writeOffset &+ needed) & (ringByteCount &- 1)
    return .taken
  }

  /// Writes bytes into the ring, from its start again after `end`.
  private func put(_ bytes: UnsafeRawBufferPointer, at place: inout Int, end: Int) {
    let ring = GuestAddress(UInt64(registers[RTL8139Register.rbstart >> 2]))
    let part = min(bytes.count, end &- place)
    if part > 0 {
      memory.write(ring + place, from: UnsafeRawBufferPointer(rebasing: bytes[..<part]))
    }
    if part < bytes.count {
      memory.write(ring, from: UnsafeRawBufferPointer(rebasing: bytes[part...]))
      place = bytes.count &- part
    } else {
      place &+= part
    }
  }
}
