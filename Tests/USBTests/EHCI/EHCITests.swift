// SPDX-License-Identifier: GPL-2.0-or-later

import PCI
import TestSupport
import Testing

@testable import USB

@Suite struct EHCITests {
  private typealias Driver = EHCIDriver
  private typealias Packet = EHCIDriver.Packet

  private func configured() throws -> (EHCIDriver, EchoDevice) {
    let driver = try EHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    driver.configureDevice()
    #expect(device.core.configuration == 1 && device.core.address == 5)
    return (driver, device)
  }

  @Test func identityAndCapabilities() throws {
    let driver = try EHCIDriver()
    #expect(driver.board.readConfiguration(EHCIDriver.place, 0) == 0x293A_8086)
    #expect(driver.board.readConfiguration(EHCIDriver.place, 8) >> 8 == 0x0C0320)
    #expect(driver.board.readConfiguration(EHCIDriver.place, 0x60) & 0xFFFF == 0x2020)
    #expect(driver.capability(0) == 0x0100_0020)
    #expect(driver.capability(4) == 6)
    #expect(driver.read(0) == 0x0008_0000)
    #expect(driver.read(4) == 0x1000)
    #expect(driver.read(0x40) == 0)
    #expect(driver.read(0x44) == 0x3000)
  }

  @Test func aHighSpeedDeviceIsEnabledByReset() throws {
    let driver = try EHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    // Still a companion's, of which there is none.
    #expect(driver.read(0x44) == 0x3000)
    driver.start()
    #expect(device.speed == .high)
    #expect(driver.read(4) & 4 == 4 && driver.isInterrupted)
    #expect(driver.read(0x44) == 0x1803)
    driver.write(0x44, 0x1002)
    driver.write(4, 4)
    #expect(!driver.isInterrupted)
    driver.enablePort(1)
    #expect(driver.read(0x44) == 0x1005)
    driver.controller.ports[0].detach()
    #expect(driver.read(0x44) == 0x100A)
    #expect(driver.read(4) & 4 == 4)
  }

  @Test func portsGoToCompanionsAndBack() throws {
    let driver = try EHCIDriver(sharedPorts: [0, 1])
    let board = driver.board
    let companion = UHCI(
      .ich9First, name: "uhci", memory: board.memory.memory, clock: board.clock,
      sharedPorts: Array(driver.controller.ports[0..<2]))
    #expect(driver.controller.add(companion: companion, firstPort: 0))
    #expect(!driver.controller.add(companion: companion, firstPort: 0))
    #expect(!driver.controller.add(companion: companion, firstPort: 5))
    companion.reset()
    #expect(driver.capability(4) == 0x1206)
    let fast = EchoDevice()
    let slow = EchoDevice(speeds: [.full])
    #expect(driver.controller.ports[0].attach(fast) && driver.controller.ports[1].attach(slow))
    // Before a driver for this one: both are at the companion, at its speed.
    #expect(fast.speed == .full)
    #expect(companion.readPort(0) & 3 == 3 && companion.readPort(1) & 3 == 3)
    driver.start()
    #expect(fast.speed == .high)
    #expect(companion.readPort(0) & 3 == 2)
    #expect(driver.read(0x44) == 0x1803 && driver.read(0x48) == 0x1803)
    driver.enablePort(1)
    driver.enablePort(2)
    #expect(driver.read(0x44) & 4 == 4)
    // Not of high speed: it is the companion's.
    #expect(driver.read(0x48) & 4 == 0)
    driver.write(0x48, 0x3000)
    #expect(driver.read(0x48) & 0x2001 == 0x2000)
    #expect(companion.readPort(1) & 1 == 1)
    driver.controller.ports[1].detach()
    #expect(companion.readPort(1) & 3 == 2)
    // Whoever resets it gives all back.
    driver.write(0, 2)
    #expect(fast.speed == .full && companion.readPort(0) & 1 == 1)
  }

