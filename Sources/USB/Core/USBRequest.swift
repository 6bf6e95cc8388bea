// SPDX-License-Identifier: GPL-2.0-or-later

/// An endpoint's address: its number, and bit 7 for IN (USB 2.0 section 9.6.6).
public struct USBEndpointAddress: Hashable, Codable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue & 0x8F }
  public static func `in`(_ number: UInt8) -> Self { Self(rawValue: 0x80 | number) }
  public static func out(_ number: UInt8) -> Self { Self(rawValue: number & 15) }
  /// 0 … 15.
  public var number: UInt8 { rawValue & 15 }
  public var isIn: Bool { rawValue & 0x80 != 0 }
  /// The default control pipe.
  public static let control = USBEndpointAddress(rawValue: 0)
}

/// The eight bytes of a SETUP packet (USB 2.0 section 9.3).
public struct USBRequest: Codable, Equatable, Sendable {
  public enum Kind: UInt8, Sendable {
    case standard
    case `class`
    case vendor
    case reserved
  }

  public enum Recipient: UInt8, Sendable {
    case device
    case interface
    case endpoint
    case other
  }

  /// bmRequestType
  public let requestType: UInt8
  /// bRequest
  public let request: UInt8
  /// wValue
  public let value: UInt16
  /// wIndex
  public let index: UInt16
  /// wLength
  public let length: UInt16

  /// The packet of eight bytes, the first lowest.
  public init(packet: UInt64) {
    requestType = UInt8(truncatingIfNeeded: packet)
    request = UInt8(truncatingIfNeeded: packet >> 8)
    value = UInt16(truncatingIfNeeded: packet >> 16)
    index = UInt16(truncatingIfNeeded: packet >> 32)
    length = UInt16(truncatingIfNeeded: packet >> 48)
  }

  /// The packet of eight bytes, the first lowest, with another wLength.
  func packet(length: UInt16) -> UInt64 {
    UInt64(requestType) | UInt64(request) << 8 | UInt64(value) << 16 | UInt64(index) << 32 | UInt64(length)
      << 48
  }

  /// Whether the data goes to the host.
  public var isIn: Bool { requestType & 0x80 != 0 }
  public var kind: Kind { Kind(rawValue: requestType >> 5 & 3) ?? .reserved }
  public var recipient: Recipient { Recipient(rawValue: requestType & 31) ?? .other }
}

/// Standard requests (USB 2.0 table 9-4, USB 3.2 table 9-5).
public enum USBStandardRequest {
  public static let getStatus: UInt8 = 0
  public static let clearFeature: UInt8 = 1
  public static let setFeature: UInt8 = 3
  public static let setAddress: UInt8 = 5
  public static let getDescriptor: UInt8 = 6
  public static let setDescriptor: UInt8 = 7
  public static let getConfiguration: UInt8 = 8
  public static let setConfiguration: UInt8 = 9
  public static let getInterface: UInt8 = 10
  public static let setInterface: UInt8 = 11
  public static let synchFrame: UInt8 = 12
  public static let setSEL: UInt8 = 48
  public static let setIsochronousDelay: UInt8 = 49
}

/// Feature selectors (USB 2.0 table 9-6, USB 3.2 table 9-7).
public enum USBFeature {
  public static let endpointHalt: UInt16 = 0
  public static let functionSuspend: UInt16 = 0
  public static let deviceRemoteWakeup: UInt16 = 1
  public static let testMode: UInt16 = 2
  public static let u1Enable: UInt16 = 48
  public static let u2Enable: UInt16 = 49
}
