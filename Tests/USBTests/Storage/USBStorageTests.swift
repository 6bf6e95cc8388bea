// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Glibc
import TestSupport
import Testing

@testable import USB

@Suite struct USBStorageTests {
  private let host: TestHost
  private let disk = MemoryDisk.numbered()
  private let drive: Drive
  private let device: USBStorage
  private var driver: StorageDriver { StorageDriver(host: host, device: device) }

  init() throws {
    host = try TestHost()
    drive = Drive(name: "stick", kind: .disk, serial: "MS0001", medium: disk, writeErrorPolicy: .report)
    device = USBStorage(drive: drive)
    #expect(host.configure(device))
  }

  private static func read10(_ block: UInt32, _ count: UInt16) -> [UInt8] { transfer(0x28, block, count) }
  private static func write10(_ block: UInt32, _ count: UInt16) -> [UInt8] { transfer(0x2A, block, count) }
  private static func transfer(_ code: UInt8, _ block: UInt32, _ count: UInt16) -> [UInt8] {
    [code, 0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: block >> $0) }
      + [0, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count), 0]
  }

  // MARK: Commands

  @Test func identifiesItself() throws {
    #expect(host.control(0xA1, 0xFE, count: 1, device) == [0])
    let inquiry = try #require(driver.command([0x12, 0, 0, 0, 36, 0], in: 36))
    #expect(inquiry.1 == 0 && inquiry.data[0] == 0 && Array(inquiry.data[8..<15]) == Array("MARTLET".utf8))
    let serial = try #require(driver.command([0x12, 1, 0x80, 0, 10, 0], in: 10))
    #expect(serial.data == [0, 0x80, 0, 6] + Array("MS0001".utf8))
    let capacity = try #require(driver.command([0x25] + [UInt8](repeating: 0, count: 9), in: 8))
    #expect(capacity.data == [0, 0, 0x0F, 0xFF, 0, 0, 2, 0])
    let mode = try #require(driver.command([0x1A, 0, 0x3F, 0, 192, 0], in: 192))
    #expect(mode.1 == 0 && mode.2 == 192 - 24 && mode.data[0] == 23 && mode.data[2] == 0x10)
  }

  @Test(arguments: [64, 512, 20480, 200_000]) func reads(piece: Int) throws {
    let count = 700
    let read = try #require(driver.command(Self.read10(100, UInt16(count)), in: count * 512, by: piece))
    #expect(read.data == Array(disk.bytes[(100 * 512)..<((100 + count) * 512)]) && read.1 == 0 && read.2 == 0)
  }

  @Test(arguments: [64, 512, 20480, 200_000]) func writes(piece: Int) throws {
    var data = [UInt8](repeating: 0, count: 700 * 512)
    for index in data.indices { data[index] = UInt8(truncatingIfNeeded: index &* 13 >> 3) }
    let result = try #require(driver.command(Self.write10(1000, 700), out: data, by: piece))
    #expect(result == (0, 0))
    #expect(Array(disk.bytes[(1000 * 512)..<(1700 * 512)]) == data)
  }

  /// Nothing keeps a device that was used and pulled out.
  @Test func goesWhenPulledOut() throws {
    let host = try TestHost()
    var device: USBStorage? = USBStorage(drive: Drive(name: "other", kind: .disk, serial: "1", medium: disk))
    weak let left = device
    if let device {
      #expect(host.configure(device))
      #expect(StorageDriver(host: host, device: device).command(Self.read10(0, 1), in: 512)?.1 == 0)
    }
    host.port.detach()
    device = nil
    #expect(left == nil)
  }

  @Test func waitsForTheDrive() throws {
    disk.isLate = true
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.read10(5, 2), 1024, isIn: true), to: device).1 == .success
    )
    let (transfer, result) = host.begin(in: 1, 1024, from: device)
    #expect(result == .pending)
    disk.completeWaiting()
    #expect(host.completed.last === transfer && transfer.result == .success)
    #expect(host.bytes(of: transfer) == Array(disk.bytes[2560..<3584]))
    // Synchronizing the cache takes as long as the drive does.
    #expect(driver.status().map { $0 == (0, 0) } == true)
    #expect(host.begin(out: 2, StorageDriver.wrapper([0x35], 0, isIn: false), to: device).1 == .success)
    let (answer, pending) = host.begin(in: 1, 13, from: device)
    #expect(pending == .pending && disk.flushes == 0)
    disk.completeWaiting()
    #expect(answer.result == .success && answer.doneCount == 13 && disk.flushes == 1)
  }

  @Test func transfersThatAreTakenBackLoseNothing() throws {
    disk.isLate = true
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.read10(0, 600), 600 * 512, isIn: true), to: device).1
        == .success)
    var (transfer, result) = host.begin(in: 1, 300 * 512, from: device)
    #expect(result == .pending)
    // The first 128 KiB have been moved, when it is taken back.
    disk.completeWaiting()
    #expect(transfer.isPending && transfer.doneCount > 0)
    transfer.cancel()
    disk.completeWaiting()
    disk.isLate = false
    (transfer, result) = host.begin(in: 1, 300 * 512, from: device)
    #expect(result == .success && host.bytes(of: transfer) == Array(disk.bytes[0..<(300 * 512)]))
    // The same with data that is written.
    _ = host.read(1, 300 * 512, from: device)
    #expect(driver.status()?.0 == 0)
    let data = [UInt8](repeating: 0x5A, count: 400 * 512)
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.write10(9, 400), data.count, isIn: false), to: device).1
        == .success)
    #expect(host.begin(out: 2, Array(data[..<5000]), to: device).1 == .success)
    disk.isLate = true
    (transfer, result) = host.begin(out: 2, Array(data[5000...]), to: device)
    #expect(result == .pending)
    disk.completeWaiting()
    transfer.cancel()
    disk.completeWaiting()
    disk.isLate = false
    #expect(host.begin(out: 2, Array(data[5000...]), to: device).1 == .success)
    #expect(driver.status()?.0 == 0)
    #expect(Array(disk.bytes[(9 * 512)..<(409 * 512)]) == data && disk.bytes[409 * 512] != 0x5A)
  }

  @Test func errorsOfTheHostAreSenseData() throws {
    disk.failure = EIO
    let read = try #require(driver.command(Self.read10(3, 4), in: 2048))
    #expect(read.1 == 1 && read.2 == 2048 && read.data == [UInt8](repeating: 0, count: 2048))
    #expect(driver.sense() == [3, 0x11, 0] && driver.sense() == [0, 0, 0])
    #expect(try #require(driver.command(Self.write10(3, 4), out: [UInt8](repeating: 1, count: 2048))).0 == 1)
    #expect(driver.sense() == [3, 0x0C, 0])
    disk.failure = nil
    #expect(try #require(driver.command(Self.read10(4095, 2), in: 1024)).1 == 1)
    #expect(driver.sense() == [5, 0x21, 0])
    disk.isReadOnly = true
    #expect(
      try #require(driver.command(Self.write10(0, 1), out: [UInt8](repeating: 1, count: 512))) == (1, 512))
    #expect(driver.sense() == [7, 0x27, 0])
    #expect(try #require(driver.command([0xEE], in: 10)).1 == 1)
    #expect(driver.sense() == [5, 0x20, 0])
  }

  /// Section 6.7: hosts and drives that expect different things.
  @Test func expectationsThatDiffer() throws {
    // The host expects no data, the drive sends some, or takes some.
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.read10(0, 1), 0, isIn: true), to: device).1 == .success)
    #expect(driver.status().map { $0 == (2, 0) } == true)
    // The host expects more.
    let inquiry = try #require(driver.command([0x12, 0, 0, 0, 36, 0], in: 100))
    #expect(inquiry.1 == 0 && inquiry.2 == 64 && inquiry.data.count == 100)
    #expect(try #require(driver.command([0], in: 512)).2 == 512)
    // The host expects less, or the other direction.
    #expect(try #require(driver.command(Self.read10(0, 4), in: 512)).1 == 2)
    #expect(
      try #require(driver.command(Self.read10(0, 1), out: [UInt8](repeating: 0, count: 512))) == (2, 512))
    #expect(try #require(driver.command(Self.write10(0, 1), in: 512)).1 == 2)
    let long = try #require(driver.command(Self.write10(0, 1), out: [UInt8](repeating: 9, count: 1536)))
    #expect(long == (0, 1024) && disk.bytes[511] == 9 && disk.bytes[512] != 9)
  }

  @Test func whatIsNoCommandStallsUntilTheReset() {
    #expect(host.begin(out: 2, [1, 2, 3], to: device).1 == .stall)
    for endpoint in [0x81, 0x02] as [UInt16] { host.control(2, 1, value: 0, index: endpoint, device) }
    #expect(host.begin(in: 1, 13, from: device).1 == .stall)
    #expect(host.control(0x21, 0xFF, device) == .success)
    for endpoint in [0x81, 0x02] as [UInt16] { host.control(2, 1, value: 0, index: endpoint, device) }
    #expect(driver.command([0], in: 0)?.1 == 0)
  }

  @Test func discards() throws {
    let list: [UInt8] = [0, 22, 0, 16, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0]
    #expect(try #require(driver.command([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], out: list)) == (0, 0))
    #expect(disk.bytes[(8 * 512)..<(12 * 512)].allSatisfy { $0 == 0 } && disk.bytes[12 * 512] != 0)
  }

  @Test func resetsTakeRequestsBack() throws {
    disk.isLate = true
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.read10(0, 9), 9 * 512, isIn: true), to: device).1
        == .success)
    let (transfer, result) = host.begin(in: 1, 512, from: device)
    #expect(result == .pending)
    device.resetFromPort()
    #expect(transfer.result == .error && disk.waiting.isEmpty)
    disk.isLate = false
    _ = host.control(0, 5, value: 1, device)
    _ = host.control(0, 9, value: 1, device)
    #expect(driver.command(Self.read10(1, 1), in: 512)?.data == Array(disk.bytes[512..<1024]))
  }

  @Test func stateRoundTripInTheMiddleOfAWrite() throws {
    let data = [UInt8](repeating: 0x77, count: 4096)
    #expect(
      host.begin(out: 2, StorageDriver.wrapper(Self.write10(20, 8), 4096, isIn: false), to: device).1
        == .success)
    #expect(host.begin(out: 2, Array(data[..<1000]), to: device).1 == .success)
    let other = try TestHost()
    let copy = USBStorage(drive: Drive(name: "copy", kind: .disk, serial: "MS0001", medium: disk))
    #expect(other.port.attach(copy))
    try transplant(from: device, to: copy)
    #expect(other.begin(out: 2, Array(data[1000...]), to: copy).1 == .success)
    #expect(other.read(1, 13, from: copy)?[12] == 0)
    #expect(Array(disk.bytes[(20 * 512)..<(28 * 512)]) == data)
    var state = device.save()
    state.transport.position = 1 << 40
    #expect(throws: (any Error).self) { try device.restore(state) }
  }

  @Test(arguments: [1, 0xB07, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomTransfers(seed: UInt64) throws {
    print("USB storage seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      let bits = random.next()
      disk.isLate = bits >> 60 & 3 == 0
      disk.failure = bits >> 58 & 3 == 0 ? EIO : nil
      switch bits % 8 {
      case 0...2:
        var command = (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        command[0] =
          ([0x28, 0x2A, 0x88, 0x8A, 0x42, 0x12, 0x1A, 0x5A, 0xA0, 0x25, 0x9E, 0x35] as [UInt8])[
            Int(bits >> 8 & 0xFF) % 12]
        if bits >> 20 & 3 != 0 { (command[2], command[3], command[4]) = (0, 0, 0) }
        let wrapper = StorageDriver.wrapper(
          command, Int(bits >> 24 & 0x3FFFF), isIn: bits >> 16 & 1 != 0, unit: bits >> 17 & 31 == 0 ? 5 : 0)
        _ = host.begin(out: 2, wrapper, to: device)
      case 3: _ = host.begin(in: 1, Int(bits >> 8 & 0x1FFFF), from: device)
      case 4: _ = host.begin(out: 2, [UInt8](repeating: 3, count: Int(bits >> 8 & 0xFFFF)), to: device)
      case 5: disk.completeWaiting()
      case 6 where bits >> 8 & 7 == 0: host.control(0x21, 0xFF, device)
      case 6:
        for endpoint in [0x81, 0x02] as [UInt16] { host.control(2, 1, value: 0, index: endpoint, device) }
      default:
        if bits >> 8 & 15 == 0 {
          device.resetFromPort()
          _ = host.control(0, 9, value: 1, device)
        } else {
          _ = host.read(1, 13, from: device)
        }
      }
    }
  }
}
