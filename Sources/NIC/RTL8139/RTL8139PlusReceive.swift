// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The receive ring of C+ mode (RTL8139C+ data sheet, section 6.3).

extension RTL8139 {
  /// A frame on its way into memory: two parts of it, with a tag between them that is left out, and a trailer.
  private struct IncomingFrame {
    var head: UnsafeRawBufferPointer
    var body: UnsafeRawBufferPointer
    var trailer = UnsafeRawBufferPointer(start: nil, count: 0)
    var count: Int { head.count &+ body.count &+ trailer.count }
  }

  private var receiveRing: GuestAddress { GuestAddress(wideRegister(RTL8139Register.rdsar)) }

  func storeInDescriptors(_ frame: UnsafeRawBufferPointer, _ passage: Passage) -> Storing {
    guard let base = frame.baseAddress else { return .taken }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    let strips = plusCommand.contains(.receiveVLAN) && frame.count >= 18 && bytes.load16(at: 12) == 0x8100
    var incoming = IncomingFrame(
      head: UnsafeRawBufferPointer(rebasing: frame[..<(strips ? 12 : frame.count)]),
      body: UnsafeRawBufferPointer(rebasing: frame[(strips ? 16 : frame.count)...]))
    let padding = max(FrameTrailer.leastByteCount &- incoming.count, 0)
    switch room(for: incoming.count &+ padding &+ FrameTrailer.fcsByteCount) {
    case .taken: break
    case .never: return .never
    case .notNow:
      raise(.noDescriptor)
      return .notNow
    }
    incoming.trailer = trailer.make(for: frame, padding: padding)

    var status: UInt32 = 0
    switch passage {
    case .own: status = RTL8139Descriptor.toOwnAddress
    case .multicast: status = RTL8139Descriptor.toMulticast
    case .broadcast: status = RTL8139Descriptor.toBroadcast
    case .other, .refused: break
    }
    if plusCommand.contains(.receiveChecksum) { status |= verify(frame, from: strips ? 16 : 12) }
    // The tag lies in memory as it came.
    let tag = strips ? RTL8139Descriptor.tagAvailable | UInt32(bytes.load16(at: 14).byteSwapped) : 0
    store(incoming, status: status, tag: tag)
    return .taken
  }

  /// Whether the descriptors that the card has hold `byteCount` bytes.
  private func room(for byteCount: Int) -> Storing {
    var index = receiveIndex
    var room = 0
    for _ in 0..<RTL8139Descriptor.ringCount {
      guard
        let descriptor = RTL8139Descriptor(
          at: receiveRing + index &* RTL8139Descriptor.byteCount, in: memory)
      else { return .never }
      guard descriptor.isOwned else { return .notNow }
      room &+= Int(descriptor.command & RTL8139Descriptor.sizeMask)
      if room >= byteCount { return .taken }
      index = descriptor.next(after: index)
      if index == receiveIndex { return .never }
    }
    return .never
  }

  private func store(_ frame: IncomingFrame, status: UInt32, tag: UInt32) {
    var done = 0
    // The guest may change descriptors meanwhile; there are never more of them.
    for _ in 0..<RTL8139Descriptor.ringCount where done < frame.count {
      let place = receiveRing + receiveIndex &* RTL8139Descriptor.byteCount
      guard let descriptor = RTL8139Descriptor(at: place, in: memory) else { return }
      let part = min(Int(descriptor.command & RTL8139Descriptor.sizeMask), frame.count &- done)
      write(frame, from: done, count: part, to: GuestAddress(descriptor.buffer))
      var command = descriptor.command & RTL8139Descriptor.endOfRing
      if done == 0 { command |= RTL8139Descriptor.first }
      done &+= part
      if done == frame.count {
        command |= RTL8139Descriptor.last | status | UInt32(truncatingIfNeeded: frame.count)
        RTL8139Descriptor.store(command: command, vlan: tag, at: place, in: memory)
      } else {
        command |= UInt32(truncatingIfNeeded: part)
        RTL8139Descriptor.store(command: command, vlan: 0, at: place, in: memory)
      }
      receiveIndex = descriptor.next(after: receiveIndex)
    }
  }

