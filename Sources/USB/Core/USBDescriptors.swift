// SPDX-License-Identifier: GPL-2.0-or-later

/// Descriptor types (USB 2.0 table 9-5, USB 3.2 table 9-6).
public enum USBDescriptorType {
  public static let device: UInt8 = 1
  public static let configuration: UInt8 = 2
  public static let string: UInt8 = 3
  public static let interface: UInt8 = 4
  public static let endpoint: UInt8 = 5
  public static let deviceQualifier: UInt8 = 6
  public static let otherSpeedConfiguration: UInt8 = 7
  public static let binaryObjectStore: UInt8 = 15
  public static let deviceCapability: UInt8 = 16
  public static let superSpeedEndpointCompanion: UInt8 = 48
}

/// An endpoint of an interface.
public struct USBEndpointDescription: Sendable {
  public enum Kind: UInt8, Sendable {
    case control
    case isochronous
    case bulk
    case interrupt
  }

  public let address: USBEndpointAddress
  public let kind: Kind
  /// wMaxPacketSize, in bytes.
  public let maxPacketSize: UInt16
  /// bInterval: frames (low and full speed), or 2^(n-1) microframes (high and super speed).
  public let interval: UInt8
  /// bMaxBurst of the super-speed companion descriptor.
  public let maxBurst: UInt8

  public init(
    _ address: USBEndpointAddress, _ kind: Kind, maxPacketSize: UInt16, interval: UInt8 = 0,
    maxBurst: UInt8 = 0
  ) {
    self.address = address
    self.kind = kind
    self.maxPacketSize = maxPacketSize
    self.interval = interval
    self.maxBurst = maxBurst
  }
}

/// An interface, or an alternate setting of one.
public struct USBInterfaceDescription: Sendable {
  public let number: UInt8
  public let alternate: UInt8
  /// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol.
  public let classCode: (UInt8, UInt8, UInt8)
  /// iInterface, an index of a string, or 0.
  public let string: UInt8
  /// Descriptors of the class, between the interface's and the endpoints': HID's.
  public let classDescriptors: [UInt8]
  public let endpoints: [USBEndpointDescription]

  public init(
    number: UInt8 = 0, alternate: UInt8 = 0, classCode: (UInt8, UInt8, UInt8), string: UInt8 = 0,
    classDescriptors: [UInt8] = [], endpoints: [USBEndpointDescription]
  ) {
    self.number = number
    self.alternate = alternate
    self.classCode = classCode
    self.string = string
    self.classDescriptors = classDescriptors
    self.endpoints = endpoints
  }
}

/// A device's one configuration, at one speed.
public struct USBConfigurationDescription: Sendable {
  /// bConfigurationValue
  public let value: UInt8
  /// iConfiguration
  public let string: UInt8
  public let isSelfPowered: Bool
  public let wakesRemotely: Bool
  /// In milliamperes.
  public let maxPower: Int
  public let interfaces: [USBInterfaceDescription]

  public init(
    value: UInt8 = 1, string: UInt8 = 0, isSelfPowered: Bool = false, wakesRemotely: Bool = false,
    maxPower: Int = 100, interfaces: [USBInterfaceDescription]
  ) {
    self.value = value
    self.string = string
    self.isSelfPowered = isSelfPowered
    self.wakesRemotely = wakesRemotely
    self.maxPower = maxPower
    self.interfaces = interfaces
  }
}

/// What a device says of itself at all speeds it knows.
public struct USBDescription: Sendable {
  public let vendor: UInt16
  public let product: UInt16
  /// bcdDevice
  public let release: UInt16
  /// bDeviceClass, bDeviceSubClass, bDeviceProtocol.
  public let classCode: (UInt8, UInt8, UInt8)
  /// The strings, by index from 1: manufacturer, product, serial number, then whatever the interfaces refer to.
  public let strings: [String]
  /// By speed. Low and full, if both are there, may differ, too.
  public let configurations: [USBSpeed: USBConfigurationDescription]

  /// - Parameters:
  ///   - strings: the first three are the manufacturer, the product and the serial number; an empty one is left out.
  public init(
    vendor: UInt16, product: UInt16, release: UInt16, classCode: (UInt8, UInt8, UInt8) = (0, 0, 0),
    strings: [String], configurations: [USBSpeed: USBConfigurationDescription]
  ) {
    self.vendor = vendor
    self.product = product
    self.release = release
    self.classCode = classCode
    self.strings = strings
    self.configurations = configurations
  }

  /// The same at some speeds only.
  func limited(to speeds: USBSpeeds) -> USBDescription {
    USBDescription(
      vendor: vendor, product: product, release: release, classCode: classCode, strings: strings,
      configurations: configurations.filter { speeds.contains(USBSpeeds($0.key)) })
  }

  /// All speeds it has a configuration for.
  public var speeds: USBSpeeds {
    configurations.keys.reduce(into: []) { $0.formUnion(USBSpeeds($1)) }
  }
}
