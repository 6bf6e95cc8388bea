// SPDX-License-Identifier: GPL-2.0-or-later

/// Cuts what a viewer sends into messages, and lets only whole, known, sane ones through to the library.
///
/// The library reads a message in pieces and waits where a piece is missing; it also knows many messages that
/// this server does not want. Neither is left to the viewer.
struct RFBMessageFilter {
  /// Why a viewer is disconnected.
  struct Violation: Error, CustomStringConvertible {
    let description: String
  }

  /// The most encodings a viewer may list; real ones list some thirty.
  static let maximumEncodings = 1024

  private enum Stage {
    case version, securityType, challengeResponse, clientInit, messages
  }

  private let needsPassword: Bool
  private var stage = Stage.version
  private var pending: [UInt8] = []
  /// Whether the viewer may send pointer events with more buttons.
  private var hasMoreButtons = false
  /// Bytes still to come of a message that is being thrown away.
  private var skip = 0

  /// A filter for a viewer that has not yet said anything.
  init(needsPassword: Bool) { self.needsPassword = needsPassword }

  /// Whether the version is known.
  var hasVersion: Bool { stage != .version }
  /// Whether the viewer chooses from a list of security types (from 3.7 on).
  private(set) var choosesSecurityType = false
  /// Whether the library can take over; before that it need not hear of the viewer.
  var isReady: Bool { stage != .version && stage != .securityType }
  /// The security type that is offered (RFC 6143, 7.1.2): 1, none, or 2, a password.
  var securityType: UInt8 { needsPassword ? 2 : 1 }
  /// Whether the viewer is past the handshake, as far as it is concerned.
  var isEstablished: Bool { stage == .messages }

  /// Takes what the viewer sent and hands whole messages to `forward`.
  mutating func receive(
    _ bytes: UnsafeRawBufferPointer, forward: (ArraySlice<UInt8>) -> Void
  ) throws(Violation) {
    var bytes = bytes[...]
    if skip > 0 {
      let count = min(skip, bytes.count)
      skip -= count
      bytes = bytes.dropFirst(count)
    }
    pending.append(contentsOf: bytes)
    var start = 0
    while let count = try next(at: start, forward: forward) {
      start += count
      if skip > 0 {
        let skipped = min(skip, pending.count - start)
        skip -= skipped
        start += skipped
      }
    }
    pending.removeFirst(start)
  }

  /// Handles the message at `start` in ``pending``.
  /// - Returns: its length; nil if it is not complete.
  private mutating func next(
    at start: Int, forward: (ArraySlice<UInt8>) -> Void
  ) throws(Violation) -> Int? {
    let available = pending.count - start
    guard available > 0 else { return nil }
    switch stage {
    case .version:
      guard available >= 12 else { return nil }
      forward(try version(pending[start..<start + 12])[...])
      return 12
    case .securityType:
      // The library's list belongs to the process, not to the server: it must not decide.
      guard pending[start] == securityType else {
        throw Violation(description: "it chose a security type that was not offered")
      }
      stage = needsPassword ? .challengeResponse : stageAfterSecurity
      forward(pending[start..<start + 1])
      return 1
    case .challengeResponse:
      guard available >= 16 else { return nil }
      stage = .clientInit
      forward(pending[start..<start + 16])
      return 16
    case .clientInit:
      stage = .messages
      forward(pending[start..<start + 1])
      return 1
    case .messages:
      return try message(at: start, available: available, forward: forward)
    }
  }

  private var stageAfterSecurity = Stage.clientInit

  /// Checks the viewer's version. What is not 3.7 or 3.8 is taken as 3.3 (RFC 6143, 7.1.1).
  private mutating func version(_ bytes: ArraySlice<UInt8>) throws(Violation) -> [UInt8] {
    let text = Array(bytes)
    let digits = text[4..<7] + text[8..<11]
    guard text.starts(with: "RFB ".utf8), text[7] == UInt8(ascii: "."), text[11] == 10,
      digits.allSatisfy({ (0x30...0x39).contains($0) })
    else { throw Violation(description: "it does not speak RFB") }
    switch String(decoding: digits, as: UTF8.self) {
    case "003007", "003008":
      stage = .securityType
      choosesSecurityType = true
      return text
    case "003889":
      // Apple's viewer; without a password it sends no ClientInit (libvncserver, rfb.h, "state").
      stage = .securityType
      choosesSecurityType = true
      if !needsPassword { stageAfterSecurity = .messages }
      return text
    case let other where other >= "003008":
      stage = .securityType
      choosesSecurityType = true
      return RFB.version
    default:
      stage = needsPassword ? .challengeResponse : .clientInit
      return Array("RFB 003.003\n".utf8)
    }
  }

