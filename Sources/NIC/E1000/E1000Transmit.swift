// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The transmit ring (section 3.3 and 3.4).

extension E1000 {
  /// How much a run may send, in bytes and an allowance for each frame, before the machine's lock is given back;
  /// it goes on from a timer.
  private static let workLimit = 4 << 20
  static let workPerFrame = 512

  /// A frame as it leaves: a header that was changed, then the packet's bytes `start ..< start + count`.
  struct OutgoingFrame {
    var header: UnsafeMutablePointer<UInt8>
    var headerCount = 0
    var start = 0
    var count = 0
    var offload = PacketOffload.none
    /// How many frames it will be, and their lengths without the frame check sequence.
    var parts = 1
    var partLength = 0
    var lastPartLength = 0
  }

  private var transmitControl: E1000TransmitControl {
    E1000TransmitControl(rawValue: registers[E1000Register.tctl >> 2])
  }

  /// The guest, or whoever runs it, wants the ring sent.
  func beginTransmit() {
    tripLeft = .max
    transmit()
  }

  public func packetPortBecameReady() {
    isPortFull = false
    transmit()
  }

  /// Sends the packets that are in the ring, at most once around it since the guest last asked for it: a tail that is never
  /// reached is no endless work, in however many parts it is done.
  func transmit() {
    let tail = Int(registers[E1000Register.tdt >> 2])
    let ringCount = Int(registers[E1000Register.tdlen >> 2]) / E1000TransmitDescriptor.byteCount
    var head = Int(registers[E1000Register.tdh >> 2])
    var descriptorsLeft = min(tripLeft, ringCount)
    guard head != tail, descriptorsLeft > 0, transmitControl.contains(.enable), isBusMaster,
      !isTransmitting, !isPortFull, !isPaused
    else { return }
    if head >= ringCount { head = 0 }
    isTransmitting = true
    var causes: E1000Interrupts = []
    var isUrgent = false
    var workLeft = Self.workLimit
    while head != tail, descriptorsLeft > 0 {
      var packet = E1000Packet()
      guard gather(&packet, from: head, to: tail, ringCount: ringCount, limit: descriptorsLeft) else { break }
      guard packet.isContext || packet.isTooLong || send(&packet, &workLeft) else { break }
      partsSent = 0
      if packet.reportsEarly || packet.reportsAtEnd {
        writeBack(packet, from: head, ringCount: ringCount)
        causes.insert(.txdw)
        if !packet.delaysInterrupt { isUrgent = true }
      }
      descriptorsLeft &-= packet.descriptorCount
      head &+= packet.descriptorCount
      if head >= ringCount { head &-= ringCount }
      registers[E1000Register.tdh >> 2] = UInt32(truncatingIfNeeded: head)
    }
    isTransmitting = false
    tripLeft = descriptorsLeft
    if workLeft <= 0, head != tail { transmitTimer.arm(at: clock.now) }
    if head == tail {
      // The threshold for few descriptors, LWTHRESH, has been passed too.
      let isLow = registers[E1000Register.txdctl >> 2] >> 25 != 0
      registers[E1000Register.icr >> 2] |=
        E1000Interrupts.txqe.rawValue | (isLow ? E1000Interrupts.txdLow.rawValue : 0)
    }
    if causes.isEmpty {
      updateInterrupt()
    } else if isUrgent {
      raise(causes)
    } else {
      updateInterrupt()
      raise(causes, after: transmitDelay)
    }
    port.endOfBatch()
  }

  /// TIDV, or TADV if it is shorter and not zero.
  private var transmitDelay: UInt32 {
    let relative = registers[E1000Register.tidv >> 2]
    let absolute = registers[E1000Register.tadv >> 2]
    return absolute == 0 ? relative : min(relative, absolute)
  }

