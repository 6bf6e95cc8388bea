// SPDX-License-Identifier: GPL-2.0-or-later

import PCI
import TestSupport
import Testing

@testable import USB

@Suite struct UHCITests {
  private typealias Driver = UHCIDriver
  private typealias Packet = UHCIDriver.Packet

  /// A running controller with a configured device at port 1, address 5.
  private func configured() throws -> (UHCIDriver, EchoDevice) {
    let driver = try UHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    driver.configureDevice()
    return (driver, device)
  }

  private var isRaised: (UHCIDriver) -> Bool {
    { $0.board.pci.isRaised(line: PCIBus.line(device: 1, pin: 4)) }
  }

  @Test func identityAndRegistersAfterReset() throws {
    let driver = try UHCIDriver()
    #expect(driver.board.readConfiguration(UHCIDriver.place, 0) == 0x7020_8086)
    #expect(driver.board.readConfiguration(UHCIDriver.place, 8) >> 8 == 0x0C0300)
    #expect(driver.board.readConfiguration(UHCIDriver.place, 0x60) & 0xFF == 0x10)
    #expect(driver.board.readConfiguration(UHCIDriver.place, 0xC0) & 0xFFFF == 0x2000)
    #expect(driver.board.readConfiguration(UHCIDriver.place, 0x3C) >> 8 & 0xFF == 4)
    #expect(driver.inw(0) == 0)
    #expect(driver.inw(2) == 0x20)
    #expect(driver.board.inb(UHCIDriver.base + 0xC) == 0x40)
    #expect(driver.inw(0x10) == 0x80)
    // No third port: drivers look at bit 7.
    #expect(driver.inw(0x14) & 0x80 == 0)
  }

