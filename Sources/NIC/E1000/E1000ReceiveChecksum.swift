// SPDX-License-Identifier: GPL-2.0-or-later

// Checksums of what is received (section 3.2.9).

extension E1000 {
  /// What was found of a received frame.
  private struct Finding {
    /// Where the IP payload starts and ends, if it is a whole TCP or UDP packet with a checksum.
    var payload: Range<Int>?
    /// The pseudo header, its length included.
    var pseudoHeader = InternetChecksum()
    var isIPChecked = false
    var isIPWrong = false
  }

  /// Checks what RXCSUM asks for of a frame in two parts; headers are looked for in the second if the first holds
  /// just the addresses.
  /// - Returns: status and error bits, and the packet checksum from PCSS on.
  func verify(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer)
    -> (E1000ReceiveDescriptor.Status, E1000ReceiveDescriptor.Errors, UInt16)
  {
    let wanted = E1000ReceiveChecksum(rawValue: registers[E1000Register.rxcsum >> 2])
    var status: E1000ReceiveDescriptor.Status = []
    var errors: E1000ReceiveDescriptor.Errors = []
    // Whatever comes after the addresses, and the type.
    let packet = body.isEmpty ? UnsafeRawBufferPointer(rebasing: head[12...]) : body
    let finding =
      wanted.contains(.ip) || wanted.contains(.tcpUDP) ? Self.dissect(packet) : Finding()
    if finding.isIPChecked, wanted.contains(.ip) {
      status.insert(.ipChecked)
      if finding.isIPWrong { errors.insert(.ip) }
    }
    var payloadSum: UInt16?
    if let payload = finding.payload, wanted.contains(.tcpUDP) {
      var sum = InternetChecksum()
      sum.add(UnsafeRawBufferPointer(rebasing: packet[payload]))
      payloadSum = sum.value
      var total = finding.pseudoHeader
      total.add(sum.value)
      status.insert(.tcpChecked)
      if total.value != 0xFFFF { errors.insert(.tcp) }
    }
    if status.isEmpty { status.insert(.ignoreChecksum) }
    let checksum = packetChecksum(
      head, packet, from: wanted.start, payload: finding.payload, payloadSum: payloadSum)
    return (status, errors, checksum)
  }

  /// The complement of the sum from `start` to the end. The payload's sum is not taken again if it is known.
  private func packetChecksum(
    _ head: UnsafeRawBufferPointer, _ packet: UnsafeRawBufferPointer, from start: Int, payload: Range<Int>?,
    payloadSum: UInt16?
  ) -> UInt16 {
    let count = 12 &+ packet.count
    guard start < count else { return 0xFFFF }
    var sum = InternetChecksum()
    if start < 12 { sum.add(UnsafeRawBufferPointer(rebasing: head[start..<12])) }
    let first = max(start &- 12, 0)
    if let payload, let payloadSum, payload.lowerBound >= first, (payload.lowerBound &+ 12 &- start) & 1 == 0,
      payload.count & 1 == 0 || payload.upperBound == packet.count
    {
      sum.add(UnsafeRawBufferPointer(rebasing: packet[first..<payload.lowerBound]))
      sum.add(payloadSum)
      sum.add(UnsafeRawBufferPointer(rebasing: packet[payload.upperBound...]))
    } else {
      sum.add(UnsafeRawBufferPointer(rebasing: packet[first...]))
    }
    return ~sum.value
  }

  /// Looks for IP, TCP and UDP in what follows the two addresses, Ethernet II or behind one tag that was not taken
  /// off.
  private static func dissect(_ packet: UnsafeRawBufferPointer) -> Finding {
    guard packet.count >= 2 else { return Finding() }
    var start = 2
    var type = word(packet, 0)
    if type == 0x8100, packet.count >= 6 {
      type = word(packet, 4)
      start = 6
    }
    switch type {
    case 0x0800: return dissectIPv4(packet, at: start)
    case 0x86DD: return dissectIPv6(packet, at: start)
    default: return Finding()
    }
  }

  private static func dissectIPv4(_ packet: UnsafeRawBufferPointer, at start: Int) -> Finding {
    var finding = Finding()
    guard packet.count >= start &+ 20, packet[start] >> 4 == 4 else { return finding }
    let headerCount = Int(packet[start] & 0xF) &* 4
    let total = Int(word(packet, start &+ 2))
    guard headerCount >= 20, total >= headerCount, packet.count &- start >= total else { return finding }
    var sum = InternetChecksum()
    sum.add(UnsafeRawBufferPointer(rebasing: packet[start..<(start &+ headerCount)]))
    finding.isIPChecked = true
    finding.isIPWrong = sum.value != 0xFFFF
    // Fragments have no checksum of their own.
    guard word(packet, start &+ 6) & 0x3FFF == 0 else { return finding }
    setPayload(
      &finding, packet, number: packet[start &+ 9], (start &+ headerCount)..<(start &+ total),
      addresses: (start &+ 12)..<(start &+ 20))
    return finding
  }

  private static func dissectIPv6(_ packet: UnsafeRawBufferPointer, at start: Int) -> Finding {
    var finding = Finding()
    guard packet.count >= start &+ 40, packet[start] >> 4 == 6 else { return finding }
    let end = start &+ 40 &+ Int(word(packet, start &+ 4))
    guard packet.count >= end else { return finding }
    var number = packet[start &+ 6]
    var position = start &+ 40
    // Hop-by-hop and destination options; routing would need the last address.
    while number == 0 || number == 60 {
      guard position &+ 8 <= end else { return finding }
      number = packet[position]
      position = position &+ (Int(packet[position &+ 1]) &+ 1) &* 8
    }
    guard position <= end else { return finding }
    setPayload(&finding, packet, number: number, position..<end, addresses: (start &+ 8)..<(start &+ 40))
    return finding
  }

  private static func setPayload(
    _ finding: inout Finding, _ packet: UnsafeRawBufferPointer, number: UInt8, _ payload: Range<Int>,
    addresses: Range<Int>
  ) {
    switch number {
    case 6: guard payload.count >= 20 else { return }
    case 17:
      guard payload.count >= 8, Int(word(packet, payload.lowerBound &+ 4)) == payload.count,
        word(packet, payload.lowerBound &+ 6) != 0
      else { return }
    default: return
    }
    finding.payload = payload
    finding.pseudoHeader.add(UnsafeRawBufferPointer(rebasing: packet[addresses]))
    finding.pseudoHeader.add(UInt16(number))
    finding.pseudoHeader.add(UInt16(truncatingIfNeeded: payload.count))
  }

  private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
    UInt16(bytes[offset]) << 8 | UInt16(bytes[offset &+ 1])
  }
}
