// SPDX-License-Identifier: GPL-2.0-or-later

import PCI
import TestSupport
import Testing

@testable import USB

@Suite struct XHCITests {
  private typealias Driver = XHCIDriver

  private func configured(_ speeds: [USBSpeed] = [.full, .high], port: UInt32 = 5) throws
    -> (XHCIDriver, EchoDevice, UInt32)
  {
    let driver = try XHCIDriver()
    let device = EchoDevice(speeds: speeds)
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    let slot = driver.configureDevice(port: port)
    #expect(slot == 1 && device.core.configuration == 1 && device.core.address == 1)
    return (driver, device, slot)
  }

  @Test func identityAndCapabilities() throws {
    let driver = try XHCIDriver()
    #expect(driver.board.readConfiguration(Driver.place, 0) == 0x000D_1B36)
    #expect(driver.board.readConfiguration(Driver.place, 8) == 0x0C03_3001)
    #expect(driver.board.readConfiguration(Driver.place, 0x60) & 0xFFFF == 0x2030)
    #expect(driver.read(0) == 0x0100_0040)
    #expect(driver.read(4) == 0x0800_0840)
    #expect(driver.read(0x10) == 0x0008_0001)
    #expect(driver.read(0x14) == 0x2000 && driver.read(0x18) == 0x1000)
    // Ports 5 to 8 are of USB 2.0, 1 to 4 of USB 3.0.
    #expect((driver.read(0x20), driver.read(0x28)) == (0x0200_0402, 0x0405))
    #expect((driver.read(0x30), driver.read(0x38)) == (0x0300_0002, 0x0401))
    #expect((driver.read(0x40), driver.read(0x44), driver.read(0x48)) == (0, 1, 1))
    let nec = try XHCIDriver(.nec)
    #expect(nec.board.readConfiguration(Driver.place, 0) == 0x0194_1033)
    nec.start()
    #expect(nec.perform(49).map { ($0.type, $0.length) } ?? (0, 0) == (48, 0x3021))
  }

  @Test func speedsChooseThePort() throws {
    let driver = try XHCIDriver()
    driver.start()
    let slow = EchoDevice(speeds: [.full])
    let fast = EchoDevice(speeds: [.high, .superSpeed])
    #expect(driver.controller.ports[0].attach(slow) && driver.controller.ports[1].attach(fast))
    #expect(driver.isInterrupted && driver.read(Driver.status) & 0x18 == 0x18)
    #expect(driver.events().map { $0.parameter } == [5 << 24, 2 << 24])
    #expect(!driver.isInterrupted)
    // Full speed: polling, not enabled; super speed: enabled, in U0.
    #expect(driver.read(driver.port(5)) == 0x0002_06E1)
    #expect(driver.read(driver.port(2)) == 0x0002_1203)
    driver.write(driver.port(5), 0x0002_0210)
    #expect(driver.read(driver.port(5)) == 0x0020_0603)
    #expect(driver.events().map { ($0.type, $0.parameter) }.contains { $0 == (34, 5 << 24) })
    #expect(slow.resetCount > 0)
    // A second change is not told before the first is acknowledged.
    driver.controller.ports[0].detach()
    #expect(driver.read(driver.port(5)) == 0x0022_02A0)
    #expect(driver.events().isEmpty)
    driver.write(driver.port(5), 0x0022_0200)
    #expect(driver.controller.ports[0].attach(slow))
    #expect(driver.events().count == 1)
  }

  @Test func slotsAreGivenAndTakenBack() throws {
    let driver = try XHCIDriver()
    driver.start()
    driver.write(0x78, 2)
    #expect(driver.perform(23)?.code == 1)
    #expect(driver.perform(9).map { ($0.slot, $0.code) } ?? (0, 0) == (1, 1))
    #expect(driver.perform(9)?.slot == 2)
    #expect(driver.perform(9).map { ($0.slot, $0.code) } ?? (9, 0) == (0, 9))
    #expect(driver.perform(10, slot: 1)?.code == 1)
    #expect(driver.perform(10, slot: 1)?.code == 11)
    #expect(driver.perform(9)?.slot == 1)
    // No such command, and a slot that cannot be.
    #expect(driver.perform(40)?.code == 5)
    #expect(driver.perform(10, slot: 200)?.code == 11)
  }

