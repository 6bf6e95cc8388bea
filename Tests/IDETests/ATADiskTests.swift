// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Glibc
import GuestMemory
import PCI
import TestSupport
import Testing

@testable import IDE

@Suite struct ATADiskTests {
  @Test func identifyTellsTheDisk() throws {
    let bench = try IDEBench()
    bench.command(0xEC)
    #expect(bench.isInterrupting())
    #expect(bench.status() == 0x58)
    #expect(!bench.isInterrupting())
    let data = bench.readData(512)
    func word(_ index: Int) -> UInt16 { UInt16(data[index * 2]) | UInt16(data[index * 2 + 1]) << 8 }
    #expect(Array(data[20..<28]) == Array("ESIRLA 1".utf8))
    #expect(word(60) == 4096 && word(61) == 0)
    #expect(word(100) == 4096)
    #expect((word(1), word(3), word(6)) == (4, 16, 63))
    #expect(data.reduce(UInt8(0)) { $0 &+ $1 } == 0)
    #expect(bench.status() == 0x50)
  }

  @Test func readsSectorsByPIO() throws {
    let bench = try IDEBench()
    bench.command(0x20, lba: 100, count: 3)
    for sector in 100..<103 {
      #expect(bench.isInterrupting())
      #expect(bench.status() & 0x88 == 0x08)
      #expect(bench.readData(512) == Array(bench.disk.bytes[sector * 512..<(sector + 1) * 512]))
    }
    #expect(!bench.isInterrupting())
    #expect(bench.status() == 0x50)
  }

  @Test func readsMoreThanTheBufferHolds() throws {
    let bench = try IDEBench()
    bench.command(0x20, lba: 1, count: 0)
    var data: [UInt8] = []
    while bench.status() & 8 != 0 { data += bench.readData(512) }
    #expect(data == Array(bench.disk.bytes[512..<257 * 512]))
  }

  @Test func writesSectorsByPIO() throws {
    let bench = try IDEBench()
    bench.command(0x30, lba: 7, count: 2)
    #expect(!bench.isInterrupting())
    bench.writeData([UInt8](repeating: 0xA5, count: 512))
    #expect(bench.isInterrupting())
    #expect(bench.status() & 0x08 != 0)
    bench.writeData([UInt8](repeating: 0x5A, count: 512))
    #expect(bench.isInterrupting())
    #expect(bench.status() == 0x50)
    #expect(bench.disk.bytes[7 * 512..<8 * 512].allSatisfy { $0 == 0xA5 })
    #expect(bench.disk.bytes[8 * 512..<9 * 512].allSatisfy { $0 == 0x5A })
  }

  @Test func multipleSectorsShareAnInterrupt() throws {
    let bench = try IDEBench()
    bench.command(0xC4, lba: 0, count: 4)
    #expect(bench.status() & 1 != 0)
    bench.command(0xC6, count: 4)
    #expect(bench.status() & 1 == 0)
    let before = bench.board.interrupts.edges[14] ?? 0
    bench.command(0xC4, lba: 0, count: 8)
    _ = bench.status()
    _ = bench.readData(2048)
    _ = bench.status()
    _ = bench.readData(2048)
    #expect(bench.board.interrupts.edges[14] == before + 2)
    #expect(bench.status() == 0x50)
    bench.command(0xC6, count: 3)
    #expect(bench.status() & 1 != 0)
  }

  @Test func addressesByCHS() throws {
    let bench = try IDEBench()
    bench.board.outb(0x1F2, 1)
    bench.board.outb(0x1F3, 2)
    bench.board.outb(0x1F4, 1)
    bench.board.outb(0x1F5, 0)
    bench.board.outb(0x1F6, 0xA1)
    bench.board.outb(0x1F7, 0x20)
    let sector = (16 + 1) * 63 + 1
    #expect(bench.readData(512) == Array(bench.disk.bytes[sector * 512..<(sector + 1) * 512]))
  }