  @Test func descriptorIsReadOverTheControlPipe() throws {
    let (driver, _) = try configured()
    driver.store([0x80, 6, 0, 1, 0, 0, 64, 0], at: driver.buffer(0))
    driver.enqueue(
      [
        Packet(token: Driver.setup, count: 8), Packet(token: Driver.in, count: 64),
        Packet(token: Driver.out, count: 0, flags: Driver.interrupt),
      ], device: 5, endpoint: 0, packet: 64)
    driver.milliseconds(20)
    #expect((0..<3).allSatisfy { !driver.isActive($0) })
    #expect(driver.left(1) == 46)
    #expect(driver.bytes(driver.buffer(1), count: 4) == [18, 1, 0x00, 0x02])
    #expect(driver.read(4) & 3 == 1 && driver.isInterrupted)
    driver.write(4, 1)
    #expect(!driver.isInterrupted)
  }

  @Test func bulkDataGoesAcrossPages() throws {
    let (driver, device) = try configured()
    let data = (0..<20000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    driver.store(data, at: driver.buffer(0) + 0x123)
    driver.enqueue([Packet(token: Driver.out, count: 20000, offset: 0x123)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(!driver.isActive(0) && driver.left(0) == 0)
    #expect(device.stored == data)
    // An odd number of packets turns the toggle; C_Page and the offset are where it ended.
    let token = driver.load(EHCIDriver.queue + 24)
    #expect(token >> 31 == (20000 + 511) / 512 % 2)
    #expect(token >> 12 & 7 == (0x123 + 20000) / 4096)
    #expect(driver.load(EHCIDriver.queue + 28) & 0xFFF == (0x123 + 20000) % 4096)
    // Back, but less than is asked for: the alternate descriptor is next.
    driver.enqueue(
      [
        Packet(token: Driver.in, count: 20480), Packet(token: Driver.in, count: 512),
        Packet(token: Driver.in, count: 8, flags: Driver.interrupt),
      ], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(!driver.isActive(0) && driver.left(0) == 480)
    #expect(driver.isActive(1) && driver.isActive(2))
    #expect(driver.load(EHCIDriver.queue + 12) == driver.descriptor(2))
    #expect(driver.bytes(driver.buffer(0), count: 20000) == data)
    #expect(driver.read(4) & 1 == 1)
  }

  @Test func interruptEndpointWaitsInThePeriodicList() throws {
    let (driver, device) = try configured()
    driver.enqueue(
      [Packet(token: Driver.in, count: 8, flags: Driver.interrupt)], device: 5, endpoint: 1, packet: 8,
      queue: EHCIDriver.periodicQueue)
    driver.milliseconds(1000)
    #expect(driver.isActive(0))
    let before = device.submitCount
    driver.milliseconds(16000)
    #expect(device.submitCount - before <= 1000)
    device.report([1, 2, 3])
    driver.milliseconds(1)
    #expect(!driver.isActive(0) && driver.left(0) == 5)
    #expect(driver.bytes(driver.buffer(0), count: 3) == [1, 2, 3])
  }

  @Test func stallHaltsTheQueue() throws {
    let (driver, device) = try configured()
    device.stallsNext = true
    driver.enqueue(
      [Packet(token: Driver.in, count: 8), Packet(token: Driver.in, count: 8)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(driver.token(0) & 0xFF == 0x40 && driver.isActive(1))
    #expect(driver.load(EHCIDriver.queue + 24) & 0xFF == 0x40)
    #expect(driver.read(4) & 3 == 2 && driver.isInterrupted)
    device.babblesNext = true
    driver.request([2, 1, 0, 0, 0x82, 0, 0, 0], device: 5)
    driver.enqueue([Packet(token: Driver.in, count: 8)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(driver.token(0) & 0xFF == 0x50)
    // Nobody has that address.
    driver.enqueue([Packet(token: Driver.in, count: 8)], device: 9, endpoint: 2)
    driver.milliseconds(60)
    #expect(driver.token(0) & 0xFF == 0x48)
    #expect(driver.token(0) >> 10 & 3 == 0)
  }

  @Test func slowTransferAndDoorbell() throws {
    let (driver, device) = try configured()
    driver.enqueue(
      [Packet(token: Driver.in, count: 100, flags: Driver.interrupt)], device: 5, endpoint: 3)
    driver.milliseconds(200)
    #expect(driver.isActive(0) && device.cancelCount == 0)
    #expect(device.answerSlowly([UInt8](repeating: 9, count: 100)))
    #expect(!driver.isActive(0) && driver.isInterrupted)
    driver.write(4, 0x3F)
    // Taken out of the list: after the doorbell nobody has it.
    driver.enqueue([Packet(token: Driver.in, count: 100)], device: 5, endpoint: 3)
    driver.milliseconds(20)
    driver.store(EHCIDriver.head | 2, at: EHCIDriver.head)
    driver.write(0, 0x0008_0071)
    #expect(driver.read(0) & 0x40 != 0)
    driver.milliseconds(1)
    #expect(driver.read(0) & 0x40 == 0)
    #expect(driver.read(4) & 0x20 != 0 && driver.isInterrupted)
    #expect(device.cancelCount == 1 && !device.answerSlowly([1]))
  }

  @Test func frameIndexAndRollover() throws {
    let driver = try EHCIDriver()
    driver.write(0xC, 0x1FF0)
    driver.start()
    #expect(driver.read(4) & 0xC000 == 0xC000)
    driver.milliseconds(1)
    #expect(driver.read(0xC) == 0x1FF8)
    #expect(driver.read(4) & 8 == 0)
    driver.milliseconds(1)
    #expect(driver.read(4) & 8 == 8)
    #expect(!driver.isInterrupted)
    driver.write(4, 8)
    driver.write(8, 8)
    driver.milliseconds(1023)
    #expect(!driver.isInterrupted)
    driver.milliseconds(1)
    #expect(driver.isInterrupted)
    driver.write(0, 0)
    #expect(driver.read(4) & 0xF000 == 0x1000)
    let index = driver.read(0xC)
    driver.milliseconds(3)
    #expect(driver.read(0xC) == index)
  }

  @Test func suspendAndWakeUp() throws {
    let (driver, device) = try configured()
    driver.request([0, 3, 1, 0, 0, 0, 0, 0], device: 5)
    driver.write(4, 0x3F)
    driver.write(0x44, 0x1084)
    #expect(device.core.isSuspended)
    #expect(device.wakeUp())
    #expect(driver.read(0x44) & 0xC0 == 0xC0)
    #expect(driver.read(4) & 4 == 4)
    driver.write(0x44, 0x1004)
    #expect(driver.read(0x44) == 0x1007)
    #expect(!device.core.isSuspended)
  }

  @Test func noMemoryStopsIt() throws {
    let (driver, _) = try configured()
    driver.store(0xFFFF_0002, at: EHCIDriver.head)
    driver.milliseconds(20)
    #expect(driver.read(4) & 0x1010 == 0x1010 && driver.read(0) & 1 == 0)
    #expect(driver.isInterrupted)
  }

  @Test func idleControllerHasNoTimer() throws {
    let (driver, _) = try configured()
    driver.write(0, 0x0008_0001)
    driver.milliseconds(1)
    #expect(driver.board.clock.nextDeadline == nil)
    driver.write(0, 0x0008_0031)
    driver.milliseconds(1)
    driver.write(0, 0)
    #expect(driver.board.clock.nextDeadline == nil)
  }

  @Test func stateGoesOnInTheMiddleOfATransfer() throws {
    let (driver, device) = try configured()
    driver.enqueue(
      [Packet(token: Driver.in, count: 8, flags: Driver.interrupt)], device: 5, endpoint: 3)
    driver.milliseconds(3)
    driver.board.clock.advance(by: 30_000)
    let state = try roundTrip(driver.controller.save())
    #expect(device.cancelCount == 1)
    let second = EHCI(
      .ich9First, name: "ehci", memory: driver.board.memory.memory, clock: driver.board.clock)
    let twin = EchoDevice()
    #expect(second.ports[0].attach(twin))
    driver.write(0, 0)
    second.reset()
    try second.restore(state)
    try twin.restore(core: device.saveCore())
    #expect(second.save() == state)
    driver.board.clock.advance(by: 200_000)
    #expect(twin.answerSlowly([1, 2]))
    #expect(!driver.isActive(0) && driver.left(0) == 6)
    var damaged = state
    damaged.ports = []
    #expect(throws: (any Error).self) { try second.restore(damaged) }
  }
}
