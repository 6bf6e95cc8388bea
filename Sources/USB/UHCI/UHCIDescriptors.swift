// SPDX-License-Identifier: GPL-2.0-or-later

/// A link of the schedule: in the frame list, in a queue head or in a transfer descriptor (UHCI Design Guide 1.1,
/// section 3.1).
struct UHCILink {
  let rawValue: UInt32
  /// T: it leads nowhere.
  var isTerminated: Bool { rawValue & 1 != 0 }
  /// Q: to a queue head, not a transfer descriptor.
  var isQueueHead: Bool { rawValue & 2 != 0 }
  /// Vf: what it leads to comes before other queues (of transfer descriptors only).
  var isDepthFirst: Bool { rawValue & 4 != 0 }
  var address: UInt32 { rawValue & ~15 }
}

/// A transfer descriptor (section 3.2).
struct UHCITransferDescriptor {
  static let controlOffset = 4
  static let tokenOffset = 8
  static let bufferOffset = 12

  let link: UHCILink
  var control: UInt32
  let token: UInt32
  let buffer: UInt32

  var isActive: Bool { control & UHCIControl.active != 0 }
  var isIsochronous: Bool { control & UHCIControl.isochronous != 0 }
  var interruptsOnCompletion: Bool { control & UHCIControl.interruptOnComplete != 0 }
  var detectsShortPackets: Bool { control & UHCIControl.shortPacketDetect != 0 }
  /// C_ERR
  var errorCount: UInt32 { control >> 27 & 3 }

  var packetIdentifier: UInt8 { UInt8(truncatingIfNeeded: token) }
  /// PID; nil if it is none of the three.
  var usbToken: USBToken? {
    switch packetIdentifier {
    case UHCIPacketIdentifier.in: .in
    case UHCIPacketIdentifier.out: .out
    case UHCIPacketIdentifier.setup: .setup
    default: nil
    }
  }
  var deviceAddress: UInt8 { UInt8(truncatingIfNeeded: token >> 8 & 0x7F) }
  var endpoint: UInt8 { UInt8(truncatingIfNeeded: token >> 15 & 15) }
  /// MaxLen; nil if it is illegal.
  var byteCount: Int? {
    let field = token >> 21
    if field == 0x7FF { return 0 }
    return field < 0x500 ? Int(field) + 1 : nil
  }

  /// ActLen, a count minus one.
  mutating func setActualLength(_ count: Int) {
    control = control & ~0x7FF | (UInt32(truncatingIfNeeded: count) &- 1) & 0x7FF
  }
}

/// A transfer descriptor's control and status (section 3.2.2).
enum UHCIControl {
  static let crcOrTimeout: UInt32 = 1 << 18
  static let nak: UInt32 = 1 << 19
  static let babble: UInt32 = 1 << 20
  static let stalled: UInt32 = 1 << 22
  static let active: UInt32 = 1 << 23
  static let interruptOnComplete: UInt32 = 1 << 24
  static let isochronous: UInt32 = 1 << 25
  static let shortPacketDetect: UInt32 = 1 << 29
  /// One of C_ERR.
  static let oneError: UInt32 = 1 << 27
  static let errors: UInt32 = 3 << 27
  /// What a good transaction clears.
  static let failures: UInt32 = crcOrTimeout | nak | babble | stalled | 1 << 17 | 1 << 21
}

/// Packet identifiers (USB 2.0 table 8-1).
enum UHCIPacketIdentifier {
  static let `in`: UInt8 = 0x69
  static let out: UInt8 = 0xE1
  static let setup: UInt8 = 0x2D
}