  @Test func aDeviceIsSeenResetAndEnabled() throws {
    let driver = try UHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[1].attach(device))
    #expect(device.speed == .full)
    #expect(driver.inw(0x12) == 0x93)
    driver.outw(0x12, 0x202)
    #expect(device.resetCount == 1)
    #expect(driver.inw(0x12) == 0x291)
    driver.outw(0x12, 0)
    driver.outw(0x12, 4)
    #expect(driver.inw(0x12) == 0x95)
    driver.controller.ports[1].detach()
    // No device, two changes.
    #expect(driver.inw(0x12) == 0x8A)
    driver.outw(0x12, 0xE)
    #expect(driver.inw(0x12) == 0x80)
  }

  @Test func aLowSpeedDevicePullsTheOtherLine() throws {
    let driver = try UHCIDriver()
    #expect(driver.controller.ports[0].attach(EchoDevice(speeds: [.low])))
    #expect(driver.inw(0x10) == 0x1A3)
  }

  @Test func frameNumberGoesByTheClock() throws {
    let driver = try UHCIDriver()
    driver.outw(6, 0x7FE)
    driver.start()
    driver.frames(3)
    #expect(driver.inw(6) == 1)
    // Not while it runs.
    driver.outw(6, 100)
    #expect(driver.inw(6) == 1)
    driver.outw(0, 0)
    driver.frames(5)
    #expect(driver.inw(6) == 1)
    #expect(driver.inw(2) & 0x20 != 0)
  }

  @Test func descriptorIsReadOverTheControlPipe() throws {
    let (driver, _) = try configured()
    driver.store([0x80, 6, 0, 1, 0, 0, 18, 0], at: driver.buffer(0))
    driver.enqueue([
      Packet(identifier: Driver.setup, address: 5, count: 8),
      Packet(identifier: Driver.in, address: 5, count: 8, flags: Driver.shortPacket),
      Packet(identifier: Driver.in, address: 5, count: 8, flags: Driver.shortPacket),
      Packet(identifier: Driver.in, address: 5, count: 2, flags: Driver.shortPacket),
      Packet(identifier: Driver.out, address: 5, count: 0, flags: Driver.interrupt),
    ])
    #expect(!isRaised(driver))
    driver.frames(1)
    #expect(isRaised(driver))
    #expect(driver.inw(2) & 3 == 1)
    #expect(driver.load(UHCIDriver.queue + 4) & 1 == 1)
    #expect((0..<5).allSatisfy { !driver.isActive($0) })
    #expect(driver.actualLength(3) == 2)
    let read =
      driver.bytes(driver.buffer(1), count: 8) + driver.bytes(driver.buffer(2), count: 8)
      + driver.bytes(driver.buffer(3), count: 2)
    #expect(Array(read[0..<4]) == [18, 1, 0x00, 0x02])
    #expect(Array(read[8..<12]) == [0x34, 0x12, 0x78, 0x56])
    driver.outw(2, 1)
    #expect(!isRaised(driver))
  }

  @Test func bulkDataComesBack() throws {
    let (driver, _) = try configured()
    let data = (0..<64).map { UInt8($0 * 3 & 0xFF) }
    driver.store(data, at: driver.buffer(0))
    driver.enqueue(
      [
        Packet(identifier: Driver.out, address: 5, endpoint: 2, count: 64),
        Packet(identifier: Driver.in, address: 5, endpoint: 2, count: 64, flags: Driver.interrupt),
      ], isDepthFirst: false)
    // One of a queue at a look, when it is not depth first and nothing leads back to it; the next look comes soon.
    driver.frames(1)
    #expect(!driver.isActive(0) && !driver.isActive(1))
    #expect(driver.bytes(driver.buffer(1), count: 64) == data)
  }

  @Test func shortPacketStopsTheQueue() throws {
    let (driver, _) = try configured()
    driver.store([1, 2, 3], at: driver.buffer(0))
    driver.enqueue([
      Packet(identifier: Driver.out, address: 5, endpoint: 2, count: 3),
      Packet(identifier: Driver.in, address: 5, endpoint: 2, count: 64, flags: Driver.shortPacket),
      Packet(identifier: Driver.in, address: 5, endpoint: 2, count: 64),
    ])
    driver.frames(2)
    #expect(driver.actualLength(1) == 3)
    #expect(!driver.isActive(1) && driver.isActive(2))
    #expect(driver.load(UHCIDriver.queue + 4) == driver.descriptor(1) | 4)
    #expect(driver.inw(2) & 1 == 1)
    #expect(isRaised(driver))
    // Each cause is enabled by itself.
    driver.outw(4, 4)
    #expect(!isRaised(driver))
  }

  @Test func nakStaysActiveAndAReportIsQuick() throws {
    let (driver, device) = try configured()
    driver.enqueue([
      Packet(identifier: Driver.in, address: 5, endpoint: 1, count: 8, flags: Driver.interrupt)
    ])
    driver.frames(500)
    #expect(driver.isActive(0))
    #expect(driver.control(0) & 1 << 19 != 0)
    device.report([1, 2, 3, 4])
    driver.frames(1)
    #expect(!driver.isActive(0))
    #expect(driver.actualLength(0) == 4)
    #expect(driver.control(0) & 1 << 19 == 0)
  }

  @Test func waitingCostsLittle() throws {
    let (driver, device) = try configured()
    driver.enqueue([
      Packet(identifier: Driver.in, address: 5, endpoint: 1, count: 8, flags: Driver.interrupt)
    ])
    driver.frames(1000)
    let before = device.submitCount
    driver.frames(16000)
    #expect(device.submitCount - before <= 1000)
    // What the driver adds is found soon all the same.
    driver.store([9], at: driver.buffer(0))
    driver.enqueue([Packet(identifier: Driver.out, address: 5, endpoint: 2, count: 1)])
    driver.frames(16)
    #expect(!driver.isActive(0))
  }

  @Test func stallBabbleAndNoAnswer() throws {
    let (driver, device) = try configured()
    let packet = Packet(identifier: Driver.in, address: 5, endpoint: 2, count: 8)
    device.stallsNext = true
    driver.enqueue([packet])
    driver.frames(1)
    #expect(driver.control(0) >> 16 & 0xFF == 0x40)
    #expect(driver.inw(2) & 3 == 2)
    #expect(isRaised(driver))
    driver.outw(2, 2)
    #expect(!isRaised(driver))
    // It stays halted until it is cleared.
    driver.enqueue([packet])
    driver.frames(1)
    #expect(driver.control(0) >> 16 & 0xFF == 0x40)
    driver.request([2, 1, 0, 0, 0x82, 0, 0, 0], address: 5)
    driver.enqueue([packet])
    driver.frames(1)
    #expect(driver.isActive(0))
    device.babblesNext = true
    driver.frames(1)
    #expect(driver.control(0) >> 16 & 0xFF == 0x58)
    // Nobody has that address: three times, then it ends.
    driver.enqueue([Packet(identifier: Driver.in, address: 9, endpoint: 2, count: 8)])
    driver.frames(2)
    #expect(driver.control(0) >> 16 & 0xFF == 0x44)
    #expect(driver.control(0) >> 27 & 3 == 0)
  }

  @Test func slowTransferEndsAtOnce() throws {
    let (driver, device) = try configured()
    driver.enqueue([
      Packet(identifier: Driver.in, address: 5, endpoint: 3, count: 8, flags: Driver.interrupt)
    ])
    driver.frames(200)
    #expect(driver.isActive(0))
    // One and the same transfer all the time.
    #expect(device.cancelCount == 0)
    #expect(device.answerSlowly([7, 8, 9]))
    #expect(!driver.isActive(0))
    #expect(driver.actualLength(0) == 3)
    #expect(driver.bytes(driver.buffer(0), count: 3) == [7, 8, 9])
    #expect(driver.load(UHCIDriver.queue + 4) & 1 == 1)
    #expect(isRaised(driver))
  }

  @Test func aTransferTakenOutOfTheScheduleIsTakenBack() throws {
    let (driver, device) = try configured()
    driver.enqueue([Packet(identifier: Driver.in, address: 5, endpoint: 3, count: 8)])
    driver.frames(3)
    driver.store(1, at: UHCIDriver.queue + 4)
    driver.frames(20)
    #expect(device.cancelCount == 1)
    #expect(!device.answerSlowly([1]))
    #expect(driver.isActive(0))
  }

  @Test func unplugEndsTransfers() throws {
    let (driver, device) = try configured()
    driver.enqueue([Packet(identifier: Driver.out, address: 5, endpoint: 3, count: 8)])
    driver.frames(3)
    driver.controller.ports[0].detach()
    #expect(device.cancelCount == 1)
    driver.frames(20)
    #expect(!driver.isActive(0))
    #expect(driver.control(0) >> 16 & 0xFF == 0x44)
    #expect(driver.inw(0x10) == 0x8A)
  }

  @Test func suspendedDeviceWakesTheBus() throws {
    let (driver, device) = try configured()
    // DEVICE_REMOTE_WAKEUP
    driver.request([0, 3, 1, 0, 0, 0, 0, 0], address: 5)
    driver.outw(2, 0x1F)
    driver.outw(0, 0)
    driver.outw(0, 0x8)
    #expect(device.core.isSuspended)
    #expect(device.wakeUp())
    #expect(driver.inw(0) & 0x18 == 0x18)
    #expect(driver.inw(2) & 4 == 4)
    #expect(isRaised(driver))
    #expect(!device.core.isSuspended)
    driver.outw(0, 0)
    driver.outw(2, 4)
    driver.outw(0, 1)
    #expect(!isRaised(driver))
    // A port by itself.
    driver.outw(0x10, 0x1004)
    #expect(device.core.isSuspended)
    #expect(device.wakeUp())
    #expect(driver.inw(0x10) & 0x1040 == 0x1040)
    driver.outw(0x10, 4)
    #expect(driver.inw(0x10) == 0x95)
  }

  @Test func wrongSchedulesStopIt() throws {
    let (driver, _) = try configured()
    driver.enqueue([Packet(identifier: 0x55, address: 5, count: 8)])
    driver.frames(1)
    #expect(driver.inw(2) & 0x30 == 0x30)
    #expect(driver.inw(0) & 1 == 0)
    #expect(isRaised(driver))
    driver.outw(2, 0x1F)
    #expect(!isRaised(driver))
    // No memory there.
    driver.store(0xFFFF_0000, at: UHCIDriver.queue + 4)
    driver.outw(0, 1)
    driver.frames(20)
    #expect(driver.inw(2) & 0x28 == 0x28)
    // A buffer where no memory is.
    driver.outw(2, 0x1F)
    driver.enqueue([Packet(identifier: Driver.out, address: 5, endpoint: 2, count: 8)])
    driver.store(0xFFFF_0000, at: driver.descriptor(0) + 12)
    driver.outw(0, 1)
    driver.frames(20)
    #expect(driver.inw(2) & 0x28 == 0x28)
  }

  @Test func loopsOfQueuesAreReclaimedBandwidth() throws {
    let (driver, device) = try configured()
    driver.store([UInt8](repeating: 3, count: 640), at: driver.buffer(0))
    // The queue leads to itself: what is breadth first moves all in one frame.
    driver.store(UHCIDriver.queue | 2, at: UHCIDriver.queue)
    driver.enqueue(
      (0..<10).map { _ in Packet(identifier: Driver.out, address: 5, endpoint: 2, count: 64) },
      isDepthFirst: false)
    driver.frames(1)
    #expect(device.stored.count == 640)
    driver.frames(100)
  }

  @Test func resetsLeaveNothingBehind() throws {
    let (driver, device) = try configured()
    driver.enqueue([Packet(identifier: Driver.in, address: 5, endpoint: 3, count: 8)])
    driver.frames(3)
    driver.outw(0, 2)
    #expect(driver.inw(0) == 0)
    #expect(driver.inw(2) == 0x20)
    #expect(device.cancelCount == 1)
    #expect(driver.inw(0x10) == 0x93)
    #expect(driver.board.clock.nextDeadline == nil)
    driver.outw(0, 4)
    #expect(device.resetCount == 2)
    #expect(driver.inw(0) == 4)
  }

  @Test func stateGoesOnInTheMiddleOfATransfer() throws {
    let (driver, device) = try configured()
    driver.enqueue([
      Packet(identifier: Driver.in, address: 5, endpoint: 3, count: 8, flags: Driver.interrupt)
    ])
    driver.frames(3)
    driver.board.clock.advance(by: 300_000)
    // The same memory and devices, another controller.
    let state = try roundTrip(driver.controller.save())
    #expect(device.cancelCount == 1)
    let second = UHCI(.piix3, name: "uhci", memory: driver.board.memory.memory, clock: driver.board.clock)
    let twin = EchoDevice()
    #expect(second.ports[0].attach(twin))
    try twin.restore(core: device.saveCore())
    driver.outw(0, 0)
    second.reset()
    try second.restore(state)
    #expect(second.save() == state)
    driver.board.clock.advance(by: 700_000)
    #expect(twin.answerSlowly([1, 2]))
    #expect(!driver.isActive(0))
    #expect(driver.actualLength(0) == 2)
    var damaged = state
    damaged.ports = []
    #expect(throws: (any Error).self) { try second.restore(damaged) }
  }
}
