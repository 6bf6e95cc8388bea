// SPDX-License-Identifier: GPL-2.0-or-later

/// Takes the frames of a browser's WebSocket apart (RFC 6455, section 5) and makes the server's.
///
/// What a browser sends is a stream of bytes to RFB, so how it is cut into frames and messages does not matter,
/// and a frame of any length needs no memory.
struct WebSocketFrames {
  /// Why a connection is closed.
  struct Violation: Error, CustomStringConvertible {
    let description: String
  }

  /// What came in besides data.
  enum Control: Equatable {
    case ping([UInt8])
    case close
  }

  private enum Opcode {
    static let continuation: UInt8 = 0
    static let binary: UInt8 = 2
    static let close: UInt8 = 8
    static let ping: UInt8 = 9
    static let pong: UInt8 = 10
  }

  private var header: [UInt8] = []
  private var opcode: UInt8 = 0
  private var mask: [UInt8] = []
  private var maskIndex = 0
  private var remaining: UInt64 = 0
  private var control: [UInt8] = []

  /// At the beginning of a frame.
  init() {}

  /// Takes what came from the browser.
  /// - Returns: the bytes in it, and the control frames.
  mutating func receive(
    _ bytes: UnsafeRawBufferPointer
  ) throws(Violation) -> (data: [UInt8], controls: [Control]) {
    var data: [UInt8] = []
    var controls: [Control] = []
    for byte in bytes {
      if mask.isEmpty {
        header.append(byte)
        try parseHeader()
        if mask.isEmpty || remaining > 0 { continue }
      } else {
        let plain = byte ^ mask[maskIndex & 3]
        maskIndex &+= 1
        remaining -= 1
        if opcode < Opcode.close { data.append(plain) } else { control.append(plain) }
      }
      guard remaining == 0 else { continue }
      switch opcode {
      case Opcode.ping: controls.append(.ping(control))
      case Opcode.close: controls.append(.close)
      default: break
      }
      mask = []
      control = []
    }
    return (data, controls)
  }

  /// Looks whether the header is complete; sets ``mask`` if so.
  private mutating func parseHeader() throws(Violation) {
    guard header.count >= 2 else { return }
    let length = header[1] & 0x7F
    let extra = length == 126 ? 2 : length == 127 ? 8 : 0
    guard header.count == 2 + extra + 4 else {
      guard header[0] & 0x70 == 0 else { throw Violation(description: "reserved bits are set") }
      guard header[1] & 0x80 != 0 else { throw Violation(description: "a frame is not masked") }
      return
    }
    opcode = header[0] & 0xF
    remaining = extra == 0 ? UInt64(length) : header[2..<2 + extra].reduce(0) { $0 << 8 | UInt64($1) }
    switch opcode {
    case Opcode.continuation, Opcode.binary: break
    case Opcode.close, Opcode.ping, Opcode.pong:
      guard remaining <= 125, header[0] & 0x80 != 0 else {
        throw Violation(description: "a control frame is too long")
      }
    default: throw Violation(description: "a frame has the opcode \(opcode), not binary")
    }
    mask = Array(header.suffix(4))
    maskIndex = 0
    header = []
  }

  /// The header of a binary frame with `count` bytes, which follow it.
  static func header(count: Int) -> [UInt8] { header(opcode: Opcode.binary, count: count) }
  /// The answer to a ping.
  static func pong(_ data: [UInt8]) -> [UInt8] { header(opcode: Opcode.pong, count: data.count) + data }
  /// The frame that ends the connection, with status 1000 (normal).
  static let close: [UInt8] = [0x80 | Opcode.close, 2, 0x03, 0xE8]

  private static func header(opcode: UInt8, count: Int) -> [UInt8] {
    var header: [UInt8] = [0x80 | opcode]
    switch count {
    case ...125: header.append(UInt8(truncatingIfNeeded: count))
    case ...0xFFFF:
      header.append(126)
      header.append(bigEndian: UInt16(truncatingIfNeeded: count))
    default:
      header.append(127)
      header.append(bigEndian: UInt64(count))
    }
    return header
  }
}
