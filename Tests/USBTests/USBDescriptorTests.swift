// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import USB

@Suite struct USBDescriptorTests {
  private let description = USBDescription(
    vendor: 0x46F4, product: 1, release: 0x0100, strings: ["Martlet", "Storage", ""],
    configurations: [
      .full: storage(maxPacketSize: 64), .high: storage(maxPacketSize: 512),
      .superSpeed: storage(maxPacketSize: 1024),
    ])

  private static func storage(maxPacketSize: UInt16) -> USBConfigurationDescription {
    USBConfigurationDescription(
      interfaces: [
        USBInterfaceDescription(
          classCode: (8, 6, 0x50),
          endpoints: [
            USBEndpointDescription(.in(1), .bulk, maxPacketSize: maxPacketSize),
            USBEndpointDescription(.out(2), .bulk, maxPacketSize: maxPacketSize),
          ])
      ])
  }

  @Test func devicesDescribeThemselvesBySpeed() throws {
    let high = try #require(description.descriptor(type: 1, index: 0, speed: .high))
    #expect(high == [18, 1, 0x10, 0x02, 0, 0, 0, 64, 0xF4, 0x46, 1, 0, 0, 1, 1, 2, 0, 1])
    let superSpeed = try #require(description.descriptor(type: 1, index: 0, speed: .superSpeed))
    #expect(superSpeed[2...3] == [0, 3] && superSpeed[7] == 9)
  }

  @Test func configurationsCountTheirBytes() throws {
    let full = try #require(description.descriptor(type: 2, index: 0, speed: .full))
    #expect(full.count == 9 + 9 + 2 * 7 && full[2] == UInt8(full.count) && full[4] == 1)
    let superSpeed = try #require(description.descriptor(type: 2, index: 0, speed: .superSpeed))
    #expect(superSpeed.count == 9 + 9 + 2 * 13)
    let other = try #require(description.descriptor(type: 7, index: 0, speed: .full))
    #expect(other[1] == 7 && other[9 + 9 + 4...9 + 9 + 5] == [0, 2])
  }

  @Test func stringsAreUTF16AndMissingOnesRefused() {
    #expect(description.descriptor(type: 3, index: 0, speed: .full) == [4, 3, 9, 4])
    #expect(description.descriptor(type: 3, index: 1, speed: .full)?.count == 2 + 2 * 7)
    #expect(description.descriptor(type: 3, index: 9, speed: .full) == nil)
    #expect(description.descriptor(type: 6, index: 0, speed: .superSpeed) == nil)
  }

  @Test func versionLeavesOutFasterSpeeds() throws {
    let device = EchoDevice(speeds: [.full, .high, .superSpeed])
    #expect(device.limit(toVersion: 2) && device.speeds == [.full, .high])
    let port = USBPort(index: 0, path: "1", speeds: .all, host: nil)
    #expect(port.attach(device) && device.speed == .high)
    port.detach()
    #expect(device.limit(toVersion: 1) && device.speeds == .full)
    #expect(port.attach(device) && device.speed == .full)
    // It does not tell of what it could have.
    #expect(
      device.description.descriptor(type: USBDescriptorType.deviceQualifier, index: 0, speed: .full) == nil)
    #expect(!EchoDevice(speeds: [.high]).limit(toVersion: 1))
  }
}
