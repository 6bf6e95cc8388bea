// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Network

// Checksums put in, and long segments cut (sections 3.5 and 3.6).

extension E1000 {
  // MARK: Checksums

  /// Whether the other side of the port fills in the checksum that `context` describes.
  func canLeaveChecksum(_ context: E1000TransmitContext) -> Bool {
    context.tcpUDPEnd == 0 && context.tcpUDPOffset >= context.tcpUDPStart && !isLoopback
      && port.offloads.contains(.checksum)
  }

  func leaveChecksum(_ context: E1000TransmitContext, to frame: inout OutgoingFrame) {
    let start = Int(context.tcpUDPStart)
    guard Int(context.tcpUDPOffset) &+ 2 <= frame.headerCount &+ frame.count else { return }
    frame.offload.needsChecksum = true
    frame.offload.checksumStart = UInt16(truncatingIfNeeded: start)
    frame.offload.checksumOffset = UInt16(truncatingIfNeeded: Int(context.tcpUDPOffset) &- start)
  }

  func insertTCPUDPChecksum(_ packet: E1000Packet, _ frame: OutgoingFrame, _ context: E1000TransmitContext) {
    insertChecksum(
      packet, frame, start: Int(context.tcpUDPStart), offset: Int(context.tcpUDPOffset),
      last: Int(context.tcpUDPEnd), isZeroAllowed: false)
  }

  func insertIPChecksum(_ packet: E1000Packet, _ frame: OutgoingFrame, _ context: E1000TransmitContext) {
    insertChecksum(
      packet, frame, start: Int(context.ipStart), offset: Int(context.ipOffset), last: Int(context.ipEnd),
      isZeroAllowed: true)
  }

  /// Sums a frame's bytes from `start` to `last` (zero: to its end), with what the field holds, and stores the
  /// complement at `offset`, which lies in the frame's header if it is in the frame.
  func insertChecksum(
    _ packet: E1000Packet, _ frame: OutgoingFrame, start: Int, offset: Int, last: Int, isZeroAllowed: Bool
  ) {
    let length = frame.headerCount &+ frame.count
    let end = last == 0 ? length : min(last &+ 1, length)
    guard start < end, offset &+ 2 <= frame.headerCount else { return }
    var sum = InternetChecksum()
    if start < frame.headerCount {
      sum.add(
        UnsafeRawBufferPointer(start: frame.header + start, count: min(end, frame.headerCount) &- start))
    }
    if end > frame.headerCount {
      let skip = max(start &- frame.headerCount, 0)
      forEachPiece(of: packet, from: frame.start &+ skip, count: end &- frame.headerCount &- skip) {
        base, part in
        sum.add(UnsafeRawBufferPointer(start: base, count: part))
      }
    }
    var value = ~sum.value
    // Zero says that there is none (RFC 768).
    if value == 0, !isZeroAllowed { value = 0xFFFF }
    frame.header.put(value, at: offset)
  }

  // MARK: Segments

  /// Sends a packet as segments of at most MSS bytes behind a header each.
  /// - Returns: false if it is not all sent yet; `partsSent` says how far it came.
  func sendSegmented(_ packet: E1000Packet, _ workLeft: inout Int) -> Bool {
    let context = segmentationContext
    let headerCount = Int(context.headerLength)
    let segmentSize = Int(context.segmentSize)
    let payload = packet.byteCount &- headerCount
    guard headerCount >= 14, segmentSize > 0, payload > 0 else {
      count(E1000Statistic.tsctfc)
      return true
    }
    let parts = (payload &+ segmentSize &- 1) / segmentSize
    copy(packet, from: 0, count: headerCount, to: buffers.template)
    if parts > 1, partsSent == 0, canLeaveSegmentation(packet, context) {
      guard workLeft > 0 else { return false }
      workLeft &-= packet.byteCount
      return sendWhole(packet, context, payload: payload, parts: parts)
    }
    while partsSent < parts {
      guard workLeft > 0 else { return false }
      let start = partsSent &* segmentSize
      let count = min(segmentSize, payload &- start)
      workLeft &-= headerCount &+ count &+ Self.workPerFrame
      guard sendPart(packet, context, start: start, count: count, isLast: partsSent == parts &- 1) else {
        return false
      }
      partsSent &+= 1
    }
    count(E1000Statistic.tsctc)
    return true
  }

  private func sendPart(
    _ packet: E1000Packet, _ context: E1000TransmitContext, start: Int, count: Int, isLast: Bool
  ) -> Bool {
    let headerCount = Int(context.headerLength)
    let header = buffers.header + E1000Buffers.headerRoom
    memcpy(header, buffers.template, headerCount)
    var frame = OutgoingFrame(
      header: header, headerCount: headerCount, start: headerCount &+ start, count: count)
    patchLengths(context, frame, identification: partsSent)
    let tcpUDP = Int(context.tcpUDPStart)
    if context.isTCP, tcpUDP &+ 14 <= headerCount {
      let sequence = UInt32(header.word(at: tcpUDP &+ 4)) << 16 | UInt32(header.word(at: tcpUDP &+ 6))
      let moved = sequence &+ UInt32(truncatingIfNeeded: start)
      header.put(UInt16(truncatingIfNeeded: moved >> 16), at: tcpUDP &+ 4)
      header.put(UInt16(truncatingIfNeeded: moved), at: tcpUDP &+ 6)
      // Only the last pushes and ends.
      if !isLast { header[tcpUDP &+ 13] &= ~0x09 }
    }
    if packet.insertsTCPUDPChecksum {
      addLengthToChecksum(context, frame)
      if canLeaveChecksum(context) {
        leaveChecksum(context, to: &frame)
      } else {
        insertTCPUDPChecksum(packet, frame, context)
      }
    }
    if packet.insertsIPChecksum { insertIPChecksum(packet, frame, context) }
    return emit(packet, &frame)
  }

