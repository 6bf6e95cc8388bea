// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing

@testable import Firmware

@Suite struct FirmwareConfigurationTests {
  @Test func itSaysWhoItIs() throws {
    let driver = try FirmwareDriver()
    #expect(driver.item(0, count: 4) == Array("QEMU".utf8))
    #expect(driver.item(1, count: 4) == [3, 0, 0, 0])
    // Beyond the end, and for what is not there, zeroes come.
    #expect(driver.bytes(2) == [0, 0])
    #expect(driver.item(0x3F, count: 3) == [0, 0, 0])
    #expect(driver.board.inl(0x514) == 0x554D_4551)
    #expect(driver.board.inl(0x518) == 0x4746_4320)
    #expect(driver.board.inb(0x517) == UInt8(ascii: "U"))
  }

  @Test func onlyByteReadsAreData() throws {
    let driver = try FirmwareDriver()
    driver.select(0)
    #expect(driver.board.inw(0x510) == 0)
    // The data port and one at which nothing answers.
    #expect(driver.board.inw(0x511) == 0xFF51)
    #expect(driver.board.inb(0x511) == UInt8(ascii: "E"))
    // Byte writes to either port change nothing.
    driver.board.outb(0x510, 1)
    driver.board.outb(0x511, 1)
    #expect(driver.board.inb(0x511) == UInt8(ascii: "M"))
  }

  @Test func filesAreListedByName() throws {
    let driver = try FirmwareDriver()
    try driver.device.addFile("opt/b", [1, 2, 3])
    try driver.device.addFile("bootorder", [])
    try driver.device.addFile("etc/a", Array("hello".utf8))
    let directory = driver.directory()
    #expect(directory.map(\.name) == ["bootorder", "etc/a", "opt/b"])
    #expect(directory.map(\.count) == [0, 5, 3])
    #expect(directory.map(\.key) == [0x20, 0x21, 0x22])
    #expect(driver.file("etc/a") == Array("hello".utf8))
    #expect(driver.file("opt/b") == [1, 2, 3])
  }

