// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import USB

@Suite struct EHCIIsochronousTests {
  private typealias Driver = EHCIDriver
  private static let place: UInt32 = 0x5000
  private static let pages: UInt32 = 0x200000
  private static let active: UInt32 = 1 << 31
  private let driver: EHCIDriver
  private let device: EchoDevice

  init() throws {
    driver = try EHCIDriver()
    device = EchoDevice()
    #expect(driver.controller.ports[0].attach(device))
    driver.start()
    driver.configureDevice()
  }

  /// Puts a descriptor before the queue of all frames.
  private func put(_ transactions: [UInt32], isIn: Bool, device: UInt32 = 5) {
    driver.store(Driver.periodicQueue | 2, at: Self.place)
    for index in 0..<8 {
      driver.store(
        index < transactions.count ? transactions[index] : 0, at: Self.place + 4 + UInt32(index) * 4)
    }
    for page in UInt32(0)..<7 {
      let low = page == 0 ? 4 << 8 | device : page == 1 ? (isIn ? 1 << 11 : 0) | 512 : 1
      driver.store(Self.pages + page * 0x1000 | low, at: Self.place + 36 + page * 4)
    }
    for index in 0..<1024 { driver.store(Self.place, at: Driver.frameList + UInt32(index) * 4) }
    driver.milliseconds(20)
  }

  private func transaction(_ index: UInt32) -> UInt32 { driver.load(Self.place + 4 + index * 4) }
  private func length(_ index: UInt32) -> UInt32 { transaction(index) >> 16 & 0xFFF }

  @Test func dataGoesBothWays() {
    let data = (0..<512).map { UInt8(truncatingIfNeeded: $0 * 7) }
    // Over the end of a page.
    driver.store(data, at: Self.pages + 0x1000 - 200)
    put([Self.active | 512 << 16 | (0x1000 - 200), Self.active | 100 << 16 | 1 << 15], isIn: false)
    #expect(transaction(0) & Self.active == 0 && transaction(1) & Self.active == 0)
    #expect(device.stored.count == 612 && Array(device.stored[..<512]) == data)
    #expect(driver.isInterrupted && driver.read(4) & 1 == 1)
    put([Self.active | 600 << 16 | 3 << 12, 0, Self.active | 600 << 16 | 4 << 12], isIn: true)
    #expect(length(0) == 600 && length(2) == 12)
    #expect(driver.bytes(Self.pages + 0x3000, count: 512) == data)
    // Nothing is there: nothing comes, and that is no error.
    put([Self.active | 600 << 16], isIn: true)
    #expect(transaction(0) & ~0x7FFF == 0)
  }

  @Test func whatFailsIsOver() {
    put([Self.active | 600 << 16], isIn: true, device: 9)
    #expect(transaction(0) >> 28 == 1 && length(0) == 0)
    device.babblesNext = true
    put([Self.active | 600 << 16], isIn: true)
    #expect(transaction(0) >> 28 == 2)
    // Too long, and behind the last page.
    put(
      [
        Self.active | 3073 << 16, Self.active | 600 << 16 | 7 << 12, Self.active | 10 << 16 | 6 << 12 | 0xFFF,
      ], isIn: false)
    #expect((0..<3).allSatisfy { transaction($0) >> 28 == 4 })
    #expect(device.stored.isEmpty)
  }

  @Test func descriptorsThatLeadToThemselves() {
    put([Self.active | 10 << 16], isIn: false)
    driver.store(Self.place, at: Self.place)
    driver.store(Self.active | 10 << 16, at: Self.place + 4)
    driver.milliseconds(100)
    #expect(transaction(0) & Self.active == 0 && driver.read(4) >> 12 & 1 == 0)
    // Where no memory is.
    for index in 0..<1024 { driver.store(0xFFFF_0000, at: Driver.frameList + UInt32(index) * 4) }
    driver.milliseconds(20)
    #expect(driver.read(4) & 0x10 != 0)
  }
}
