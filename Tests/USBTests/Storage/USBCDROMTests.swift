// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import TestSupport
import Testing

@testable import USB

@Suite struct USBCDROMTests {
  private let disc = MemoryDisk.numbered()
  private let drive: Drive
  private let driver: StorageDriver

  init() throws {
    let host = try TestHost()
    drive = Drive(name: "cd", kind: .cdrom, serial: "MC0001", medium: disc, writeErrorPolicy: .report)
    let device = USBStorage(drive: drive)
    driver = StorageDriver(host: host, device: device)
    #expect(host.configure(device))
  }

  private func simple(_ code: UInt8, _ parameter: UInt8 = 0) -> UInt8? {
    driver.command([code, 0, 0, 0, parameter, 0], out: [])?.0
  }

  @Test func identifiesItself() throws {
    let inquiry = try #require(driver.command([0x12, 0, 0, 0, 36, 0], in: 36))
    #expect(inquiry.1 == 0 && inquiry.data[0] == 5 && inquiry.data[1] == 0x80)
    let other = driver.host.begin(
      out: 2, StorageDriver.wrapper([0x12, 0, 0, 0, 36, 0], 36, isIn: true, unit: 3), to: driver.device)
    #expect(other.1 == .success && driver.host.read(1, 36, from: driver.device)?[0] == 0x7F)
    _ = driver.status()
    let capacity = try #require(driver.command([0x25] + [UInt8](repeating: 0, count: 9), in: 8))
    #expect(capacity.data == [0, 0, 3, 0xFF, 0, 0, 8, 0])
    let page = try #require(driver.command([0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 28, 0], in: 28))
    #expect(page.data[8...10] == [0x2A, 18, 0x3B])
  }

  @Test func readsBlocksOf2048Bytes() throws {
    for code in [0x28, 0xA8] as [UInt8] {
      let count: [UInt8] = code == 0x28 ? [0, 0, 40, 0] : [0, 0, 0, 40, 0, 0]
      let read = try #require(driver.command([code, 0, 0, 0, 0, 9] + count, in: 40 * 2048, by: 16384))
      #expect(read.data == Array(disc.bytes[(9 * 2048)..<(49 * 2048)]) && read.1 == 0 && read.2 == 0)
    }
    // Beyond the end; and nothing is ever written.
    let beyond = try #require(driver.command([0x28, 0, 0, 0, 4, 0, 0, 0, 1, 0], in: 2048))
    #expect(beyond.1 == 1)
    #expect(driver.sense() == [5, 0x21, 0])
    #expect(
      driver.command([0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0], out: [UInt8](repeating: 0, count: 2048))?.0 == 1)
    #expect(driver.sense() == [5, 0x20, 0])
  }

  @Test func tellsOfItsDisc() throws {
    let toc = try #require(driver.command([0x43, 0, 0, 0, 0, 0, 1, 0, 20, 0], in: 20))
    #expect(toc.data == [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xAA, 0, 0, 0, 4, 0])
    let profile = try #require(driver.command([0x46, 0, 0, 0, 0, 0, 0, 0, 8, 0], in: 8))
    #expect(profile.data[7] == 8)
    let information = try #require(driver.command([0x51, 0, 0, 0, 0, 0, 0, 0, 34, 0], in: 34))
    #expect(Array(information.data[0..<5]) == [0, 32, 0x0E, 1, 1])
  }

  @Test func discsComeAndGo() throws {
    #expect(simple(0x00) == 0)
    // Locked: not by the guest, but from outside.
    #expect(simple(0x1E, 1) == 0 && drive.isLocked)
    #expect(simple(0x1B, 2) == 1)
    #expect(driver.sense() == [5, 0x53, 2])
    drive.moveTrayFromOutside(isOpen: true)
    #expect(simple(0x00) == 1)
    #expect(driver.sense() == [6, 0x28, 0])
    #expect(simple(0x00) == 1)
    #expect(driver.sense() == [2, 0x3A, 0])
    let event = try #require(driver.command([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], in: 8))
    #expect(event.data[4] == 3 && event.data[5] == 1)
    _ = drive.change(medium: MemoryDisk(sectors: 64))
    drive.moveTrayFromOutside(isOpen: false)
    #expect(simple(0x00) == 1)
    #expect(driver.sense() == [6, 0x28, 0])
    #expect(simple(0x00) == 0)
    let capacity = try #require(driver.command([0x25] + [UInt8](repeating: 0, count: 9), in: 8))
    #expect(capacity.data == [0, 0, 0, 15, 0, 0, 8, 0])
    // The guest ejects it itself.
    #expect(simple(0x1E, 0) == 0 && simple(0x1B, 2) == 0 && drive.isTrayOpen)
    #expect(simple(0x1B, 3) == 0 && !drive.isTrayOpen)
  }

  @Test func stateKeepsWhatNobodyHasSeen() throws {
    drive.moveTrayFromOutside(isOpen: true)
    let state = try roundTrip(driver.device.save())
    #expect(simple(0x00) == 1)
    #expect(driver.sense() == [6, 0x28, 0])
    try driver.device.restore(state)
    #expect(simple(0x00) == 1)
    #expect(driver.sense() == [6, 0x28, 0])
  }
}
