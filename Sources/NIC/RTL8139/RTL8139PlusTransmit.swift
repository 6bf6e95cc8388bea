// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The transmit rings of C+ mode (RTL8139C+ data sheet, section 6.3), with checksums and large sends.

extension RTL8139 {
  /// How far a ring is sent.
  struct TransmitQueue: Codable, Equatable, Sendable {
    /// The next descriptor.
    var index = 0
    /// How many parts of the packet there are sent already.
    var partsSent = 0
    /// TPPoll's bit: there is something to be sent.
    var isPolled = false

    /// The ring is sent from its start.
    mutating func rewind() { (index, partsSent) = (0, 0) }

    /// Whether a running card could have it.
    var isValid: Bool {
      (0..<RTL8139Descriptor.ringCount).contains(index) && (0...0x20000).contains(partsSent)
    }
  }

  /// How much a run may send, in bytes and an allowance for each frame, before the machine's lock is given back; it goes
  /// on from a timer.
  private static let workLimit = 4 << 20
  private static let workPerFrame = 512

  /// Sends what the rings hold, the one of high priority first.
  func transmitQueues() -> Bool {
    guard highQueue.isPolled || normalQueue.isPolled else { return false }
    var workLeft = Self.workLimit
    var causes: RTL8139Interrupts = []
    var queue = highQueue
    run(&queue, ring: RTL8139Register.thpds, &workLeft, &causes)
    highQueue = queue
    if !isPortFull, workLeft > 0 {
      queue = normalQueue
      run(&queue, ring: RTL8139Register.tnpds, &workLeft, &causes)
      normalQueue = queue
    }
    if workLeft <= 0, !isPortFull { transmitTimer.arm(at: clock.now) }
    if !causes.isEmpty { raise(causes) }
    return true
  }

  private func run(
    _ queue: inout TransmitQueue, ring offset: Int, _ workLeft: inout Int, _ causes: inout RTL8139Interrupts
  ) {
    guard queue.isPolled else { return }
    let ring = GuestAddress(wideRegister(offset) & ~0xFF)
    while workLeft > 0 {
      // Descriptors cost something even if they hold nothing.
      workLeft &-= Self.workPerFrame
      guard let packet = gather(from: queue.index, ring: ring) else {
        queue.isPolled = false
        queue.partsSent = 0
        causes.insert(.noTransmitDescriptor)
        return
      }
      if !pieces.isTooLong {
        guard send(packet, &queue.partsSent, &workLeft) else { return }
      }
      queue.partsSent = 0
      causes.insert(.sent)
      guard let next = writeBack(from: queue.index, count: packet.descriptorCount, ring: ring) else {
        queue.isPolled = false
        return
      }
      queue.index = next
    }
  }

  /// What a packet's descriptors say; its bytes are in `pieces`.
  private struct OutgoingPacket {
    var descriptorCount = 0
    /// The last descriptor's first dword.
    var command: UInt32 = 0
    var tag: UInt16?

    var segmentSize: Int? {
      guard command & RTL8139Descriptor.largeSend != 0 else { return nil }
      return Int(command >> RTL8139Descriptor.segmentSizeShift & RTL8139Descriptor.segmentSizeMask)
    }
    func has(_ bit: UInt32) -> Bool { command & (bit | RTL8139Descriptor.largeSend) == bit }
  }

  /// Gathers the packet at `first`; nil if the card does not have all of it. A ring without an end of a packet is a
  /// packet that is too long, lest it be looked at for ever.
  private func gather(from first: Int, ring: GuestAddress) -> OutgoingPacket? {
    pieces.removeAll()
    var packet = OutgoingPacket()
    var index = first
    while packet.descriptorCount < RTL8139Descriptor.ringCount {
      guard
        let descriptor = RTL8139Descriptor(
          at: ring + index &* RTL8139Descriptor.byteCount, in: memory), descriptor.isOwned
      else { return nil }
      packet.descriptorCount &+= 1
      packet.command = descriptor.command
      if descriptor.vlan & RTL8139Descriptor.insertTag != 0 {
        packet.tag = UInt16(truncatingIfNeeded: descriptor.vlan).byteSwapped
      }
      pieces.add(
        GuestAddress(descriptor.buffer), Int(descriptor.command & RTL8139Descriptor.lengthMask), from: memory)
      if descriptor.command & RTL8139Descriptor.last != 0 { return packet }
      index = descriptor.next(after: index)
      if index == first { break }
    }
    pieces.giveUp()
    return packet
  }

