// SPDX-License-Identifier: GPL-2.0-or-later

import Network

/// A guest's TCP connection, made by hand (RFC 9293): enough of it to talk with libslirp in order and without loss.
final class GuestConnection {
  /// What came, in order.
  private(set) var received: [UInt8] = []
  /// Whether the other side has opened the connection, has nothing more to send, or ended it.
  private(set) var isOpen = false
  private(set) var isEnded = false
  private(set) var isReset = false
  /// What the other side has acknowledged, counted from the first byte.
  var acknowledgedByteCount: Int { Int(acknowledged &- firstSequence &- 1) }

  private let bench: Bench
  /// Where its frames go; another one after the network was saved and restored.
  var network: UserNetwork
  private let destination: [UInt8]
  private let ports: (own: UInt16, other: UInt16)
  private let firstSequence: UInt32
  private var sequence: UInt32
  private var acknowledged: UInt32
  private var expected: UInt32 = 0
  private var position: Int

  init(
    to destination: [UInt8], port: UInt16, from own: UInt16 = 40_000, on bench: Bench, _ network: UserNetwork,
    sequence: UInt32 = 0x1000_0000
  ) {
    (self.bench, self.network, self.destination) = (bench, network, destination)
    ports = (own, port)
    (firstSequence, self.sequence, acknowledged) = (sequence, sequence, sequence)
    position = bench.received.count
    bench.send(GuestFrame.arpRequest, through: network)
    transmit(flags: 2, [])
    self.sequence &+= 1
  }

  /// Sends data; what the other side did not take is for ``sendAgain(_:)``.
  func send(_ data: [UInt8]) {
    transmit(flags: 0x18, data)
    sequence &+= UInt32(data.count)
  }

  /// Sends the data from what was acknowledged on, as after a time without an answer. `all` is everything sent so far.
  func sendAgain(_ all: [UInt8]) {
    sequence = acknowledged
    for start in stride(from: acknowledgedByteCount, to: all.count, by: 1400) {
      send(Array(all[start..<min(start + 1400, all.count)]))
    }
  }

  /// Has nothing more to send.
  func end() {
    transmit(flags: 0x11, [])
    sequence &+= 1
  }

  /// Ends it at once.
  func abort() { transmit(flags: 4, []) }

  /// Looks through what came in, and acknowledges it.
  func turn() {
    while position < bench.received.count {
      let frame = bench.received[position]
      position += 1
      guard frame.count >= 54, frame[12] == 8, frame[13] == 0, frame[23] == 6,
        Array(frame[26..<30]) == destination,
        Array(frame[34..<38]) == ports.other.bytes + ports.own.bytes
      else { continue }
      take(Array(frame[34..<min(14 + Int(frame[16]) << 8 | Int(frame[17]) + 14, frame.count)]))
    }
  }

  private func take(_ segment: [UInt8]) {
    func long(_ offset: Int) -> UInt32 { segment[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    let flags = segment[13]
    if flags & 4 != 0 { isReset = true }
    if flags & 0x10 != 0 { acknowledged = long(8) }
    if flags & 2 != 0 {
      expected = long(4) &+ 1
      isOpen = true
    } else if long(4) == expected {
      let data = segment[min(Int(segment[12] >> 4) * 4, segment.count)...]
      received += data
      expected &+= UInt32(data.count)
      if flags & 1 != 0 {
        isEnded = true
        expected &+= 1
      }
      if data.isEmpty && flags & 1 == 0 { return }
    }
    if flags & 4 == 0 { transmit(flags: 0x10, []) }
  }

  private func transmit(flags: UInt8, _ data: [UInt8]) {
    var segment = ports.own.bytes + ports.other.bytes + sequence.bytes
    segment += (flags & 0x10 != 0 ? expected : 0).bytes + [0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0] + data
    let pseudoHeader = GuestFrame.own + destination + [0, 6] + UInt16(segment.count).bytes
    segment.replaceSubrange(16..<18, with: GuestFrame.sum(pseudoHeader + segment))
    bench.send(GuestFrame.packet(to: destination, protocol: 6, segment), through: network)
  }
}

extension FixedWidthInteger {
  /// In network byte order.
  fileprivate var bytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}
