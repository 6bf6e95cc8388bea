// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import USB

@Suite struct XHCIRobustnessTests {
  private typealias Driver = XHCIDriver

  private func configured() throws -> (XHCIDriver, EchoDevice, UInt32) {
    let driver = try XHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    let slot = driver.configureDevice()
    #expect(slot == 1)
    return (driver, device, slot)
  }

  @Test func linksThatLeadToThemselves() throws {
    let (driver, _, slot) = try configured()
    let place = driver.place(4)
    driver.enqueue(4, place, 0, Driver.link)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().map(\.code) == [5])
    #expect(driver.endpointState(slot, 4) == 4)
    // A new place, and it goes on.
    #expect(driver.perform(16, parameter: driver.place(4) | 1, slot: slot, flags: 4 << 16)?.code == 1)
    driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6 | Driver.interrupt)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().map(\.code) == [1])
  }

  @Test func endlessTransfer() throws {
    let (driver, device, slot) = try configured()
    // One block that is chained to itself by a Link: more blocks than any transfer has.
    let place = driver.place(4)
    driver.enqueue(4, UInt64(Driver.buffers), 8, Driver.normal | Driver.chain)
    driver.enqueue(4, place, 0, Driver.link | Driver.chain)
    driver.ringDoorbell(slot, 4)
    #expect(driver.events().map(\.code) == [5])
    #expect(device.submitCount == 0)
  }

  @Test func endlessTransfers() throws {
    let (driver, device, slot) = try configured()
    // A ring that is always full: bounded work at a time, and others have their turn.
    let place = driver.place(4)
    driver.enqueue(4, 0x55, 1, Driver.normal | 1 << 6)
    driver.enqueue(4, place, 0, Driver.link)
    driver.ringDoorbell(slot, 4)
    let first = device.submitCount
    #expect(first > 1000 && first < 10000)
    driver.milliseconds()
    #expect(device.submitCount > first)
    #expect(driver.request([0x80, 8, 0, 0, 0, 0, 1, 0], slot: slot).map(\.code) == [1])
    #expect(driver.perform(15, slot: slot, flags: 4 << 16)?.code == 1)
  }

  @Test func endlessCommands() throws {
    let (driver, _, _) = try configured()
    driver.write(Driver.command, 4)
    driver.storeBlock(0, 0, 23 << 10 | 1, at: Driver.commandRing)
    driver.storeBlock(UInt64(Driver.commandRing), 0, 6 << 10 | 1, at: Driver.commandRing + 16)
    driver.write(0x58, Driver.commandRing | 1)
    driver.write(0x5C, 0)
    driver.write(Driver.command, 5)
    driver.write(0x2000, 0)
    #expect(driver.read(0x58) == 8)
    for _ in 0..<10 {
      _ = driver.events()
      driver.milliseconds()
    }
    // CA ends it.
    driver.write(0x58, 4)
    #expect(driver.read(0x58) == 0)
    _ = driver.events()
    driver.milliseconds()
    #expect(driver.events().isEmpty)
  }

  @Test func noMemory() throws {
    let (driver, _, slot) = try configured()
    driver.enqueue(4, 0xF_0000_0000, 512, Driver.normal | Driver.interrupt)
    driver.enqueue(5, 0xF_0000_0000, 512, Driver.normal | Driver.interrupt)
    driver.ringDoorbell(slot, 4)
    #expect(driver.read(Driver.status) & 5 == 5)
    driver.write(Driver.status, 4)
    #expect(driver.read(Driver.status) & 5 == 1)
    // Rings, contexts and events that are nowhere.
    driver.write(0x58, 0xF000_0001)
    driver.write(0x5C, 0xF)
    driver.write(Driver.command, 5)
    driver.write(0x2000, 0)
    #expect(driver.read(Driver.status) & 5 == 5)
  }

  @Test(arguments: 1...8) func random(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (driver, device, _) = try configured()
    func anything() -> UInt32 { UInt32.random(in: 0...UInt32.max, using: &random) }
    func chance(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }
    func address() -> UInt32 {
      switch Int.random(in: 0..<8, using: &random) {
      case 0: anything()
      case 1: Driver.commandRing + UInt32.random(in: 0..<64, using: &random) * 16
      case 2, 3:
        Driver.ring(UInt32.random(in: 1..<8, using: &random)) + UInt32.random(in: 0..<32, using: &random) * 16
      default: Driver.buffers + UInt32.random(in: 0..<4096, using: &random)
      }
    }
    for _ in 0..<400 {
      for _ in 0..<24 {
        let ring = chance(4) ? Driver.commandRing : Driver.ring(UInt32.random(in: 1..<8, using: &random))
        let type =
          ring == Driver.commandRing
          ? UInt32.random(in: 6..<25, using: &random) : UInt32.random(in: 0..<10, using: &random)
        let parameter: UInt32 = ring == Driver.commandRing ? Driver.input : address()
        driver.storeBlock(
          UInt64(parameter) | (chance(30) ? UInt64(anything()) << 32 : 0),
          chance(8) ? anything() : anything() & 0xFFF,
          anything() & 0x021F_0277 | type << 10 | (chance(5) ? 0 : 1) | (chance(3) ? 0 : 1 << 24),
          at: ring + UInt32.random(in: 0..<32, using: &random) * 16)
      }
      driver.prepareInput(add: anything() & 0xFF, drop: anything() & 0xFC)
      for index in UInt32(1)..<8 where !chance(6) {
        let type = [4, 4, 2, 7, 2, 6, 2, 6][Int(index)]
        driver.prepareEndpoint(index, type: chance(10) ? anything() & 7 : UInt32(type), packet: 64)
      }
      driver.store(5 << 16, at: Driver.input + 0x24)
      switch Int.random(in: 0..<14, using: &random) {
      case 0: driver.write(UInt64.random(in: 0x10..<0x900, using: &random) * 4, anything())
      case 1: driver.controller.ports[0].detach()
      case 2, 3: _ = driver.controller.ports[0].attach(device)
      case 4: device.report([1, 2, 3])
      case 5: _ = device.answerSlowly([UInt8](repeating: 1, count: 9))
      case 6: _ = device.acceptSlowly()
      case 7: try driver.controller.restore(roundTrip(driver.controller.save()))
      case 8: device.wakeUp()
      case 9: driver.write(driver.port(5), anything())
      case 10:
        driver.write(Driver.command, 2)
        driver.start(eventCount: chance(3) ? Int(anything() & 0xFFFF) : 64)
      default: break
      }
      driver.write(driver.port(5), 1 << 4 | 1 << 9)
      driver.write(0x58, (Driver.commandRing + UInt32.random(in: 0..<8, using: &random) * 64) | 1)
      driver.write(Driver.command, 5)
      driver.write(0x2000, 0)
      for endpoint in UInt32(1)..<8 { driver.ringDoorbell(chance(9) ? anything() & 63 : 1, endpoint) }
      _ = driver.events()
      driver.board.clock.advance(by: UInt64.random(in: 0..<3_000_000, using: &random))
    }
  }

  @Test func anyStateIsTakenOrRefused() throws {
    var random = SeededGenerator(seed: 5)
    let (driver, _, slot) = try configured()
    func anything() -> UInt64 { UInt64.random(in: 0...UInt64.max, using: &random) }
    for _ in 0..<100 {
      var state = driver.controller.save()
      state.usbCommand = XHCICommand(rawValue: UInt32(truncatingIfNeeded: anything()) | 1)
      state.contextArray = anything()
      state.enabledSlotLimit = Int(truncatingIfNeeded: anything())
      state.commandRing = XHCIRing(pointer: anything())
      state.elapsed = anything()
      for index in state.slots.indices {
        state.slots[index].context = anything()
        state.slots[index].rootPort = Int(truncatingIfNeeded: anything())
        state.slots[index].route = UInt32(truncatingIfNeeded: anything())
        for endpoint in state.slots[index].endpoints.indices {
          state.slots[index].endpoints[endpoint].index = Int(truncatingIfNeeded: anything() % 40) - 4
          state.slots[index].endpoints[endpoint].ring = XHCIRing(pointer: anything())
        }
      }
      if anything() & 3 == 0 { state.slots.append(contentsOf: state.slots) }
      for index in state.ports.indices {
        state.ports[index].status = XHCIPortStatus(rawValue: UInt32(truncatingIfNeeded: anything()))
      }
      try driver.controller.restore(state)
      driver.milliseconds(3)
      driver.ringDoorbell(slot, 4)
    }
    var state = driver.controller.save()
    state.waitingEvents = [.init(interrupter: 99, block: XHCIBlock())]
    #expect(throws: (any Error).self) { try driver.controller.restore(state) }
    state.waitingEvents = []
    state.ports.removeLast()
    #expect(throws: (any Error).self) { try driver.controller.restore(state) }
  }
}