  /// Brings the lengths in a frame's IP and UDP headers in line with the frame, and counts IPv4's identification.
  private func patchLengths(_ context: E1000TransmitContext, _ frame: OutgoingFrame, identification: Int) {
    let header = frame.header
    let length = frame.headerCount &+ frame.count
    let ip = Int(context.ipStart)
    if ip &+ 6 <= frame.headerCount {
      if context.isIPv4 {
        header.put(UInt16(truncatingIfNeeded: length &- ip), at: ip &+ 2)
        let first = header.word(at: ip &+ 4)
        header.put(first &+ UInt16(truncatingIfNeeded: identification), at: ip &+ 4)
      } else {
        header.put(UInt16(truncatingIfNeeded: length &- ip &- 40), at: ip &+ 4)
      }
    }
    let tcpUDP = Int(context.tcpUDPStart)
    if !context.isTCP, tcpUDP &+ 6 <= frame.headerCount {
      header.put(UInt16(truncatingIfNeeded: length &- tcpUDP), at: tcpUDP &+ 4)
    }
  }

  /// The driver's pseudo header has no length yet, as it differs from part to part.
  private func addLengthToChecksum(_ context: E1000TransmitContext, _ frame: OutgoingFrame) {
    let offset = Int(context.tcpUDPOffset)
    guard offset &+ 2 <= frame.headerCount else { return }
    let length = frame.headerCount &+ frame.count &- Int(context.tcpUDPStart)
    let sum = UInt32(frame.header.word(at: offset)) &+ UInt32(truncatingIfNeeded: length & 0xFFFF)
    frame.header.put(UInt16(truncatingIfNeeded: (sum & 0xFFFF) &+ (sum >> 16)), at: offset)
  }

  // MARK: Segments that the port cuts

  /// Whether the port's cutting gives the same frames: a plain TCP segment with both checksums.
  private func canLeaveSegmentation(_ packet: E1000Packet, _ context: E1000TransmitContext) -> Bool {
    let header = buffers.template
    let headerCount = Int(context.headerLength)
    let ip = Int(context.ipStart)
    let tcp = Int(context.tcpUDPStart)
    guard context.isTCP, packet.insertsTCPUDPChecksum, canLeaveChecksum(context),
      port.offloads.contains(context.isIPv4 ? .tcpSegmentation4 : .tcpSegmentation6),
      tcp &+ 20 <= headerCount, Int(context.tcpUDPOffset) == tcp &+ 16,
      packet.byteCount &- ip <= 0xFFFF, packet.byteCount &+ 4 <= PacketLimits.largestFrame
    else { return false }
    if context.isIPv4 {
      return packet.insertsIPChecksum && ip &+ 20 <= tcp && Int(context.ipOffset) == ip &+ 10
        && Int(context.ipEnd) == tcp &- 1 && header[ip] >> 4 == 4 && header[ip &+ 9] == 6
    }
    return ip &+ 40 == tcp && header[ip] >> 4 == 6 && header[ip &+ 6] == 6
  }

  private func sendWhole(_ packet: E1000Packet, _ context: E1000TransmitContext, payload: Int, parts: Int)
    -> Bool
  {
    let headerCount = Int(context.headerLength)
    let segmentSize = Int(context.segmentSize)
    let header = buffers.header + E1000Buffers.headerRoom
    memcpy(header, buffers.template, headerCount)
    var frame = OutgoingFrame(header: header, headerCount: headerCount, start: headerCount, count: payload)
    patchLengths(context, frame, identification: 0)
    addLengthToChecksum(context, frame)
    leaveChecksum(context, to: &frame)
    if packet.insertsIPChecksum { insertIPChecksum(packet, frame, context) }
    frame.offload.segmentation = context.isIPv4 ? .tcp4 : .tcp6
    frame.offload.headerLength = UInt16(truncatingIfNeeded: headerCount)
    frame.offload.segmentSize = context.segmentSize
    frame.parts = parts
    frame.partLength = headerCount &+ segmentSize
    frame.lastPartLength = headerCount &+ payload &- (parts &- 1) &* segmentSize
    guard emit(packet, &frame) else { return false }
    count(E1000Statistic.tsctc)
    return true
  }
}

/// Fields in network byte order.
extension UnsafeMutablePointer<UInt8> {
  func word(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1]) }

  func put(_ value: UInt16, at offset: Int) {
    self[offset] = UInt8(truncatingIfNeeded: value >> 8)
    self[offset &+ 1] = UInt8(truncatingIfNeeded: value)
  }
}