  /// Gives descriptors back; returns the index of the next, or nil if they cannot be written.
  private func writeBack(from first: Int, count: Int, ring: GuestAddress) -> Int? {
    var index = first
    for _ in 0..<count {
      let place = ring + index &* RTL8139Descriptor.byteCount
      guard let descriptor = RTL8139Descriptor(at: place, in: memory),
        RTL8139Descriptor.store(
          command: descriptor.command & ~(RTL8139Descriptor.own | RTL8139Descriptor.errorMask), at: place,
          in: memory)
      else { return nil }
      index = descriptor.next(after: index)
    }
    return index
  }

  /// - Returns: false if it is not all sent yet.
  private func send(_ packet: OutgoingPacket, _ partsSent: inout Int, _ workLeft: inout Int) -> Bool {
    let templateCount = pieces.readTemplate()
    let ip = RTL8139IPv4(pieces.template, templateCount >= 34 ? pieces.byteCount : 0)
    if let segmentSize = packet.segmentSize, segmentSize > 0, let ip,
      let segments = Segments(ip, pieces, segmentSize: segmentSize)
    {
      return send(segments, tag: packet.tag, &partsSent, &workLeft)
    }
    workLeft &-= pieces.byteCount
    var headerCount = packet.tag == nil ? 0 : min(12, templateCount)
    var offload = PacketOffload.none
    memcpy(pieces.header, pieces.template, templateCount)
    if let ip {
      if packet.has(RTL8139Descriptor.ipChecksum) {
        headerCount = ip.payload
        insertIPChecksum(ip)
      }
      if let fieldOffset = checksumOffset(packet, ip), ip.payload &+ fieldOffset &+ 2 <= templateCount {
        headerCount = ip.payload &+ fieldOffset &+ 2
        insertTransportChecksum(
          ip, headerCount: headerCount, start: headerCount, count: pieces.byteCount &- headerCount,
          payloadByteCount: ip.payloadByteCount, fieldOffset: fieldOffset, &offload)
      }
    }
    return emit(
      headerCount: headerCount, tag: packet.tag, from: headerCount, count: pieces.byteCount &- headerCount,
      offload)
  }

  /// Where in its header the checksum is that a packet wants.
  private func checksumOffset(_ packet: OutgoingPacket, _ ip: RTL8139IPv4) -> Int? {
    guard !ip.isFragment else { return nil }
    if ip.transport == RTL8139IPv4.tcp, packet.has(RTL8139Descriptor.tcpChecksum), ip.payloadByteCount >= 20 {
      return 16
    }
    if ip.transport == RTL8139IPv4.udp, packet.has(RTL8139Descriptor.udpChecksum), ip.payloadByteCount >= 8 {
      return 6
    }
    return nil
  }

  private func insertIPChecksum(_ ip: RTL8139IPv4) {
    let header = pieces.header
    header.store16(0, at: ip.start &+ 10)
    var sum = InternetChecksum()
    sum.add(UnsafeRawBufferPointer(start: header + ip.start, count: ip.payload &- ip.start))
    header.store16(~sum.value, at: ip.start &+ 10)
  }

  /// Fills in TCP's or UDP's checksum, or leaves it to the port.
  private func insertTransportChecksum(
    _ ip: RTL8139IPv4, headerCount: Int, start: Int, count: Int, payloadByteCount: Int, fieldOffset: Int,
    _ offload: inout PacketOffload
  ) {
    let header = pieces.header
    let field = ip.payload &+ fieldOffset
    var sum = InternetChecksum()
    ip.addPseudoHeader(header, payloadByteCount: payloadByteCount, to: &sum)
    // The port sums to the frame's end, where there may be more than IP knows of.
    if !isLoopback, port.offloads.contains(.checksum), ip.payload &+ payloadByteCount == headerCount &+ count
    {
      header.store16(sum.value, at: field)
      offload.needsChecksum = true
      offload.checksumStart = UInt16(truncatingIfNeeded: ip.payload)
      offload.checksumOffset = UInt16(truncatingIfNeeded: fieldOffset)
      return
    }
    header.store16(0, at: field)
    let inHeader = min(headerCount &- ip.payload, payloadByteCount)
    sum.add(UnsafeRawBufferPointer(start: header + ip.payload, count: inHeader))
    pieces.forEach(from: start, count: min(count, payloadByteCount &- inHeader)) { base, part in
      sum.add(UnsafeRawBufferPointer(start: base, count: part))
    }
    // Zero says that there is none (RFC 768).
    header.store16(sum.value == 0xFFFF ? 0xFFFF : ~sum.value, at: field)
  }