  private func writeBack(_ packet: E1000Packet, from head: Int, ringCount: Int) {
    var index = head
    let base = GuestAddress(transmitBase)
    for number in 1...packet.descriptorCount {
      let address = base + (index &* E1000TransmitDescriptor.byteCount &+ E1000TransmitDescriptor.upperOffset)
      index = index &+ 1 >= ringCount ? 0 : index &+ 1
      if number < packet.descriptorCount {
        // The command is right before the status.
        guard packet.reportsEarly, let lower = memory.load(address + -4, as: UInt32.self),
          E1000TransmitDescriptor(first: 0, lower: lower, upper: 0).reportsStatus,
          let upper = memory.load(address, as: UInt32.self)
        else { continue }
        storeDone(upper, at: address)
      } else if packet.reportsAtEnd {
        storeDone(packet.lastUpper, at: address)
      }
    }
  }

  private func storeDone(_ upper: UInt32, at address: GuestAddress) {
    guard let bytes = memory.hostBytes(at: address, count: 4, for: .write), bytes.count == 4 else { return }
    bytes.storeBytes(
      of: upper & ~E1000TransmitDescriptor.statusMask | E1000TransmitDescriptor.done, as: UInt32.self)
  }

  /// Sends one packet, in as many frames as it makes.
  /// - Returns: false if it is not all sent yet.
  private func send(_ packet: inout E1000Packet, _ workLeft: inout Int) -> Bool {
    if packet.isSegmented { return sendSegmented(packet, &workLeft) }
    guard workLeft > 0 else { return false }
    guard packet.byteCount > 0 else { return true }
    workLeft &-= packet.byteCount &+ Self.workPerFrame
    if !packet.insertsFCS { takeOffFCS(&packet) }
    var frame = OutgoingFrame(header: buffers.header + E1000Buffers.headerRoom, count: packet.byteCount)
    let context = checksumContext
    if packet.insertsLegacyChecksum {
      makeHeader(packet, &frame, count: packet.legacyOffset &+ 2)
      insertChecksum(
        packet, frame, start: packet.legacyStart, offset: packet.legacyOffset, last: 0, isZeroAllowed: true)
    }
    if packet.insertsTCPUDPChecksum {
      if canLeaveChecksum(context) {
        leaveChecksum(context, to: &frame)
      } else {
        makeHeader(packet, &frame, count: Int(context.tcpUDPOffset) &+ 2)
        insertTCPUDPChecksum(packet, frame, context)
      }
    }
    if packet.insertsIPChecksum {
      makeHeader(packet, &frame, count: Int(context.ipOffset) &+ 2)
      insertIPChecksum(packet, frame, context)
    }
    return emit(packet, &frame)
  }

  /// Without IFCS the guest has put the frame check sequence at the end itself. What is not one stays: drivers
  /// that forget the bit get away with it on other emulators.
  private func takeOffFCS(_ packet: inout E1000Packet) {
    guard packet.byteCount >= 18 else { return }
    makeLinear(&packet)
    let count = packet.byteCount &- 4
    let stored = UnsafeRawPointer(buffers.linear).loadUnaligned(fromByteOffset: count, as: UInt32.self)
    guard EthernetCRC.checksum(UnsafeRawBufferPointer(start: buffers.linear, count: count)) == stored else {
      return
    }
    packet.byteCount = count
    buffers.pieces[0].iov_len = count
  }

  /// Has the first bytes of a packet, at least `count` if there are so many, in the header where they can be
  /// changed.
  func makeHeader(_ packet: E1000Packet, _ frame: inout OutgoingFrame, count: Int) {
    let wanted = min(count, packet.byteCount, E1000Buffers.headerByteCount)
    guard wanted > frame.headerCount else { return }
    copy(
      packet, from: frame.headerCount, count: wanted &- frame.headerCount,
      to: frame.header + frame.headerCount)
    frame.headerCount = wanted
    frame.start = wanted
    frame.count = packet.byteCount &- wanted
  }