  private func write(_ frame: IncomingFrame, from start: Int, count: Int, to address: GuestAddress) {
    var store = FrameStore(from: start, count: count, to: address)
    store.put(frame.head, into: memory)
    store.put(frame.body, into: memory)
    store.put(frame.trailer, into: memory)
  }

  // MARK: Checksums

  /// What a frame's checksums are like; its type is at `typeOffset`.
  private func verify(_ frame: UnsafeRawBufferPointer, from typeOffset: Int) -> UInt32 {
    guard let base = frame.baseAddress else { return 0 }
    let ip = RTL8139IPv4(base.assumingMemoryBound(to: UInt8.self), frame.count, typeOffset: typeOffset)
    guard let ip else { return 0 }
    var sum = InternetChecksum()
    sum.add(UnsafeRawBufferPointer(rebasing: frame[ip.start..<ip.payload]))
    let failure = sum.value == 0xFFFF ? 0 : RTL8139Descriptor.ipFailed
    guard !ip.isFragment else { return RTL8139Descriptor.protocolIP | failure }
    let isTCP = ip.transport == RTL8139IPv4.tcp && ip.payloadByteCount >= 20
    let isUDP = ip.transport == RTL8139IPv4.udp && ip.payloadByteCount >= 8
    guard isTCP || isUDP else { return RTL8139Descriptor.protocolIP | failure }
    var isIntact = isUDP && frame[ip.payload + 6] == 0 && frame[ip.payload + 7] == 0
    if !isIntact {
      var sum = InternetChecksum()
      ip.addPseudoHeader(
        base.assumingMemoryBound(to: UInt8.self), payloadByteCount: ip.payloadByteCount, to: &sum)
      sum.add(UnsafeRawBufferPointer(rebasing: frame[ip.payload..<(ip.payload &+ ip.payloadByteCount)]))
      isIntact = sum.value == 0xFFFF
    }
    if isTCP {
      return RTL8139Descriptor.protocolTCP | failure | (isIntact ? 0 : RTL8139Descriptor.tcpFailed)
    }
    return RTL8139Descriptor.protocolUDP | failure | (isIntact ? 0 : RTL8139Descriptor.udpFailed)
  }
}

/// Where things are in a frame that holds an IPv4 packet.
struct RTL8139IPv4 {
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17

  /// In bytes from the frame's start.
  let start: Int
  let payload: Int
  /// As the IP header has it; it is all in the frame.
  let payloadByteCount: Int
  let transport: UInt8
  let isFragment: Bool

  /// Looks at a frame of `count` bytes, of which the first ones are at `bytes`, at least those of the IP header if there
  /// are so many; nil if it holds none that is whole.
  init?(_ bytes: UnsafePointer<UInt8>, _ count: Int, typeOffset: Int = 12) {
    start = typeOffset &+ 2
    guard count >= start &+ 20, bytes.load16(at: typeOffset) == 0x0800, bytes[start] >> 4 == 4 else {
      return nil
    }
    let headerCount = Int(bytes[start] & 15) &* 4
    let total = Int(bytes.load16(at: start &+ 2))
    guard headerCount >= 20, total >= headerCount, total <= count &- start else { return nil }
    payload = start &+ headerCount
    payloadByteCount = total &- headerCount
    transport = bytes[start &+ 9]
    isFragment = bytes.load16(at: start &+ 6) & 0x3FFF != 0
  }

  /// Adds what TCP and UDP protect besides themselves (RFC 9293, section 3.1).
  func addPseudoHeader(
    _ bytes: UnsafePointer<UInt8>, payloadByteCount: Int, to sum: inout InternetChecksum
  ) {
    sum.add(UnsafeRawBufferPointer(start: bytes + (start &+ 12), count: 8))
    sum.add(UInt16(transport))
    sum.add(UInt16(truncatingIfNeeded: payloadByteCount))
  }
}