  @Test func beyondTheEndIsNotFound() throws {
    let bench = try IDEBench()
    bench.command(0x20, lba: 4095, count: 2)
    #expect(bench.status() & 1 != 0)
    #expect(bench.board.inb(0x1F1) == 0x10)
    bench.command(0xC8, lba: 0x0FFF_FFFF, count: 1)
    #expect(bench.status() & 1 != 0)
  }

  @Test func addressesOf48Bits() throws {
    let bench = try IDEBench()
    for (port, high, low) in [(0x1F2, 0, 1), (0x1F3, 0, 0x34), (0x1F4, 0, 0x02), (0x1F5, 0, 0)]
      as [(UInt16, UInt8, UInt8)]
    {
      bench.board.outb(port, high)
      bench.board.outb(port, low)
    }
    bench.board.outb(0x1F6, 0x40)
    bench.board.outb(0x1F7, 0x24)
    #expect(bench.readData(512) == Array(bench.disk.bytes[0x234 * 512..<0x235 * 512]))
    // READ NATIVE MAX ADDRESS EXT, with the high bytes behind HOB.
    bench.board.outb(0x1F7, 0x27)
    #expect(bench.board.inb(0x1F3) == 0xFF)
    #expect(bench.board.inb(0x1F4) == 0x0F)
    bench.board.outb(0x3F6, 0x80)
    #expect(bench.board.inb(0x1F3) == 0)
  }

  @Test func dmaFollowsTheTable() throws {
    let bench = try IDEBench()
    bench.setTable([(0x20000, 6), (0x30002, 506), (0x40000, 1536)])
    bench.command(0xC8, lba: 10, count: 4)
    #expect(!bench.isInterrupting())
    bench.startBusMaster(toMemory: true)
    #expect(bench.isInterrupting())
    #expect(bench.busMasterStatus() == 4)
    #expect(bench.status() == 0x50)
    let expected = Array(bench.disk.bytes[10 * 512..<14 * 512])
    #expect(bench.memory(0x20000, 6) + bench.memory(0x30002, 506) + bench.memory(0x40000, 1536) == expected)
  }

  @Test func dmaWritesToTheDisk() throws {
    let bench = try IDEBench()
    let pattern = (0..<1024).map { UInt8(truncatingIfNeeded: $0 * 3) }
    pattern.withUnsafeBytes { _ = bench.board.memory.memory.write(GuestAddress(UInt64(0x20000)), from: $0) }
    bench.setTable([(0x20000, 1024)])
    bench.startBusMaster(toMemory: false)
    bench.command(0xCA, lba: 20, count: 2)
    #expect(bench.busMasterStatus() == 4)
    #expect(Array(bench.disk.bytes[20 * 512..<22 * 512]) == pattern)
  }

