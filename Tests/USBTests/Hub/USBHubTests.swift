// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import USB

@Suite struct USBHubTests {
  private let host: TestHost
  private let bus: USBBus
  private let hub: USBHub

  init() throws {
    host = try TestHost(speeds: [.full, .high])
    bus = USBBus(name: "usb-bus.0", ports: [host.port])
    hub = USBHub(bus: bus)
    #expect(host.configure(hub))
  }

  private func status(_ port: UInt16) -> [UInt8]? { host.control(0xA3, 0, index: port, count: 4, hub) }

  @Test func describesItsPorts() throws {
    let descriptor = try #require(host.control(0xA0, 6, value: 0x2900, count: 64, hub))
    #expect(descriptor.count == Int(descriptor[0]) && descriptor[2] == 8)
    #expect(bus.ports.map(\.path) == ["1"] + (1...8).map { "1.\($0)" })
    #expect(status(9) == nil && status(0) == nil)
    host.port.detach()
    #expect(bus.ports.count == 1)
  }

  @Test func tellsOfDevicesThatComeAndGo() throws {
    #expect(host.begin(in: 1, 2, from: hub).1 == .nak)
    let port = try #require(bus.port(at: "1.3"))
    let keyboard = USBKeyboard(clock: host.board.clock)
    #expect(port.attach(keyboard) && keyboard.speed == .full)
    #expect(host.ready.last == .in(1))
    #expect(host.read(1, 2, from: hub) == [1 << 3, 0])
    #expect(status(3) == [1, 1, 1, 0])
    #expect(host.control(0x23, 1, value: 16, index: 3, hub) == .success)
    #expect(host.begin(in: 1, 2, from: hub).1 == .nak)
    // It can be reached once its port has been reset.
    #expect(hub.device(at: 0) == nil)
    #expect(host.control(0x23, 3, value: 4, index: 3, hub) == .success)
    #expect(status(3) == [3, 1, 16, 0])
    #expect(hub.device(at: 0) === keyboard && hub.device(inPort: 3) === keyboard)
    #expect(host.control(0, 5, value: 7, keyboard) == .success)
    #expect(hub.device(at: 7) === keyboard && hub.device(at: 1) === hub)
    port.detach()
    #expect(status(3) == [0, 1, 19, 0])
    #expect(hub.device(at: 7) == nil)
  }

  @Test func suspendsAndWakes() throws {
    let port = try #require(bus.port(at: "1.1"))
    let keyboard = USBKeyboard(clock: host.board.clock)
    #expect(port.attach(keyboard))
    #expect(host.control(0x23, 3, value: 4, index: 1, hub) == .success)
    #expect(host.control(0, 9, value: 1, keyboard) == .success)
    #expect(host.control(0, 3, value: 1, keyboard) == .success)
    #expect(host.control(0x23, 3, value: 2, index: 1, hub) == .success)
    #expect(keyboard.core.isSuspended && status(1)?[0] == 7)
    keyboard.key(.space, isDown: true)
    #expect(!keyboard.core.isSuspended && status(1).map { Array($0[0...2]) } == [3, 1, 1 | 4 | 16])
    #expect(host.ready.contains(.in(1)))
  }

  @Test func goesWithAllThatIsBehindIt() throws {
    let inner = USBHub(bus: bus, name: "inner")
    #expect(try #require(bus.port(at: "1.2")).attach(inner))
    let tablet = USBPointer(.tablet, clock: host.board.clock)
    #expect(try #require(bus.port(at: "1.2.4")).attach(tablet))
    host.port.detach()
    #expect(tablet.port == nil && inner.port == nil && bus.ports.count == 1)
  }

  @Test func stateRoundTrip() throws {
    #expect(try #require(bus.port(at: "1.5")).attach(USBKeyboard(clock: host.board.clock)))
    let other = try TestHost(speeds: [.full])
    let copy = USBHub(bus: nil)
    #expect(other.port.attach(copy))
    try transplant(from: hub, to: copy)
    #expect(other.control(0xA3, 0, index: 5, count: 4, copy) == [1, 1, 1, 0])
    #expect(other.read(1, 2, from: copy) == [1 << 5, 0])
  }
}