  @Test func badFilesAreRefused() throws {
    let device = try FirmwareDriver().device
    try device.addFile("etc/a", [])
    #expect(throws: FirmwareConfigurationError.duplicate("etc/a")) { try device.addFile("etc/a", [1]) }
    #expect(throws: FirmwareConfigurationError.badName("")) { try device.addFile("", [1]) }
    #expect(throws: FirmwareConfigurationError.badName("a b")) { try device.addFile("a b", [1]) }
    let long = String(repeating: "x", count: 56)
    #expect(throws: FirmwareConfigurationError.badName(long)) { try device.addFile(long, [1]) }
    try device.addFile(String(repeating: "x", count: 55), [1])
    for number in 0..<62 { try device.addFile("opt/\(number)", []) }
    #expect(throws: FirmwareConfigurationError.tooManyFiles("opt/last")) {
      try device.addFile("opt/last", [])
    }
  }

  @Test func dmaReadsSelectsAndSkips() throws {
    let driver = try FirmwareDriver()
    try driver.device.addFile("etc/a", Array(0..<16))
    #expect(driver.dma(0x20 << 16 | 0x0A, count: 4, to: 0x2000) == 0)
    #expect(driver.ram(0x2000, 4) == [0, 1, 2, 3])
    #expect(driver.dma(0x04, count: 6, to: 0) == 0)
    driver.board.ram.bytes(at: 0x2000, count: 16)!.initializeMemory(as: UInt8.self, repeating: 0xAA)
    #expect(driver.dma(0x02, count: 8, to: 0x2000) == 0)
    // The rest of the item, zeroes beyond its end, and nothing more.
    #expect(driver.ram(0x2000, 9) == [10, 11, 12, 13, 14, 15, 0, 0, 0xAA])
    // The data port goes on where DMA stopped.
    #expect(driver.dma(0x20 << 16 | 0x0C, count: 3, to: 0) == 0)
    #expect(driver.board.inb(0x511) == 3)
    #expect(driver.dma(0x04, count: .max, to: 0) == 0)
    #expect(driver.board.inb(0x511) == 0)
    // Reading nothing is well.
    #expect(driver.dma(0x02, count: 0, to: 0) == 0)
  }

  @Test func badDMAIsRefused() throws {
    let driver = try FirmwareDriver()
    try driver.device.addFile("etc/a", Array(0..<16))
    // Writing, a place that is not RAM, zeroes without end.
    #expect(driver.dma(0x20 << 16 | 0x18, count: 4, to: 0x2000) == 1)
    #expect(driver.dma(0x20 << 16 | 0x0A, count: 4, to: 0xFFFF_FFFF_FFFF_FFFE) == 1)
    #expect(driver.dma(0x20 << 16 | 0x0A, count: 4, to: 4 << 20) == 1)
    #expect(driver.dma(0x20 << 16 | 0x0A, count: .max, to: 0x2000) == 1)
    // A descriptor that is not RAM, or ends outside.
    driver.board.outl(0x518, UInt32(8 << 20).byteSwapped)
    driver.board.outl(0x518, UInt32((4 << 20) - 8).byteSwapped)
    #expect(driver.memory.load(GuestAddress(UInt64((4 << 20) - 8)), as: UInt32.self) == UInt32(1).byteSwapped)
    driver.board.outl(0x514, ~0)
    driver.board.outl(0x518, ~0)
    #expect(driver.dma(0x20 << 16 | 0x0A, count: 4, to: 0x2000) == 0)
  }

  @Test func computedFilesAreComputedOnceABoot() throws {
    let driver = try FirmwareDriver()
    var runs: UInt8 = 0
    try driver.device.addFiles(["etc/x", "etc/y"]) {
      runs += 1
      return [[runs, 1], [runs, 2, 3]]
    }
    #expect(driver.directory().map(\.count) == [2, 3])
    #expect(runs == 1)
    #expect(driver.file("etc/x") == [2, 1])
    #expect(driver.file("etc/y") == [2, 2, 3])
    driver.device.reset()
    #expect(driver.file("etc/y") == [3, 2, 3])
    #expect(driver.file("etc/x") == [3, 1])
  }

  @Test func computedFilesKeepTheirSize() throws {
    let driver = try FirmwareDriver()
    var contents: [UInt8] = [1, 2, 3]
    try driver.device.addFiles(["etc/x"]) { [contents] }
    contents = [9]
    #expect(driver.file("etc/x") == [9, 0, 0])
    driver.device.reset()
    contents = [7, 7, 7, 7]
    #expect(driver.file("etc/x") == [7, 7, 7])
  }

  @Test func theBoardsItems() throws {
    let driver = try FirmwareDriver()
    var board = BoardItems(ramBelow4G: 0xE000_0000, ramAbove4G: 0x2000_0000, cpuCount: 3)
    board.reserved = [(0xFEFF_C000, 0x4000)]
    board.bootOrder = Array("/a\0".utf8)
    try driver.device.add(board)
    #expect(driver.item(0x03, count: 8) == [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(driver.item(0x05, count: 2) == [3, 0])
    #expect(driver.item(0x0F, count: 2) == [3, 0])
    #expect(driver.item(0x0E, count: 2) == [0, 0])
    #expect(driver.item(0x8002, count: 4) == [1, 0, 0, 0])
    #expect(driver.file("etc/show-boot-menu") == [0, 0])
    #expect(driver.file("etc/boot-menu-wait") == [0, 0])
    #expect(driver.file("etc/boot-fail-wait") == [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(driver.file("bootorder") == Array("/a\0".utf8))
    #expect(
      driver.file("etc/e820") == [
        0, 0xC0, 0xFF, 0xFE, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xE0, 0, 0, 0, 0, 1, 0, 0, 0,
        0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0,
      ])
  }

  @Test func aMenuThatIsAskedFor() throws {
    let driver = try FirmwareDriver()
    var board = BoardItems(ramBelow4G: 1 << 20)
    board.isBootMenuOffered = true
    board.bootMenuWait = 3000
    try driver.device.add(board)
    #expect(driver.item(0x0E, count: 2) == [1, 0])
    #expect(driver.file("etc/boot-menu-wait") == [0xB8, 0x0B])
  }

  @Test func stateRoundTrip() throws {
    func make() throws -> FirmwareDriver {
      let driver = try FirmwareDriver()
      try driver.device.addFile("etc/a", Array(0..<16))
      return driver
    }
    let (source, target) = (try make(), try make())
    var runs: UInt8 = 0
    for driver in [source, target] {
      try driver.device.addFiles(["etc/x"]) {
        runs += 1
        return [[runs]]
      }
    }
    let computed = source.file("etc/x")
    source.select(0x20)
    _ = source.bytes(5)
    source.board.outl(0x514, 0x0100_0000)
    try transplant(from: source.device, to: target.device)
    #expect(target.device.save() == source.device.save())
    #expect(target.bytes(3) == source.bytes(3))
    #expect(target.file("etc/x") == computed)
    target.device.reset()
    #expect(target.file("etc/x") != computed)
  }

  @Test func wrongStatesAreRefused() throws {
    let driver = try FirmwareDriver()
    try driver.device.addFiles(["etc/x"]) { [[1, 2]] }
    var state = driver.device.save()
    state.computedFiles = ["etc/x": [1]]
    #expect(throws: RestoreError.self) { try driver.device.restore(state) }
    state.computedFiles = ["etc/y": [1]]
    #expect(throws: RestoreError.self) { try driver.device.restore(state) }
    state.computedFiles = [:]
    state.selector = 0xFFFF
    state.offset = .max
    try driver.device.restore(state)
    #expect(driver.bytes(2) == [0, 0])
  }

  @Test func fuzz() throws {
    let seed: UInt64 = 0x510
    print("fw_cfg fuzz seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let driver = try FirmwareDriver()
    try driver.device.add(BoardItems(ramBelow4G: 1 << 20))
    try driver.device.addFiles(["etc/x"]) { [[1, 2, 3]] }
    for round in 0..<20_000 {
      let value = UInt32.random(in: 0 ... .max, using: &generator)
      let port = UInt16.random(in: 0x50E...0x51D, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: driver.board.outw(0x510, UInt16(truncatingIfNeeded: value) & 0x803F)
      case 1: driver.board.outl(port, value)
      case 2: driver.board.outw(port, UInt16(truncatingIfNeeded: value))
      case 3: driver.board.outb(port, UInt8(truncatingIfNeeded: value))
      case 4: _ = driver.board.inl(port)
      case 5: _ = driver.board.inw(port)
      case 6:
        let key = UInt32.random(in: 0...0x40, using: &generator) << 16
        let address = UInt64.random(in: 0...UInt64(5 << 20), using: &generator)
        _ = driver.dma(key | value & 0x1F, count: value >> (value & 31), to: address)
      default: _ = driver.board.inb(port)
      }
      if round % 5000 == 0 { driver.device.reset() }
    }
    driver.device.reset()
    #expect(driver.item(0, count: 4) == Array("QEMU".utf8))
  }
}
