// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import USB

@Suite struct UHCIRobustnessTests {
  private typealias Driver = UHCIDriver

  private func connected() throws -> (UHCIDriver, EchoDevice) {
    let driver = try UHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    driver.configureDevice()
    return (driver, device)
  }

  @Test func queueThatIsItsOwnElement() throws {
    let (driver, _) = try connected()
    driver.store(Driver.queue | 2, at: Driver.queue + 4)
    driver.frames(40)
    #expect(driver.inw(2) == 0)
  }

  @Test func descriptorsThatLeadToThemselves() throws {
    let (driver, device) = try connected()
    // Idle ones, right in the frame list.
    driver.store(driver.descriptor(0), at: driver.descriptor(0))
    driver.store(0, at: driver.descriptor(0) + 4)
    for index in 0..<1024 { driver.store(driver.descriptor(0), at: Driver.frameList + UInt32(index) * 4) }
    driver.frames(40)
    #expect(driver.inw(2) == 0)
    // An active one that is its own successor is done once.
    driver.store([1], at: driver.buffer(0))
    driver.enqueue([.init(identifier: Driver.out, address: 5, endpoint: 2, count: 1)])
    driver.store(driver.descriptor(0) | 4, at: driver.descriptor(0))
    let before = device.stored.count
    driver.frames(40)
    #expect(device.stored.count == before + 1)
  }

  @Test func illegalLengthStopsIt() throws {
    let (driver, _) = try connected()
    driver.enqueue([.init(identifier: Driver.in, address: 5, endpoint: 2, count: 0x600)])
    driver.frames(20)
    #expect(driver.inw(2) & 0x30 == 0x30)
  }

  @Test func aFramesWorkIsBounded() throws {
    let (driver, device) = try connected()
    // A chain of ten thousand packets of a byte each.
    for index in 0..<10_000 {
      let place = 0x40000 + UInt32(index) * 16
      driver.store(place + 16 | 4, at: place)
      driver.store(1 << 23, at: place + 4)
      driver.store(2 << 15 | 5 << 8 | UInt32(Driver.out), at: place + 8)
      driver.store(driver.buffer(0), at: place + 12)
    }
    driver.store(0x40000, at: Driver.queue + 4)
    driver.frames(1)
    #expect((100...1000).contains(device.stored.count))
  }

  /// Random registers, and a schedule of random links that mostly lead to one another.
  @Test(arguments: 1...8) func random(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (driver, device) = try connected()
    let places = (0..<64).map { Driver.descriptors + UInt32($0) * 32 }
    func link() -> UInt32 {
      switch UInt32.random(in: 0..<16, using: &random) {
      case 0: UInt32.random(in: 0...UInt32.max, using: &random)
      case 1: 1
      default: (places.randomElement(using: &random) ?? 0) | UInt32.random(in: 0..<8, using: &random) & ~1
      }
    }
    for _ in 0..<150 {
      for _ in 0..<32 {
        let place = places.randomElement(using: &random) ?? 0
        driver.store(link(), at: place)
        if Bool.random(using: &random) {
          driver.store(link(), at: place + 4)
        } else {
          driver.store(UInt32.random(in: 0...UInt32.max, using: &random) | 1 << 23, at: place + 4)
          let identifier: UInt8 = [Driver.in, Driver.out, Driver.setup].randomElement(using: &random) ?? 0
          let address: UInt32 = Bool.random(using: &random) ? 5 << 8 : 0
          let endpoint = UInt32.random(in: 0..<4, using: &random) << 15
          let length = UInt32.random(in: 0..<0x500, using: &random) << 21
          driver.store(length | endpoint | address | UInt32(identifier), at: place + 8)
          let elsewhere = UInt32.random(in: 0...UInt32.max, using: &random)
          driver.store(Bool.random(using: &random) ? driver.buffer(3) : elsewhere, at: place + 12)
        }
      }
      for index in 0..<1024 where UInt32.random(in: 0..<64, using: &random) == 0 {
        driver.store(link(), at: Driver.frameList + UInt32(index) * 4)
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0:
        driver.board.outw(
          Driver.base + UInt16.random(in: 0..<32, using: &random),
          UInt16.random(in: 0...0xFFFF, using: &random))
      case 1: driver.controller.ports[0].detach()
      case 2: _ = driver.controller.ports[0].attach(device)
      case 3: device.report([1, 2, 3])
      case 4: _ = device.answerSlowly([UInt8](repeating: 1, count: 9))
      case 5: _ = device.acceptSlowly()
      case 6:
        let state = driver.controller.save()
        try driver.controller.restore(roundTrip(state))
      case 7: device.wakeUp()
      default: break
      }
      driver.board.outl(Driver.base + 8, Driver.frameList)
      driver.outw(0x10, 4)
      driver.outw(0, 1)
      driver.board.clock.advance(by: UInt64.random(in: 0..<6_000_000, using: &random))
    }
  }

  @Test func anyStateIsTakenOrRefused() throws {
    var random = SeededGenerator(seed: 3)
    let (driver, _) = try connected()
    for _ in 0..<100 {
      var state = driver.controller.save()
      state.frameListBase = UInt32.random(in: 0...UInt32.max, using: &random)
      state.frameNumber = UInt16.random(in: 0...UInt16.max, using: &random)
      state.frameNanoseconds = UInt64.random(in: 0...UInt64.max, using: &random)
      state.ports = state.ports.map { _ in
        UHCIPortStatus(rawValue: UInt16.random(in: 0...UInt16.max, using: &random))
      }
      try? driver.controller.restore(state)
      driver.frames(3)
    }
  }
}
