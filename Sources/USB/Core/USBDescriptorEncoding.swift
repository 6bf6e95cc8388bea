// SPDX-License-Identifier: GPL-2.0-or-later

extension USBDescription {
  private typealias DescriptorType = USBDescriptorType

  /// The largest packet of endpoint 0: bMaxPacketSize0, 2^9 at super speed.
  public static func controlPacketSize(_ speed: USBSpeed) -> Int {
    switch speed {
    case .low: 8
    case .full, .high: 64
    case .superSpeed: 512
    }
  }

  private func controlPacketSizeField(_ speed: USBSpeed) -> UInt8 {
    speed == .superSpeed ? 9 : UInt8(truncatingIfNeeded: Self.controlPacketSize(speed))
  }

  private func release(_ speed: USBSpeed) -> UInt16 {
    switch speed {
    case .low, .full: configurations[.high] == nil ? 0x0110 : 0x0200
    case .high: configurations[.superSpeed] == nil ? 0x0200 : 0x0210
    case .superSpeed: 0x0300
    }
  }

  private func stringIndex(_ index: Int) -> UInt8 {
    index < strings.count && !strings[index].isEmpty ? UInt8(truncatingIfNeeded: index + 1) : 0
  }

  /// The descriptor that GET_DESCRIPTOR asks for, at that speed; nil if there is none.
  func descriptor(type: UInt8, index: UInt8, speed: USBSpeed) -> [UInt8]? {
    switch type {
    case DescriptorType.device: return deviceDescriptor(speed)
    case DescriptorType.configuration:
      guard index == 0 else { return nil }
      return configurations[speed].map { encode($0, type: DescriptorType.configuration, speed: speed) }
    case DescriptorType.string: return stringDescriptor(index)
    case DescriptorType.deviceQualifier:
      guard let other = otherSpeed(than: speed) else { return nil }
      return qualifier(other)
    case DescriptorType.otherSpeedConfiguration:
      guard index == 0, let other = otherSpeed(than: speed) else { return nil }
      return configurations[other].map {
        encode($0, type: DescriptorType.otherSpeedConfiguration, speed: other)
      }
    case DescriptorType.binaryObjectStore:
      return configurations[.superSpeed] == nil ? nil : binaryObjectStore
    default: return nil
    }
  }

  /// Full and high speed tell of each other (USB 2.0 section 9.6.2).
  private func otherSpeed(than speed: USBSpeed) -> USBSpeed? {
    switch speed {
    case .full: configurations[.high] == nil ? nil : .high
    case .high: configurations[.full] == nil ? nil : .full
    case .low, .superSpeed: nil
    }
  }

  /// USB 2.0 section 9.6.1.
  private func deviceDescriptor(_ speed: USBSpeed) -> [UInt8] {
    let usb = release(speed)
    return [
      18, DescriptorType.device, low(usb), high(usb), classCode.0, classCode.1, classCode.2,
      controlPacketSizeField(speed), low(vendor), high(vendor), low(product), high(product), low(release),
      high(release), stringIndex(0), stringIndex(1), stringIndex(2), 1,
    ]
  }

  /// USB 2.0 section 9.6.2.
  private func qualifier(_ speed: USBSpeed) -> [UInt8] {
    let usb = release(speed)
    return [
      10, DescriptorType.deviceQualifier, low(usb), high(usb), classCode.0, classCode.1, classCode.2,
      controlPacketSizeField(speed), 1, 0,
    ]
  }

  /// USB 2.0 sections 9.6.3 to 9.6.6, with USB 3.2's companions (section 9.6.7).
  private func encode(
    _ configuration: USBConfigurationDescription, type: UInt8, speed: USBSpeed
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    for interface in configuration.interfaces {
      bytes += [
        9, DescriptorType.interface, interface.number, interface.alternate,
        UInt8(truncatingIfNeeded: interface.endpoints.count), interface.classCode.0, interface.classCode.1,
        interface.classCode.2, interface.string,
      ]
      bytes += interface.classDescriptors
      for endpoint in interface.endpoints {
        bytes += [
          7, DescriptorType.endpoint, endpoint.address.rawValue, endpoint.kind.rawValue,
          low(endpoint.maxPacketSize), high(endpoint.maxPacketSize), endpoint.interval,
        ]
        if speed == .superSpeed {
          let perInterval = endpoint.kind == .interrupt ? endpoint.maxPacketSize : 0
          bytes += [
            6, DescriptorType.superSpeedEndpointCompanion, endpoint.maxBurst, 0, low(perInterval),
            high(perInterval),
          ]
        }
      }
    }
    let total = UInt16(truncatingIfNeeded: bytes.count + 9)
    let interfaces = Set(configuration.interfaces.map(\.number)).count
    // bMaxPower counts 2 mA, at super speed 8 mA.
    let power = configuration.maxPower / (speed == .superSpeed ? 8 : 2)
    let attributes: UInt8 =
      0x80 | (configuration.isSelfPowered ? 0x40 : 0) | (configuration.wakesRemotely ? 0x20 : 0)
    return [
      9, type, low(total), high(total), UInt8(truncatingIfNeeded: interfaces), configuration.value,
      configuration.string, attributes, UInt8(clamping: power),
    ] + bytes
  }

  /// USB 2.0 section 9.6.7; string 0 lists the languages: English (United States).
  private func stringDescriptor(_ index: UInt8) -> [UInt8]? {
    if index == 0 { return [4, DescriptorType.string, 0x09, 0x04] }
    guard Int(index) <= strings.count else { return nil }
    // The length is a byte, so 126 UTF-16 units.
    let units = strings[Int(index) - 1].utf16.prefix(126).flatMap { [low($0), high($0)] }
    return [UInt8(truncatingIfNeeded: units.count + 2), DescriptorType.string] + units
  }

  /// USB 3.2 section 9.6.2: the USB 2.0 extension and the SuperSpeed capability.
  private var binaryObjectStore: [UInt8] {
    let usb2: [UInt8] = [7, DescriptorType.deviceCapability, 2, 0, 0, 0, 0]
    // All of full, high and super speed; full functionality from full speed on.
    let speeds: UInt8 = (configurations[.full] == nil ? 0 : 2) | (configurations[.high] == nil ? 0 : 4) | 8
    let superSpeed: [UInt8] = [
      10, DescriptorType.deviceCapability, 3, 0, speeds, 0, configurations[.full] == nil ? 2 : 1, 0, 0, 0,
    ]
    let total = 5 + usb2.count + superSpeed.count
    return [5, DescriptorType.binaryObjectStore, UInt8(truncatingIfNeeded: total), 0, 2] + usb2 + superSpeed
  }

  private func low(_ value: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: value) }
  private func high(_ value: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: value >> 8) }
}