  // MARK: Large sends

  /// A TCP packet to be cut.
  private struct Segments {
    let ip: RTL8139IPv4
    let headerCount: Int
    let segmentSize: Int
    let payloadByteCount: Int
    var count: Int { (payloadByteCount &+ segmentSize &- 1) / segmentSize }

    /// Nil if what was gathered is no whole TCP packet with data.
    init?(_ ip: RTL8139IPv4, _ pieces: RTL8139Pieces, segmentSize: Int) {
      guard ip.transport == RTL8139IPv4.tcp, !ip.isFragment, ip.payloadByteCount >= 20 else { return nil }
      headerCount = ip.payload &+ Int(pieces.template[ip.payload &+ 12] >> 4) &* 4
      payloadByteCount = ip.payload &+ ip.payloadByteCount &- headerCount
      guard headerCount >= ip.payload &+ 20, payloadByteCount > 0 else { return nil }
      self.ip = ip
      self.segmentSize = segmentSize
    }
  }

  private func send(_ segments: Segments, tag: UInt16?, _ partsSent: inout Int, _ workLeft: inout Int) -> Bool
  {
    let count = segments.count
    if count > 1, partsSent == 0, !isLoopback, port.offloads.contains(.checksum),
      port.offloads.contains(.tcpSegmentation4)
    {
      workLeft &-= pieces.byteCount
      return sendPart(segments, tag: tag, start: 0, count: segments.payloadByteCount, number: 0, isLast: true)
    }
    while partsSent < count {
      guard workLeft > 0 else { return false }
      let start = partsSent &* segments.segmentSize
      let part = min(segments.segmentSize, segments.payloadByteCount &- start)
      workLeft &-= segments.headerCount &+ part &+ Self.workPerFrame
      guard
        sendPart(
          segments, tag: tag, start: start, count: part, number: partsSent, isLast: partsSent == count &- 1)
      else { return false }
      partsSent &+= 1
    }
    return true
  }

  /// Sends the header and `count` bytes of the payload from `start` on.
  private func sendPart(
    _ segments: Segments, tag: UInt16?, start: Int, count: Int, number: Int, isLast: Bool
  ) -> Bool {
    let ip = segments.ip
    let header = pieces.header
    let template = UnsafePointer(pieces.template)
    let headerCount = segments.headerCount
    memcpy(header, template, headerCount)
    let payloadByteCount = headerCount &- ip.payload &+ count
    header.store16(UInt16(truncatingIfNeeded: ip.payload &- ip.start &+ payloadByteCount), at: ip.start &+ 2)
    let identification = template.load16(at: ip.start &+ 4) &+ UInt16(truncatingIfNeeded: number)
    header.store16(identification, at: ip.start &+ 4)
    let sequence =
      UInt32(template.load16(at: ip.payload &+ 4)) << 16 | UInt32(template.load16(at: ip.payload &+ 6))
    let moved = sequence &+ UInt32(truncatingIfNeeded: start)
    header.store16(UInt16(truncatingIfNeeded: moved >> 16), at: ip.payload &+ 4)
    header.store16(UInt16(truncatingIfNeeded: moved), at: ip.payload &+ 6)
    // Only the last pushes and ends.
    if !isLast { header[ip.payload &+ 13] &= ~0x09 }
    insertIPChecksum(ip)
    var offload = PacketOffload.none
    insertTransportChecksum(
      ip, headerCount: headerCount, start: headerCount &+ start, count: count,
      payloadByteCount: payloadByteCount, fieldOffset: 16, &offload)
    if count > segments.segmentSize {
      offload.segmentation = .tcp4
      offload.headerLength = UInt16(truncatingIfNeeded: headerCount)
      offload.segmentSize = UInt16(truncatingIfNeeded: segments.segmentSize)
    }
    if tag != nil {
      offload.checksumStart &+= offload.needsChecksum ? 4 : 0
      offload.headerLength &+= offload.segmentation == .none ? 0 : 4
    }
    return emit(
      headerCount: headerCount, tag: tag, from: headerCount &+ start, count: count, offload)
  }
}