  private mutating func message(
    at start: Int, available: Int, forward: (ArraySlice<UInt8>) -> Void
  ) throws(Violation) -> Int? {
    let type = pending[start]
    let count: Int
    switch type {
    case RFB.Message.setPixelFormat: count = 20
    case RFB.Message.setEncodings: count = 4
    case RFB.Message.framebufferUpdateRequest: count = 10
    case RFB.Message.keyEvent: count = 8
    case RFB.Message.pointerEvent:
      guard available >= 2 else { return nil }
      // Bit 7 says that a byte with buttons 8 and 9 follows, once the viewer knows that it may.
      if hasMoreButtons && pending[start + 1] & 0x80 != 0 {
        guard available >= 7 else { return nil }
        let event = pending[start + 1..<start + 7]
        forward(([RFB.Message.qemu, RFB.Message.internalPointerEvent] + event + [0, 0, 0, 0])[...])
        return 7
      }
      count = 6
    case RFB.Message.clientCutText: count = 8
    case RFB.Message.fileTransfer: count = 12
    case RFB.Message.setScale, RFB.Message.setServerInput, RFB.Message.xvp: count = 4
    case RFB.Message.setSingleWindow: count = 6
    case RFB.Message.textChat: count = 8
    case RFB.Message.setDesktopSize: count = 8
    case RFB.Message.qemu: count = 12
    default: throw Violation(description: "it sent a message of unknown type \(type)")
    }
    guard available >= count else { return nil }
    switch type {
    case RFB.Message.setPixelFormat:
      try checkPixelFormat(at: start + 4)
      forward(pending[start..<start + count])
    case RFB.Message.setEncodings:
      return try encodings(at: start, available: available, forward: forward)
    case RFB.Message.framebufferUpdateRequest, RFB.Message.keyEvent, RFB.Message.pointerEvent:
      forward(pending[start..<start + count])
    case RFB.Message.clientCutText:
      // A negative length is the extended clipboard's; its magnitude counts.
      skip = Int(Int32(bitPattern: dword(start + 4)).magnitude)
    case RFB.Message.fileTransfer: skip = Int(dword(start + 8))
    case RFB.Message.textChat:
      // Lengths of ‑1 to ‑3 are commands without text.
      let length = Int32(bitPattern: dword(start + 4))
      skip = length < 0 ? 0 : Int(length)
    case RFB.Message.setDesktopSize: skip = Int(pending[start + 6]) * 16
    case RFB.Message.qemu:
      guard pending[start + 1] == RFB.Message.qemuExtendedKey else {
        throw Violation(description: "it sent an unknown QEMU message \(pending[start + 1])")
      }
      forward(pending[start..<start + count])
    default:
      // UltraVNC's and xvp's requests are not followed.
      break
    }
    return count
  }

  private func checkPixelFormat(at start: Int) throws(Violation) {
    let bitsPerPixel = Int(pending[start])
    let isTrueColour = pending[start + 3] != 0
    let isSane: Bool
    if isTrueColour {
      let maxima = [word(start + 4), word(start + 6), word(start + 8)]
      let shifts = pending[start + 10..<start + 13]
      isSane = zip(maxima, shifts).allSatisfy { maximum, shift in
        maximum > 0 && maximum & (maximum &+ 1) == 0
          && Int(shift) + (16 - maximum.leadingZeroBitCount) <= bitsPerPixel
      }
    } else {
      // Colour maps: the library has one of 256 colours.
      isSane = bitsPerPixel == 8
    }
    guard [8, 16, 32].contains(bitsPerPixel), isSane else {
      throw Violation(description: "it asked for an impossible pixel format")
    }
  }

  private mutating func encodings(
    at start: Int, available: Int, forward: (ArraySlice<UInt8>) -> Void
  ) throws(Violation) -> Int? {
    let count = Int(word(start + 2))
    guard count <= Self.maximumEncodings else { throw Violation(description: "it listed \(count) encodings") }
    guard available >= 4 + 4 * count else { return nil }
    var message: [UInt8] = [RFB.Message.setEncodings, 0, 0, 0]
    var offered: UInt16 = 0
    for index in 0..<count {
      let encoding = Int32(bitPattern: dword(start + 4 + 4 * index))
      guard RFB.Encoding.isOffered(encoding) else { continue }
      if encoding == RFB.Encoding.extendedMouseButtons { hasMoreButtons = true }
      offered += 1
      message.append(bigEndian: UInt32(bitPattern: encoding))
    }
    message[2] = UInt8(truncatingIfNeeded: offered >> 8)
    message[3] = UInt8(truncatingIfNeeded: offered)
    forward(message[...])
    return 4 + 4 * count
  }

  private func word(_ offset: Int) -> UInt16 { UInt16(pending[offset]) << 8 | UInt16(pending[offset + 1]) }
  private func dword(_ offset: Int) -> UInt32 { UInt32(word(offset)) << 16 | UInt32(word(offset + 2)) }
}

extension [UInt8] {
  /// Adds a number, most significant byte first.
  mutating func append(bigEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
}
