// SPDX-License-Identifier: GPL-2.0-or-later

/// A transmit descriptor's second eight bytes (section 3.3): sixteen bytes in all, the first eight being the
/// buffer's address, or offsets for checksums in a context descriptor.
struct E1000TransmitDescriptor {
  static let byteCount = 16

  /// Bytes 0 … 7.
  let first: UInt64
  /// Bytes 8 … 11: length, type, command.
  let lower: UInt32
  /// Bytes 12 … 15: status, options, special.
  let upper: UInt32

  enum Kind {
    case legacy
    case context
    case data
    /// An extended descriptor of a type there is not.
    case unknown
  }

  private static let extended: UInt32 = 1 << 29

  var kind: Kind {
    guard lower & Self.extended != 0 else { return .legacy }
    switch lower >> 20 & 0xF {
    case 0: return .context
    case 1: return .data
    default: return .unknown
    }
  }

  var isEndOfPacket: Bool { lower & 1 << 24 != 0 }
  /// IFCS: the card puts the frame check sequence behind.
  var insertsFCS: Bool { lower & 1 << 25 != 0 }
  /// IC of a legacy descriptor.
  var insertsChecksum: Bool { lower & 1 << 26 != 0 }
  /// TSE of a data or context descriptor.
  var isSegmented: Bool { lower & 1 << 26 != 0 }
  /// RS or RPS: the status is to be written back.
  var reportsStatus: Bool { lower & 3 << 27 != 0 }
  /// VLE: `special` is the tag.
  var insertsVLAN: Bool { lower & 1 << 30 != 0 }
  /// IDE: the interrupt may be delayed.
  var delaysInterrupt: Bool { lower & 1 << 31 != 0 }

  var legacyLength: Int { Int(lower & 0xFFFF) }
  var dataLength: Int { Int(lower & 0xF_FFFF) }
  /// CSO of a legacy descriptor.
  var legacyChecksumOffset: Int { Int(lower >> 16 & 0xFF) }
  /// CSS of a legacy descriptor.
  var legacyChecksumStart: Int { Int(upper >> 8 & 0xFF) }
  /// POPTS.IXSM of a data descriptor.
  var insertsIPChecksum: Bool { upper & 1 << 8 != 0 }
  /// POPTS.TXSM of a data descriptor.
  var insertsTCPUDPChecksum: Bool { upper & 1 << 9 != 0 }
  var special: UInt16 { UInt16(truncatingIfNeeded: upper >> 16) }

  /// STA.DD.
  static let done: UInt32 = 1
  /// STA: done, excess collisions, late collision, underrun.
  static let statusMask: UInt32 = 0xF
  /// Where `upper` lies in the descriptor.
  static let upperOffset = 12
}

/// What a context descriptor says (section 3.3.6); kept until the next one.
struct E1000TransmitContext: Codable, Equatable, Sendable {
  var ipStart: UInt8 = 0
  var ipOffset: UInt8 = 0
  /// The last byte summed; zero is the end of the packet.
  var ipEnd: UInt16 = 0
  var tcpUDPStart: UInt8 = 0
  var tcpUDPOffset: UInt8 = 0
  var tcpUDPEnd: UInt16 = 0
  var headerLength: UInt8 = 0
  var segmentSize: UInt16 = 0
  /// TUCMD.TCP: TCP, else UDP.
  var isTCP = false
  /// TUCMD.IP: IPv4, else IPv6.
  var isIPv4 = false

  /// Nothing said yet.
  init() {}

  init(_ descriptor: E1000TransmitDescriptor) {
    ipStart = UInt8(truncatingIfNeeded: descriptor.first)
    ipOffset = UInt8(truncatingIfNeeded: descriptor.first >> 8)
    ipEnd = UInt16(truncatingIfNeeded: descriptor.first >> 16)
    tcpUDPStart = UInt8(truncatingIfNeeded: descriptor.first >> 32)
    tcpUDPOffset = UInt8(truncatingIfNeeded: descriptor.first >> 40)
    tcpUDPEnd = UInt16(truncatingIfNeeded: descriptor.first >> 48)
    headerLength = UInt8(truncatingIfNeeded: descriptor.upper >> 8)
    segmentSize = UInt16(truncatingIfNeeded: descriptor.upper >> 16)
    isTCP = descriptor.lower & 1 << 24 != 0
    isIPv4 = descriptor.lower & 1 << 25 != 0
  }
}

/// Receive descriptors (section 3.2.3): the buffer's address; length, checksum, status, errors, special.
enum E1000ReceiveDescriptor {
  static let byteCount = 16

  struct Status: OptionSet {
    let rawValue: UInt8
    static let done = Status(rawValue: 1 << 0)
    static let endOfPacket = Status(rawValue: 1 << 1)
    /// What the last descriptor of a frame has in any case.
    static let last = Status(rawValue: 3)
    /// IXSM: the checksum bits mean nothing.
    static let ignoreChecksum = Status(rawValue: 1 << 2)
    /// VP: `special` is the tag.
    static let vlan = Status(rawValue: 1 << 3)
    static let tcpChecked = Status(rawValue: 1 << 5)
    static let ipChecked = Status(rawValue: 1 << 6)
    /// PIF: let in by the hash, not by its address.
    static let inexact = Status(rawValue: 1 << 7)
  }

  struct Errors: OptionSet {
    let rawValue: UInt8
    static let tcp = Errors(rawValue: 1 << 5)
    static let ip = Errors(rawValue: 1 << 6)
  }

  /// The second eight bytes.
  static func word(length: Int, checksum: UInt16, status: Status, errors: Errors, special: UInt16) -> UInt64 {
    UInt64(UInt16(truncatingIfNeeded: length)) | UInt64(checksum) << 16 | UInt64(status.rawValue) << 32
      | UInt64(errors.rawValue) << 40 | UInt64(special) << 48
  }
}
