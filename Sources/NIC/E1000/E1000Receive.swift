// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The receive ring (section 3.2).

extension E1000 {
  /// The longest frames with their frame check sequence: without LPE, and with it.
  private static let longestByteCount = 1522
  private static let longestLongByteCount = 16384
  private static let leastByteCount = 60
  private static let fcsByteCount = 4

  /// A frame on its way into memory: two parts of it, with a tag between them that is left out, and a trailer.
  private struct IncomingFrame {
    var head: UnsafeRawBufferPointer
    var body: UnsafeRawBufferPointer
    var trailerCount = 0
    var count: Int { head.count &+ body.count &+ trailerCount }
  }

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard !isPaused, !isTransmitting else {
      hasRefusedFrame = true
      return false
    }
    guard isLinkUp, !isLoopback else {
      hasRefusedFrame = false
      return true
    }
    guard accept(frame) else {
      hasRefusedFrame = true
      lateRoom.wait()
      return false
    }
    hasRefusedFrame = false
    lateRoom.end()
    return true
  }

  /// The guest made room, or does not want frames any more: those that wait are offered again. The last thing in
  /// a register access, as frames come in during the call.
  func offerAgain() {
    guard hasRefusedFrame, !isPaused else { return }
    hasRefusedFrame = false
    port.receiverBecameReady()
  }

  /// Takes a frame that came from the cable or, in loopback, from the card itself.
  /// - Returns: false if there is no room for it.
  func accept(_ frame: UnsafeRawBufferPointer) -> Bool {
    let rctl = receiveControl
    guard rctl.contains(.enable), isBusMaster, let base = frame.baseAddress else { return true }
    guard frame.count >= 14 else {
      count(E1000Statistic.ruc)
      return true
    }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    let type = UInt16(bytes[12]) << 8 | UInt16(bytes[13])
    let isTagged = frame.count >= 18 && UInt32(type) == registers[E1000Register.vet >> 2]
    let tag = isTagged ? UInt16(bytes[14]) << 8 | UInt16(bytes[15]) : nil
    let wireCount = max(frame.count, Self.leastByteCount) &+ Self.fcsByteCount
    let passage = passage(of: bytes, tag: tag)
    let isTooLong =
      wireCount > Self.longestLongByteCount
      || (wireCount > Self.longestByteCount && !rctl.contains(.longPackets)
        && !rctl.contains(.storeBadPackets))
    if passage == .refused || isTooLong {
      countSeen(wireCount)
      if isTooLong { count(E1000Statistic.roc) }
      return true
    }

    let strips = isTagged && control.contains(.vlanMode)
    var incoming = IncomingFrame(
      head: UnsafeRawBufferPointer(rebasing: frame[..<(strips ? 12 : frame.count)]),
      body: UnsafeRawBufferPointer(rebasing: frame[(strips ? 16 : frame.count)...]))
    incoming.trailerCount =
      max(Self.leastByteCount &- frame.count, 0) &+ (rctl.contains(.stripCRC) ? 0 : Self.fcsByteCount)

    var room = room(for: incoming.count, bufferByteCount: rctl.bufferByteCount)
    if room == false, let deliverLateWrites {
      // A write to RDT must not have this very frame offered again meanwhile.
      let isOfferedAgain = hasRefusedFrame
      hasRefusedFrame = false
      deliverLateWrites()
      hasRefusedFrame = isOfferedAgain
      room = self.room(for: incoming.count, bufferByteCount: rctl.bufferByteCount)
    }
    guard let room else {
      // It would not fit into the empty ring either.
      countSeen(wireCount)
      count(E1000Statistic.mpc)
      return true
    }
    guard room else {
      // Once for each frame, however often its port tries.
      if !hasRefusedFrame {
        count(E1000Statistic.rnbc)
        raise(.rxo)
      }
      return false
    }
    if !rctl.contains(.stripCRC) { makeTrailer(frame) }
    var (status, errors, checksum) = verify(incoming.head, incoming.body)
    if passage == .inexact { status.insert(.inexact) }
    if strips { status.insert(.vlan) }
    store(
      incoming, bufferByteCount: rctl.bufferByteCount, status: status, errors: errors, checksum: checksum,
      special: strips ? tag ?? 0 : 0)

    countSeen(wireCount)
    let isGroup = bytes[0] & 1 != 0
    let isBroadcast = isGroup && (0..<6).allSatisfy { bytes[$0] == 0xFF }
    countReceived(length: wireCount, isGroup: isGroup, isBroadcast: isBroadcast)
    raiseReceived(incoming.count)
    return true
  }

  /// Counts a frame whether it was let in or not.
  private func countSeen(_ wireCount: Int) {
    count(E1000Statistic.tpr)
    count(E1000Statistic.tor, bytes: wireCount)
  }

  private var receiveRingCount: Int {
    Int(registers[E1000Register.rdlen >> 2]) / E1000ReceiveDescriptor.byteCount
  }

  /// How many descriptors the guest has given.
  private func receiveDescriptorsLeft(_ ringCount: Int) -> Int {
    let head = Int(registers[E1000Register.rdh >> 2])
    let tail = Int(registers[E1000Register.rdt >> 2])
    // A tail behind the ring's end is never reached.
    if tail >= ringCount { return ringCount }
    return tail >= head ? tail &- head : max(ringCount &- head, 0) &+ tail
  }

  /// Whether the ring has room for so many bytes; nil if it never has.
  private func room(for byteCount: Int, bufferByteCount: Int) -> Bool? {
    let ringCount = receiveRingCount
    let needed = (byteCount &+ bufferByteCount &- 1) / bufferByteCount
    if ringCount > 0 && needed >= ringCount && needed > 1 { return nil }
    return receiveDescriptorsLeft(ringCount) >= needed
  }

  /// The padding and the frame check sequence of a frame as it was on the cable.
  private func makeTrailer(_ frame: UnsafeRawBufferPointer) {
    let padding = max(Self.leastByteCount &- frame.count, 0)
    if padding == 0 {
      storeFCS(EthernetCRC.checksum(frame), at: 0)
    } else {
      // Short enough to be put together.
      withUnsafeTemporaryAllocation(byteCount: Self.leastByteCount, alignment: 8) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.copyMemory(from: frame)
        storeFCS(EthernetCRC.checksum(UnsafeRawBufferPointer(bytes)), at: padding)
      }
      memset(buffers.trailer, 0, padding)
    }
  }

  private func storeFCS(_ value: UInt32, at offset: Int) {
    UnsafeMutableRawPointer(buffers.trailer).storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
  }

  /// Writes a frame into as many buffers as it needs, each with its descriptor's status.
  private func store(
    _ frame: IncomingFrame, bufferByteCount: Int, status: E1000ReceiveDescriptor.Status,
    errors: E1000ReceiveDescriptor.Errors, checksum: UInt16, special: UInt16
  ) {
    let ringCount = receiveRingCount
    let ring = GuestAddress(
      UInt64(registers[E1000Register.rdbah >> 2]) << 32 | UInt64(registers[E1000Register.rdbal >> 2]))
    var head = Int(registers[E1000Register.rdh >> 2])
    if head >= ringCount { head = 0 }
    var done = 0
    while done < frame.count {
      let descriptor = ring + head &* E1000ReceiveDescriptor.byteCount
      let part = min(bufferByteCount, frame.count &- done)
      if let buffer = memory.load(descriptor, as: UInt64.self), buffer != 0 {
        write(frame, from: done, count: part, to: GuestAddress(buffer))
      }
      done &+= part
      let isLast = done == frame.count
      let word = E1000ReceiveDescriptor.word(
        length: part, checksum: isLast ? checksum : 0,
        status: isLast ? status.union(.last) : .done, errors: isLast ? errors : [],
        special: isLast ? special : 0)
      // One store: a guest that sees DD sees all of it.
      if let bytes = memory.hostBytes(at: descriptor + 8, count: 8, for: .write), bytes.count == 8 {
        bytes.storeBytes(of: word, as: UInt64.self)
      }
      head = head &+ 1 >= ringCount ? 0 : head &+ 1
    }
    registers[E1000Register.rdh >> 2] = UInt32(truncatingIfNeeded: head)
  }

  private func write(_ frame: IncomingFrame, from start: Int, count: Int, to address: GuestAddress) {
    var store = FrameStore(from: start, count: count, to: address)
    store.put(frame.head, into: memory)
    store.put(frame.body, into: memory)
    store.put(UnsafeRawBufferPointer(start: buffers.trailer, count: frame.trailerCount), into: memory)
  }

  /// The interrupts for a frame that was stored.
  private func raiseReceived(_ byteCount: Int) {
    let ringCount = receiveRingCount
    if receiveDescriptorsLeft(ringCount) <= ringCount >> Int(receiveControl.thresholdShift) {
      registers[E1000Register.icr >> 2] |= E1000Interrupts.rxdmt0.rawValue
    }
    let small = Int(registers[E1000Register.rsrpd >> 2])
    if small != 0, byteCount <= small { registers[E1000Register.icr >> 2] |= E1000Interrupts.srpd.rawValue }
    let relative = registers[E1000Register.rdtr >> 2]
    let absolute = registers[E1000Register.radv >> 2]
    let delay = absolute == 0 ? relative : min(relative, absolute)
    if delay == 0 {
      raise(.rxt0)
    } else {
      updateInterrupt()
      raise(.rxt0, after: delay)
    }
  }
}