  /// Puts the tag in and hands the frame over.
  /// - Returns: false if the port is full.
  func emit(_ packet: E1000Packet, _ frame: inout OutgoingFrame) -> Bool {
    if let tag = packet.tag, control.contains(.vlanMode) {
      if frame.headerCount == 0 { makeHeader(packet, &frame, count: 12) }
      insertTag(tag, &frame)
    }
    var length = frame.headerCount &+ frame.count
    var count = 0
    let output = buffers.output
    if frame.headerCount > 0 {
      output[0] = iovec(iov_base: frame.header, iov_len: frame.headerCount)
      count = 1
    }
    forEachPiece(of: packet, from: frame.start, count: frame.count) { base, part in
      output[count] = iovec(iov_base: base, iov_len: part)
      count &+= 1
    }
    if length < 60, transmitControl.contains(.padShortPackets) {
      output[count] = iovec(iov_base: buffers.zeros, iov_len: 60 &- length)
      count &+= 1
      length = 60
    }
    // Shorter than a header, or longer than the card's buffer, is no frame.
    guard length >= 14, frame.parts > 1 || length <= 16384, count <= PacketLimits.mostPieces else {
      return true
    }
    if frame.parts == 1 { frame.lastPartLength = length }
    return handOver(UnsafeBufferPointer(start: output, count: count), frame)
  }

  private func handOver(_ pieces: UnsafeBufferPointer<iovec>, _ frame: OutgoingFrame) -> Bool {
    if isLoopback {
      receiveLoopback(pieces)
    } else if isLinkUp {
      guard port.send(pieces, frame.offload) else {
        isPortFull = true
        return false
      }
    } else {
      return true
    }
    countSent(frame, destination: destination(of: pieces))
    return true
  }

  /// The first six bytes of a frame of at least 14.
  private func destination(of pieces: UnsafeBufferPointer<iovec>) -> UInt64 {
    if pieces[0].iov_len >= 8, let base = pieces[0].iov_base {
      return base.loadUnaligned(as: UInt64.self) & 0xFFFF_FFFF_FFFF
    }
    var bytes: UInt64 = 0
    var done = 0
    for piece in pieces {
      for index in 0..<piece.iov_len where done < 6 {
        let byte = piece.iov_base?.load(fromByteOffset: index, as: UInt8.self) ?? 0
        bytes |= UInt64(byte) << UInt64(done &* 8)
        done &+= 1
      }
      if done >= 6 { break }
    }
    return bytes
  }

  /// Moves the two addresses down to make room for the tag (section 9.2).
  private func insertTag(_ tag: UInt16, _ frame: inout OutgoingFrame) {
    guard frame.headerCount >= 12 else { return }
    let type = UInt16(truncatingIfNeeded: registers[E1000Register.vet >> 2])
    let start = frame.header - E1000Buffers.headerRoom
    memmove(start, frame.header, 12)
    start[12] = UInt8(truncatingIfNeeded: type >> 8)
    start[13] = UInt8(truncatingIfNeeded: type)
    start[14] = UInt8(truncatingIfNeeded: tag >> 8)
    start[15] = UInt8(truncatingIfNeeded: tag)
    frame.header = start
    frame.headerCount &+= 4
    frame.partLength &+= 4
    frame.lastPartLength &+= 4
    if frame.offload.needsChecksum { frame.offload.checksumStart &+= 4 }
    if frame.offload.segmentation != .none { frame.offload.headerLength &+= 4 }
  }

  private func receiveLoopback(_ pieces: UnsafeBufferPointer<iovec>) {
    var done = 0
    for piece in pieces {
      guard let base = piece.iov_base, piece.iov_len <= E1000Buffers.loopbackByteCount &- done else { return }
      memcpy(buffers.loopback + done, base, piece.iov_len)
      done &+= piece.iov_len
    }
    if !accept(UnsafeRawBufferPointer(start: buffers.loopback, count: done)) { count(E1000Statistic.mpc) }
  }
}