  @Test func aDeviceIsAddressedAndConfigured() throws {
    let driver = try XHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    // The port is not enabled.
    #expect(driver.address(port: 5).code == 4)
    driver.write(driver.port(5), 1 << 4 | 1 << 9)
    // Without SET_ADDRESS first: Default, then Addressed.
    #expect(driver.addressAgain(1, port: 5, flags: 1 << 9) == 1)
    #expect(driver.slotState(1) == 1 && device.core.address == 0)
    #expect(driver.addressAgain(1, port: 5, flags: 1 << 9) == 19)
    #expect(driver.addressAgain(1, port: 5) == 1)
    #expect(driver.slotState(1) == 2 && device.core.address == 1)
    #expect(driver.load(Driver.context(1) + 12) & 0xFF == 1)
    #expect(driver.endpointState(1, 1) == 1)
    #expect(driver.addressAgain(1, port: 5) == 19)
    // Direction and number do not fit.
    driver.prepareInput(add: 1 | 8)
    driver.prepareEndpoint(3, type: 2, packet: 64)
    #expect(driver.perform(12, parameter: UInt64(Driver.input), slot: 1)?.code == 17)
    driver.prepareEndpoint(3, type: 7, packet: 64)
    driver.store(2 << 27, at: Driver.input + 0x20)
    #expect(driver.perform(12, parameter: UInt64(Driver.input), slot: 1)?.code == 1)
    #expect(driver.slotState(1) == 3 && driver.endpointState(1, 3) == 1)
    #expect(driver.perform(15, slot: 1, flags: 3 << 16)?.code == 1)
    #expect(driver.endpointState(1, 3) == 3)
    #expect(driver.perform(15, slot: 1, flags: 3 << 16)?.code == 19)
    #expect(driver.perform(14, slot: 1, flags: 3 << 16)?.code == 19)
    #expect(driver.perform(15, slot: 1, flags: 9 << 16)?.code == 12)
    // A larger packet on the control pipe.
    driver.prepareInput(add: 2)
    driver.prepareEndpoint(1, type: 4, packet: 512)
    #expect(driver.perform(13, parameter: UInt64(Driver.input), slot: 1)?.code == 1)
    #expect(driver.load(Driver.context(1) + 0x24) >> 16 == 512)
    #expect(driver.perform(17, slot: 1)?.code == 1)
    #expect(driver.slotState(1) == 1 && driver.endpointState(1, 3) == 0)
    #expect(driver.perform(17, slot: 1)?.code == 19)
  }

  @Test func descriptorIsReadOverTheControlPipe() throws {
    let (driver, _, slot) = try configured()
    let events = driver.request([0x80, 6, 0, 1, 0, 0, 64, 0], slot: slot)
    // The data is short; the status stage ends it.
    #expect(events.map(\.code) == [13, 1])
    #expect(events.first?.length == 46 && events.allSatisfy { $0.endpoint == 1 && $0.slot == 1 })
    #expect(driver.bytes(Driver.buffers, count: 4) == [18, 1, 0x00, 0x02])
    // What the device does not know halts the pipe until it is reset and moved on.
    let refused = driver.request([0x80, 6, 0, 99, 0, 0, 64, 0], slot: slot)
    #expect(refused.map(\.code) == [6])
    #expect(driver.endpointState(slot, 1) == 2)
    #expect(driver.perform(16, parameter: driver.place(1) | 1, slot: slot, flags: 1 << 16)?.code == 19)
    #expect(driver.perform(14, slot: slot, flags: 1 << 16)?.code == 1)
    #expect(driver.perform(16, parameter: driver.place(1) | 1, slot: slot, flags: 1 << 16)?.code == 1)
    #expect(driver.request([0x80, 8, 0, 0, 0, 0, 1, 0], slot: slot).map(\.code) == [1])
    #expect(driver.bytes(Driver.buffers, count: 1) == [1])
  }

