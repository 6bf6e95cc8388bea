// SPDX-License-Identifier: GPL-2.0-or-later

/// A TCP segment over IPv4 in a frame of the guest's (RFC 791, section 3.1; RFC 9293, section 3.1).
struct GuestSegment {
  let source: UInt32
  let destination: UInt32
  let sourcePort: UInt16
  let destinationPort: UInt16
  let sequence: UInt32
  /// Whether it opens a connection.
  let isOpening: Bool
  /// Whether it carries data.
  let hasData: Bool
  /// Whether it is a part of a packet: then only the addresses are known.
  let isFragment: Bool

  private static let packet = 14

  /// The segment in a frame; nil if there is none that anybody would take.
  init?(_ frame: UnsafeRawBufferPointer) {
    let packet = Self.packet
    guard frame.count >= packet + 20, frame[12] == 8, frame[13] == 0, frame[packet] >> 4 == 4,
      frame[packet + 9] == 6
    else { return nil }
    func word(_ offset: Int) -> UInt16 { UInt16(frame[offset]) << 8 | UInt16(frame[offset + 1]) }
    func long(_ offset: Int) -> UInt32 { UInt32(word(offset)) << 16 | UInt32(word(offset + 2)) }
    source = long(packet + 12)
    destination = long(packet + 16)
    // More fragments, or an offset.
    isFragment = word(packet + 6) & 0x3FFF != 0
    guard !isFragment else {
      (sourcePort, destinationPort, sequence, isOpening, hasData) = (0, 0, 0, false, false)
      return
    }
    let segment = packet + Int(frame[packet] & 0xF) * 4
    guard frame.count >= segment + 20 else { return nil }
    sourcePort = word(segment)
    destinationPort = word(segment + 2)
    sequence = long(segment + 4)
    isOpening = frame[segment + 13] & 0x12 == 0x02
    hasData = Int(word(packet + 2)) > segment - packet + Int(frame[segment + 12] >> 4) * 4
  }

  /// A frame from the same guest that resets this connection.
  func reset(sequence: UInt32, like frame: UnsafeRawBufferPointer) -> [UInt8] {
    func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    var segment = bytes(sourcePort) + bytes(destinationPort) + bytes(sequence) + bytes(UInt32(0))
    segment += [0x50, 0x04, 0, 0, 0, 0, 0, 0]
    let addresses = bytes(source) + bytes(destination)
    segment.replaceSubrange(16..<18, with: bytes(Self.checksum(addresses + [0, 6, 0, 20] + segment)))
    var header: [UInt8] = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0] + addresses
    header.replaceSubrange(10..<12, with: bytes(Self.checksum(header)))
    return frame.prefix(Self.packet) + header + segment
  }

  /// The Internet checksum of an even number of bytes (RFC 1071).
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
      sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
    }
    while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
  }
}
