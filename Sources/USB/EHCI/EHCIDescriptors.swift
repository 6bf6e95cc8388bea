// SPDX-License-Identifier: GPL-2.0-or-later

/// A link of a schedule (EHCI 1.0, sections 3.1 and 3.6).
struct EHCILink {
  enum Kind: UInt32 {
    /// iTD
    case isochronous
    case queueHead
    /// siTD
    case splitIsochronous
    /// FSTN
    case spanTraversal
  }

  let rawValue: UInt32
  /// T
  var isTerminated: Bool { rawValue & 1 != 0 }
  var kind: Kind { Kind(rawValue: rawValue >> 1 & 3) ?? .queueHead }
  var address: UInt32 { rawValue & ~31 }
}

/// A queue head with its overlay (section 3.6): twelve words.
struct EHCIQueueHead {
  static let byteCount = 48
  /// The offsets of what is written back.
  static let currentOffset: UInt32 = 12
  static let tokenOffset: UInt32 = 24
  var words: SIMD16<UInt32> = .zero

  var link: EHCILink { EHCILink(rawValue: words[0]) }
  var deviceAddress: UInt8 { UInt8(truncatingIfNeeded: words[1] & 0x7F) }
  var endpoint: UInt8 { UInt8(truncatingIfNeeded: words[1] >> 8 & 15) }
  /// DTC: the transfer descriptors say what the data toggle is.
  var takesToggle: Bool { words[1] >> 14 & 1 != 0 }
  var maxPacketSize: UInt32 { words[1] >> 16 & 0x7FF }
  /// The transfer descriptor that the overlay is a copy of.
  var current: UInt32 {
    get { words[3] & ~31 }
    set { words[3] = newValue }
  }
  var next: EHCILink { EHCILink(rawValue: words[4]) }
  var alternate: EHCILink { EHCILink(rawValue: words[5]) }
  var token: EHCIToken {
    get { EHCIToken(rawValue: words[6]) }
    set { words[6] = newValue.rawValue }
  }
  /// A page of the buffer, 0 … 4.
  func page(_ index: Int) -> UInt32 { words[7 + min(max(index, 0), 4)] & ~0xFFF }
  /// Current offset in the page that C_Page says.
  var offset: UInt32 {
    get { words[7] & 0xFFF }
    set { words[7] = words[7] & ~0xFFF | newValue & 0xFFF }
  }
}

/// The words of a transfer descriptor (section 3.5), which go over a queue head's from the fifth on.
struct EHCITransferDescriptor {
  static let byteCount = 32
  static let tokenOffset: UInt32 = 8
  var words: SIMD8<UInt32> = .zero
  var token: EHCIToken { EHCIToken(rawValue: words[2]) }
}

/// A token (section 3.5.3).
struct EHCIToken: Equatable {
  var rawValue: UInt32

  static let transactionError: UInt32 = 1 << 3
  static let babble: UInt32 = 1 << 4
  static let dataBufferError: UInt32 = 1 << 5
  static let halted: UInt32 = 1 << 6
  static let active: UInt32 = 1 << 7
  static let toggle: UInt32 = 1 << 31
  /// What a transfer descriptor is allowed to ask for: five pages.
  static let byteLimit = 0x5000

  var isActive: Bool { rawValue & Self.active != 0 }
  var isHalted: Bool { rawValue & Self.halted != 0 }
  var interruptsOnCompletion: Bool { rawValue >> 15 & 1 != 0 }
  /// PID; nil for the reserved one.
  var usbToken: USBToken? {
    switch rawValue >> 8 & 3 {
    case 0: .out
    case 1: .in
    case 2: .setup
    default: nil
    }
  }
  /// C_Page
  var page: Int {
    get { Int(rawValue >> 12 & 7) }
    set { rawValue = rawValue & ~(7 << 12) | UInt32(truncatingIfNeeded: newValue & 7) << 12 }
  }
  /// Total bytes to transfer.
  var byteCount: Int {
    get { Int(rawValue >> 16 & 0x7FFF) }
    set { rawValue = rawValue & ~(0x7FFF << 16) | UInt32(truncatingIfNeeded: newValue & 0x7FFF) << 16 }
  }
  /// CERR
  var errorCount: UInt32 {
    get { rawValue >> 10 & 3 }
    set { rawValue = rawValue & ~(3 << 10) | (newValue & 3) << 10 }
  }
}