  @Test func thousandsOfPiecesGoThroughTheBuffer() throws {
    let bench = try IDEBench()
    bench.setTable((0..<4096).map { (UInt32(0x20000 + $0 * 32), 16) })
    bench.command(0xC8, lba: 0, count: 128)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 4)
    var data: [UInt8] = []
    for piece in 0..<4096 { data += bench.memory(0x20000 + piece * 32, 16) }
    #expect(data == Array(bench.disk.bytes[..<65536]))
  }

  @Test func tablesEndAsTheSpecificationSays() throws {
    // Too short: neither active nor an interrupt.
    var bench = try IDEBench()
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 0, count: 2)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 0)
    #expect(!bench.isInterrupting())
    #expect(bench.alternateStatus() == 0x50)
    // Too long: both.
    bench = try IDEBench()
    bench.setTable([(0x20000, 4096)])
    bench.command(0xC8, lba: 0, count: 2)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 5)
    // Not in memory: an error.
    bench = try IDEBench()
    bench.setTable([(0xF000_0000, 512)])
    bench.command(0xC8, lba: 0, count: 1)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() & 3 == 2)
    #expect(bench.status() & 1 != 0)
    // A count of 0 is 64 KiB.
    bench = try IDEBench()
    bench.setTable([(0x20000, 0)])
    bench.command(0xC8, lba: 0, count: 128)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 4)
    #expect(bench.memory(0x20000, 65536) == Array(bench.disk.bytes[..<65536]))
  }

  @Test func busMasteringMustBeEnabled() throws {
    let bench = try IDEBench()
    bench.board.writeConfiguration(PCIAddress(1, 1), 0x04, 1)
    bench.setTable([(0x20000, 512)])
    // What is read goes nowhere.
    bench.command(0xC8, lba: 1, count: 1)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 5)
    #expect(bench.memory(0x20000, 512).allSatisfy { $0 == 0 })
    #expect(bench.status() == 0x50)
    bench.board.outb(bench.busMaster, 0)
    bench.board.outb(bench.busMaster + 2, 4)
    // Nothing is written that nobody sent.
    bench.command(0xCA, lba: 1, count: 1)
    bench.startBusMaster(toMemory: false)
    #expect(bench.busMasterStatus() == 1)
    #expect(!bench.isInterrupting())
  }

  @Test func stoppingTheBusMasterWaitsForTheTransfer() throws {
    let bench = try IDEBench()
    bench.disk.isLate = true
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 1, count: 1)
    bench.startBusMaster(toMemory: true)
    #expect(bench.alternateStatus() & 0x80 != 0)
    bench.board.outb(bench.busMaster, 8)
    #expect(bench.memory(0x20000, 512) == Array(bench.disk.bytes[512..<1024]))
    #expect(bench.busMasterStatus() == 4)
    #expect(bench.status() == 0x50)
  }

  /// What cannot come to its end is given up, and touches no memory later.
  @Test func stoppingTheBusMasterLeavesMemoryAlone() throws {
    let bench = try IDEBench()
    bench.disk.isLate = true
    bench.disk.isStubborn = true
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 1, count: 1)
    bench.startBusMaster(toMemory: true)
    bench.board.outb(bench.busMaster, 8)
    #expect(bench.busMasterStatus() == 0)
    #expect(!bench.isInterrupting())
  }

  @Test func hostErrorsAreDeviceErrors() throws {
    let bench = try IDEBench()
    bench.disk.failure = EIO
    bench.command(0x20, lba: 5, count: 1)
    #expect(bench.status() & 1 != 0)
    #expect(bench.board.inb(0x1F1) == 0x40)
    #expect(bench.board.inb(0x1F3) == 5)
    bench.command(0xE7)
    #expect(bench.status() & 1 != 0)
    bench.disk.failure = nil
    bench.command(0xE7)
    #expect(bench.status() == 0x50)
    #expect(bench.disk.flushes == 1)
  }

  @Test func aStoppedRequestIsTriedAgain() throws {
    let bench = try IDEBench(policy: .stop)
    var stops = 0
    bench.drives[0][0]?.onStop = { _ in stops += 1 }
    bench.disk.failure = ENOSPC
    bench.command(0x30, lba: 3, count: 1)
    bench.writeData([UInt8](repeating: 9, count: 512))
    #expect(stops == 1)
    #expect(bench.alternateStatus() & 0x80 != 0)
    bench.disk.failure = nil
    bench.drives[0][0]?.retryStopped()
    #expect(bench.status() == 0x50)
    #expect(bench.disk.bytes[3 * 512] == 9)
  }

  @Test func resetGivesUpWhatIsUnderWay() throws {
    let bench = try IDEBench()
    bench.disk.isLate = true
    bench.command(0x20, lba: 0, count: 1)
    #expect(bench.alternateStatus() & 0x80 != 0)
    bench.board.outb(0x3F6, 4)
    #expect(bench.alternateStatus() & 0x80 != 0)
    bench.board.outb(0x3F6, 0)
    #expect(bench.alternateStatus() == 0x50)
    #expect(
      (bench.board.inb(0x1F2), bench.board.inb(0x1F3), bench.board.inb(0x1F4), bench.board.inb(0x1F5)) == (
        1, 1, 0, 0
      ))
    bench.disk.isLate = false
    bench.command(0x20, lba: 2, count: 1)
    #expect(bench.readData(512) == Array(bench.disk.bytes[1024..<1536]))
  }

  @Test func interruptsCanBeHeld() throws {
    let bench = try IDEBench()
    bench.board.outb(0x3F6, 2)
    bench.command(0xEC)
    #expect(!bench.isInterrupting())
    bench.board.outb(0x3F6, 0)
    #expect(bench.isInterrupting())
  }

  @Test func trimDiscards() throws {
    let bench = try IDEBench()
    let list = [UInt64(50) | 2 << 48, UInt64(60) | 1 << 48] + [UInt64](repeating: 0, count: 62)
    list.withUnsafeBytes { _ = bench.board.memory.memory.write(GuestAddress(UInt64(0x20000)), from: $0) }
    bench.setTable([(0x20000, 512)])
    // The count has two bytes.
    bench.board.outb(0x1F2, 0)
    bench.command(0x06, count: 1, features: 1)
    bench.startBusMaster(toMemory: false)
    #expect(bench.status() == 0x50)
    #expect(bench.disk.bytes[50 * 512..<52 * 512].allSatisfy { $0 == 0 })
    #expect(bench.disk.bytes[60 * 512..<61 * 512].allSatisfy { $0 == 0 })
    #expect(!bench.disk.bytes[52 * 512..<53 * 512].allSatisfy { $0 == 0 })
  }

  @Test(arguments: [0xE0, 0xE1, 0xE2, 0xE3, 0xE5, 0x10, 0x40, 0x91, 0xEF] as [UInt8])
  func commandsWithoutData(_ code: UInt8) throws {
    let bench = try IDEBench()
    bench.command(code, count: code == 0xEF ? 0x45 : 63, features: 3)
    #expect(bench.isInterrupting())
    #expect(bench.status() == 0x50)
    if code == 0xE5 { #expect(bench.board.inb(0x1F2) == 0xFF) }
  }

  @Test func smart() throws {
    let bench = try IDEBench()
    bench.command(0xB0, lba: 0xC24F00, features: 0xD0)
    let data = bench.readData(512)
    #expect(data.reduce(UInt8(0)) { $0 &+ $1 } == 0)
    bench.command(0xB0, lba: 0xC24F00, features: 0xDA)
    #expect(bench.status() == 0x50)
    #expect((bench.board.inb(0x1F4), bench.board.inb(0x1F5)) == (0x4F, 0xC2))
    bench.command(0xB0, lba: 0, features: 0xDA)
    #expect(bench.status() & 1 != 0)
  }

  @Test func unknownCommandsAreAborted() throws {
    let bench = try IDEBench()
    for code in [0x00, 0x0F, 0x87, 0xF1, 0xFF] as [UInt8] {
      bench.command(code)
      #expect(bench.status() & 1 != 0)
      #expect(bench.board.inb(0x1F1) == 4)
    }
  }

  @Test func absentDevicesAreNeitherBusyNorReady() throws {
    let bench = try IDEBench()
    bench.board.outb(0x1F6, 0xB0)
    #expect(bench.status() == 0)
    bench.board.outb(0x1F7, 0xEC)
    #expect(bench.status() == 0)
  }

  @Test func theDataPortAllocatesNothing() throws {
    let bench = try IDEBench()
    bench.command(0x20, lba: 0, count: 1)
    _ = bench.board.inw(0x1F0)
    #expect(countingAllocations { for _ in 0..<200 { _ = bench.board.inw(0x1F0) } } == 0)
    bench.command(0x30, lba: 0, count: 1)
    bench.board.outw(0x1F0, 1)
    #expect(countingAllocations { for _ in 0..<200 { bench.board.outw(0x1F0, 1) } } == 0)
  }
}