  @Test func bulkDataGoesInPieces() throws {
    let (driver, device, slot) = try configured()
    let data = (0..<70000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    driver.store(data, at: Driver.buffers)
    // Three pieces of one transfer, over a Link.
    driver.enqueue(4, UInt64(Driver.buffers), 100, Driver.normal | Driver.chain)
    driver.enqueue(4, UInt64(Driver.ring(4)) + 0x200, 0, Driver.link | Driver.chain)
    driver.storeBlock(
      UInt64(Driver.buffers) + 100, 65536, Driver.normal | Driver.chain | 1, at: Driver.ring(4) + 0x200)
    driver.storeBlock(
      UInt64(Driver.buffers) + 65636, 4364, Driver.normal | Driver.interrupt | 1, at: Driver.ring(4) + 0x210)
    driver.ringDoorbell(slot, 4)
    #expect(device.stored == data && device.submitCount == 1)
    let sent = driver.events()
    #expect(sent.count == 1)
    #expect(sent.first.map { ($0.type, $0.code, $0.length) } ?? (0, 0, 0) == (32, 1, 0))
    #expect(sent.first?.parameter == UInt64(Driver.ring(4)) + 0x210)
    // Back, more asked for than there is: the second piece is short, and Event Data tells of all.
    driver.enqueue(5, UInt64(Driver.buffers) + 0x20000, 60000, Driver.normal | Driver.chain)
    driver.enqueue(
      5, UInt64(Driver.buffers) + 0x20000 + 60000, 20000, Driver.normal | Driver.chain | Driver.shortInterrupt
    )
    driver.enqueue(5, 0x1234_5678_9ABC, 0, Driver.eventData | Driver.interrupt)
    driver.ringDoorbell(slot, 5)
    let received = driver.events()
    #expect(received.map(\.code) == [13, 13])
    #expect(received.map(\.length) == [10000, 70000])
    #expect(received.last?.parameter == 0x1234_5678_9ABC && received.last.map { $0.control & 4 } == 4)
    #expect(driver.bytes(Driver.buffers + 0x20000, count: 70000) == data)
  }

  @Test func immediateDataNeedsNoBuffer() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(4, 0x0807_0605_0403_0201, 5, Driver.normal | 1 << 6 | Driver.interrupt)
    driver.ringDoorbell(slot, 4)
    #expect(device.stored == [1, 2, 3, 4, 5])
    #expect(driver.events().map(\.code) == [1])
    driver.enqueue(4, 0, 9, Driver.normal | 1 << 6 | Driver.interrupt)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().map(\.code) == [5])
    #expect(driver.endpointState(slot, 4) == 4)
  }

  @Test func interruptEndpointWaitsForData() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(3, UInt64(Driver.buffers), 8, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 3)
    #expect(driver.events().isEmpty && device.submitCount == 1)
    // Nobody asks meanwhile.
    driver.milliseconds(1000)
    #expect(device.submitCount == 1 && driver.board.clock.nextDeadline == nil)
    device.report([1, 2, 3, 4, 5, 6, 7, 8])
    driver.milliseconds()
    #expect(driver.isInterrupted)
    #expect(driver.events().map(\.code) == [1])
    #expect(driver.bytes(Driver.buffers, count: 8) == [1, 2, 3, 4, 5, 6, 7, 8])
  }

  @Test func slowTransfersEndLater() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(7, UInt64(Driver.buffers), 64, Driver.normal | Driver.interrupt | Driver.shortInterrupt)
    driver.ringDoorbell(slot, 7)
    #expect(driver.events().isEmpty)
    #expect(device.answerSlowly([9, 8, 7]))
    #expect(driver.events().map { ($0.code) } == [13])
    // Stopped under way, taken back, and begun again.
    driver.enqueue(7, UInt64(Driver.buffers), 64, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 7)
    let place = driver.place(7) - 16
    driver.enqueueCommand(15, slot: slot, flags: 7 << 16)
    driver.write(0x2000, 0)
    let stopped = driver.events()
    #expect(stopped.map { [$0.type, $0.code, $0.length] } == [[32, 26, 64], [33, 1, 0]])
    #expect(stopped.first?.parameter == place && device.cancelCount == 1)
    #expect(driver.load(Driver.context(slot) + 7 * 32 + 8) == UInt32(place) | 1)
    #expect(!device.answerSlowly([1]))
    driver.ringDoorbell(slot, 7)
    #expect(driver.endpointState(slot, 7) == 1)
    #expect(device.answerSlowly([UInt8](repeating: 3, count: 64)))
    #expect(driver.events().map(\.code) == [1])
  }

  @Test func stallHaltsTheEndpoint() throws {
    let (driver, device, slot) = try configured()
    device.stallsNext = true
    driver.enqueue(4, UInt64(Driver.buffers), 16, Driver.normal)
    driver.ringDoorbell(slot, 4)
    // Told without being asked for.
    #expect(driver.events().map { [$0.code, $0.endpoint] } == [[6, 4]])
    #expect(driver.endpointState(slot, 4) == 2)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().isEmpty)
    // The device's side, then the controller's; the same transfer again.
    #expect(driver.request([2, 1, 0, 0, 2, 0, 0, 0], slot: slot).map(\.code) == [1])
    #expect(driver.perform(14, slot: slot, flags: 4 << 16)?.code == 1)
    driver.ringDoorbell(slot, 4)
    #expect(device.stored.count == 16)
    device.babblesNext = true
    driver.enqueue(5, UInt64(Driver.buffers), 8, Driver.normal)
    driver.ringDoorbell(slot, 5)
    #expect(driver.events().map(\.code) == [3])
  }

  @Test func unpluggedUnderTransfers() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(7, UInt64(Driver.buffers), 64, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 7)
    driver.controller.ports[0].detach()
    #expect(driver.events().map { [$0.type, $0.code] } == [[32, 4], [34, 1]])
    // Nobody answers.
    driver.enqueue(4, UInt64(Driver.buffers), 16, Driver.normal)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().map(\.code) == [4])
    // Another device in its place does not answer to its address, either.
    #expect(driver.controller.ports[0].attach(EchoDevice()))
    driver.write(driver.port(5), 1 << 4 | 1 << 9)
    driver.enqueue(6, UInt64(Driver.buffers), 16, Driver.normal)
    driver.ringDoorbell(slot, 6)
    #expect(driver.events().map(\.code).last == 4)
    #expect(driver.perform(10, slot: slot)?.code == 1)
    _ = device
  }

  @Test func fullEventRingHoldsWorkBack() throws {
    let (driver, device, slot) = try configured()
    let count = 200
    for _ in 0..<count { driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6 | Driver.interrupt) }
    driver.ringDoorbell(slot, 4)
    #expect(device.stored.count < Driver.eventCount)
    // Changes of ports wait, too.
    #expect(driver.controller.ports[1].attach(EchoDevice()))
    var events: [Driver.Event] = []
    for _ in 0..<20 {
      events += driver.events()
      driver.milliseconds()
    }
    #expect(device.stored.count == count)
    #expect(events.filter { $0.type == 32 && $0.code == 1 }.count == count)
    #expect(events.filter { $0.type == 34 }.count == 1)
  }

  @Test func interruptsAreHeldWhileTheHandlerIsBusy() throws {
    let (driver, _, slot) = try configured()
    func send() {
      driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6 | Driver.interrupt)
      driver.ringDoorbell(slot, 4)
    }
    send()
    #expect(driver.isInterrupted && driver.read(Driver.eventDequeue) & 8 == 8)
    driver.write(Driver.management, 3)
    #expect(!driver.isInterrupted)
    send()
    #expect(!driver.isInterrupted)
    // Not all was handled: again.
    driver.write(Driver.eventDequeue, driver.read(Driver.eventDequeue))
    #expect(driver.isInterrupted)
    _ = driver.events()
    #expect(!driver.isInterrupted)
    // BEI: an event without an interrupt.
    driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6 | Driver.interrupt | 1 << 9)
    driver.ringDoorbell(slot, 4)
    #expect(!driver.isInterrupted)
    #expect(driver.events().count == 1)
  }

  @Test func suspendedAndWokenByTheDevice() throws {
    let (driver, device, slot) = try configured()
    #expect(driver.request([0, 3, 1, 0, 0, 0, 0, 0], slot: slot).map(\.code) == [1])
    driver.write(driver.port(5), 0x0001_0260)
    #expect(device.core.isSuspended && driver.read(driver.port(5)) >> 5 & 15 == 3)
    // Transfers wait.
    driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6 | Driver.interrupt)
    driver.ringDoorbell(slot, 4)
    #expect(device.stored.isEmpty)
    _ = driver.events()
    #expect(device.wakeUp())
    #expect(driver.read(driver.port(5)) >> 5 & 15 == 15)
    #expect(driver.events().map(\.type) == [34])
    driver.write(driver.port(5), 0x0041_0200)
    #expect(driver.read(driver.port(5)) >> 5 & 15 == 0 && !device.core.isSuspended)
    driver.milliseconds()
    #expect(device.stored.count == 1)
  }

  @Test func devicesBehindAHubAreFoundByRoute() throws {
    let driver = try XHCIDriver()
    let bus = USBBus(name: "usb", ports: driver.controller.ports)
    let hub = USBHub(bus: bus, name: "hub", serial: nil)
    #expect(driver.controller.ports[0].attach(hub))
    driver.start()
    driver.write(driver.port(5), 1 << 4 | 1 << 9)
    let (slot, code) = driver.address(port: 5)
    #expect(code == 1)
    #expect(driver.request([0, 9, 1, 0, 0, 0, 0, 0], slot: slot).last?.code == 1)
    let device = EchoDevice(speeds: [.full])
    let port = try #require(bus.port(at: "1.3"))
    #expect(port.attach(device))
    // SET_FEATURE(PORT_POWER) and (PORT_RESET).
    #expect(driver.request([0x23, 3, 8, 0, 3, 0, 0, 0], slot: slot).last?.code == 1)
    #expect(driver.request([0x23, 3, 4, 0, 3, 0, 0, 0], slot: slot).last?.code == 1)
    driver.milliseconds(100)
    #expect(driver.address(port: 5, route: 4).code == 4)
    let behind = driver.address(port: 5, route: 3)
    #expect(behind.code == 1 && UInt32(device.core.address) == behind.slot)
  }

  @Test func stateGoesOnInTheMiddleOfTransfers() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(7, UInt64(Driver.buffers), 64, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 7)
    driver.enqueue(4, UInt64(Driver.buffers), 512, Driver.normal | Driver.interrupt)
    let state = try roundTrip(driver.controller.save())
    #expect(device.cancelCount == 1)
    try driver.controller.restore(state)
    #expect(driver.controller.save() == state)
    driver.milliseconds()
    #expect(device.stored.count == 512)
    #expect(device.answerSlowly([UInt8](repeating: 7, count: 64)))
    #expect(driver.events().map { [$0.endpoint, $0.code] } == [[4, 1], [7, 1]])
    #expect(driver.perform(15, slot: slot, flags: 7 << 16)?.code == 1)
  }

  @Test func resetForgetsAll() throws {
    let (driver, device, slot) = try configured()
    driver.enqueue(7, UInt64(Driver.buffers), 64, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 7)
    driver.write(Driver.command, 2)
    #expect(driver.read(Driver.command) == 0 && driver.read(Driver.status) == 0x11 - 0x10)
    #expect(device.core.address == 0)
    #expect(driver.read(driver.port(5)) & 0x0002_0003 == 0x0002_0001)
    #expect(!driver.isInterrupted)
    // Doorbells of a stopped controller ring for nobody.
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().isEmpty)
  }
}
