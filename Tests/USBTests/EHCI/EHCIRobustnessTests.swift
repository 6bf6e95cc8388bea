// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import USB

@Suite struct EHCIRobustnessTests {
  private typealias Driver = EHCIDriver

  private func connected() throws -> (EHCIDriver, EchoDevice) {
    let driver = try EHCIDriver()
    let device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    driver.configureDevice()
    return (driver, device)
  }

  @Test func periodicListThatLeadsToItself() throws {
    let (driver, _) = try connected()
    driver.store(EHCIDriver.periodicQueue | 2, at: EHCIDriver.periodicQueue)
    driver.milliseconds(40)
    // An isochronous descriptor that does.
    driver.store(EHCIDriver.periodicQueue, at: EHCIDriver.periodicQueue)
    for index in 0..<1024 {
      driver.store(EHCIDriver.periodicQueue, at: EHCIDriver.frameList + UInt32(index) * 4)
    }
    driver.milliseconds(40)
    #expect(driver.read(4) & 0x1010 == 0)
  }

  @Test func descriptorThatIsItsOwnSuccessor() throws {
    let (driver, device) = try connected()
    driver.enqueue([.init(token: Driver.out, count: 16)], device: 5, endpoint: 2)
    driver.store(driver.descriptor(0), at: driver.descriptor(0))
    driver.milliseconds(40)
    // It is done once, and is not active then.
    #expect(device.stored.count == 16)
  }

  @Test func moreBytesThanPages() throws {
    let (driver, device) = try connected()
    driver.enqueue([.init(token: Driver.out, count: 0x5000, offset: 0x10)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(driver.token(0) & 0xFF == 0x60)
    driver.enqueue([.init(token: Driver.out, count: 0x7000)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(driver.token(0) & 0xFF == 0x60)
    driver.enqueue([.init(token: 3, count: 8)], device: 5, endpoint: 2)
    driver.milliseconds(20)
    #expect(driver.token(0) & 0xFF == 0x48)
    #expect(device.stored.isEmpty)
  }

  @Test(arguments: 1...8) func random(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (driver, device) = try connected()
    let places = (0..<64).map { Driver.descriptors + UInt32($0) * 64 }
    func anything() -> UInt32 { UInt32.random(in: 0...UInt32.max, using: &random) }
    func link() -> UInt32 {
      switch UInt32.random(in: 0..<16, using: &random) {
      case 0: anything()
      case 1: 1
      default:
        (places.randomElement(using: &random) ?? 0) | (Bool.random(using: &random) ? 2 : anything() & 6)
      }
    }
    for _ in 0..<150 {
      for _ in 0..<32 {
        let place = places.randomElement(using: &random) ?? 0
        driver.store(link(), at: place)
        if Bool.random(using: &random) {
          // A queue head.
          let endpoint = UInt32.random(in: 0..<4, using: &random) << 8
          driver.store(anything() & 0xFFFF_F000 | endpoint | 5, at: place + 4)
          driver.store(link(), at: place + 12)
          driver.store(link(), at: place + 16)
          driver.store(link(), at: place + 20)
          driver.store(anything(), at: place + 24)
          driver.store(Bool.random(using: &random) ? driver.buffer(1) : anything(), at: place + 28)
        } else {
          driver.store(link(), at: place + 4)
          driver.store(anything() & 0x1FFF_FFBF | 0x80, at: place + 8)
          for page in 0..<5 {
            let isGood = UInt32.random(in: 0..<8, using: &random) != 0
            driver.store(isGood ? driver.buffer(page) : anything(), at: place + 12 + UInt32(page) * 4)
          }
        }
      }
      for index in 0..<1024 where UInt32.random(in: 0..<64, using: &random) == 0 {
        driver.store(link(), at: Driver.frameList + UInt32(index) * 4)
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0: driver.write(UInt64.random(in: 0..<0x80, using: &random), anything())
      case 1: driver.controller.ports[0].detach()
      case 2: _ = driver.controller.ports[0].attach(device)
      case 3: device.report([1, 2, 3])
      case 4: _ = device.answerSlowly([UInt8](repeating: 1, count: 9))
      case 5: _ = device.acceptSlowly()
      case 6: try driver.controller.restore(roundTrip(driver.controller.save()))
      case 7: device.wakeUp()
      default: break
      }
      driver.write(0x14, Driver.frameList)
      driver.write(0x18, places.randomElement(using: &random) ?? 0)
      driver.write(0x40, 1)
      driver.write(0x44, 0x1100)
      driver.write(0x44, 0x1000)
      driver.write(0, Bool.random(using: &random) ? 0x31 : 0x71)
      driver.board.clock.advance(by: UInt64.random(in: 0..<6_000_000, using: &random))
    }
  }

  @Test func anyStateIsTakenOrRefused() throws {
    var random = SeededGenerator(seed: 3)
    let (driver, _) = try connected()
    for _ in 0..<100 {
      var state = driver.controller.save()
      state.usbCommand = EHCICommand(rawValue: UInt32.random(in: 0...UInt32.max, using: &random))
      state.asyncListAddress = UInt32.random(in: 0...UInt32.max, using: &random)
      state.frameIndex = UInt32.random(in: 0...UInt32.max, using: &random)
      state.microframeNanoseconds = UInt64.random(in: 0...UInt64.max, using: &random)
      state.ports = state.ports.map { _ in
        EHCIPortStatus(rawValue: UInt32.random(in: 0...UInt32.max, using: &random))
      }
      try? driver.controller.restore(state)
      driver.milliseconds(3)
    }
  }
}
