// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import Glibc
import GuestMemory
import TestSupport
import Testing

@testable import IDE

/// Transfers that are interrupted, awkward, failing or very long.
@Suite struct TransferTests {
  /// Region lists for 4 KiB: crossing pages, of two bytes, up to a 64 KiB boundary, odd addresses and counts.
  static let shapes: [[(address: UInt32, count: UInt32)]] = [
    [(0x20FFE, 4096)],
    (0..<2048).map { (0x30000 + $0 * 6, 2) },
    [(0x2FF00, 256), (0x30000, 3840)],
    [(0x40000, 2), (0x50000, 4092), (0x40002, 2)],
    [(0x20001, 4097)],
    [(0x20000, 4096), (0x60000, 4096)],
    [(0x20000, 0)],
  ]

  /// The guest's bytes in the order of the list, the low bit of addresses and counts left out.
  private func gathered(_ bench: IDEBench, _ shape: [(address: UInt32, count: UInt32)]) -> [UInt8] {
    Array(
      shape.flatMap { region in
        bench.memory(
          Int(region.address & ~1), region.count == 0 ? 65536 : Int(region.count & 0xFFFE))
      }.prefix(4096))
  }

  @Test(arguments: shapes.indices)
  func listsOfAllShapesAreRead(_ index: Int) throws {
    let bench = try IDEBench()
    bench.setTable(Self.shapes[index])
    bench.command(0xC8, lba: 33, count: 8)
    bench.startBusMaster(toMemory: true)
    #expect(bench.isInterrupting())
    #expect(bench.busMasterStatus() & 6 == 4)
    #expect(bench.status() == 0x50)
    #expect(gathered(bench, Self.shapes[index]) == Array(bench.disk.bytes[33 * 512..<41 * 512]))
  }

  @Test(arguments: shapes.indices)
  func listsOfAllShapesAreWritten(_ index: Int) throws {
    let bench = try IDEBench()
    bench.setMemory(0x20000, (0..<0x50000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
    bench.setTable(Self.shapes[index])
    bench.command48(0x35, lba: 33, count: 8)
    bench.startBusMaster(toMemory: false)
    #expect(bench.busMasterStatus() & 6 == 4)
    #expect(gathered(bench, Self.shapes[index]) == Array(bench.disk.bytes[33 * 512..<41 * 512]))
  }

  @Test func aTableWithoutAnEndIsAFault() throws {
    let bench = try IDEBench()
    for index in 0..<8192 {
      let descriptor = GuestAddress(UInt64(0x10000 + index * 8))
      bench.board.memory.memory.store(0x0002_0003_0000 as UInt64, at: descriptor)
    }
    bench.command48(0x25, lba: 0, count: 64)
    bench.board.outb(bench.busMaster, 8)
    bench.board.outl(bench.busMaster + 4, 0x18000)
    bench.board.outb(bench.busMaster, 9)
    #expect(bench.busMasterStatus() & 3 == 2)
    #expect(bench.status() & 1 != 0)
  }

  @Test func aTableAtTheEndOf64KiBGoesOnAtItsBeginning() throws {
    let bench = try IDEBench()
    bench.board.memory.memory.store(0x0200_0002_0000 as UInt64, at: GuestAddress(UInt64(0x1FFF8)))
    bench.board.memory.memory.store(0x8000_0200_0003_0000 as UInt64, at: GuestAddress(UInt64(0x10000)))
    bench.command(0xC8, lba: 0, count: 2)
    bench.board.outb(bench.busMaster, 8)
    bench.board.outl(bench.busMaster + 4, 0x1FFF8)
    bench.board.outb(bench.busMaster, 9)
    #expect(bench.busMasterStatus() == 4)
    #expect(bench.memory(0x30000, 512) == Array(bench.disk.bytes[512..<1024]))
  }

  @Test func theWrongDirectionMovesNothing() throws {
    let bench = try IDEBench()
    bench.setTable([(0x20000, 512)])
    let before = bench.disk.bytes
    bench.command(0xCA, lba: 0, count: 1)
    bench.startBusMaster(toMemory: true)
    #expect(bench.status() & 1 != 0)
    #expect(bench.disk.bytes == before)
    #expect(bench.memory(0x20000, 512).allSatisfy { $0 == 0 })
  }

  @Test func aNewCommandTakesThePlaceOfOneThatWaits() throws {
    let bench = try IDEBench()
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 1, count: 1)
    bench.command(0xEC)
    bench.startBusMaster(toMemory: true)
    // The bus master finds nobody who wants it, and IDENTIFY goes on.
    #expect(bench.memory(0x20000, 512).allSatisfy { $0 == 0 })
    #expect(bench.readData(512)[0] == 0x40)
    bench.command(0x30, lba: 1, count: 1)
    bench.command(0xE7)
    #expect(bench.status() == 0x50)
    bench.writeData([UInt8](repeating: 1, count: 512))
    #expect(bench.disk.bytes[512] == 7)
  }

  @Test func aLongTransferByTheBufferNeedsNoDeepStack() throws {
    let bench = try IDEBench()
    // More pieces than a request takes; then one region that all the rest of the disk fits in.
    bench.setTable((0..<2000).map { (0x20000 + $0 * 4, 2) } + (0..<31).map { _ in (0x40000, 0) })
    bench.command48(0x25, lba: 0, count: 3900)
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 5)
    #expect(bench.status() == 0x50)
  }

  @Test func allOfALongListIsDiscarded() throws {
    let bench = try IDEBench()
    let list = (0..<512).map { UInt64($0 * 8) | 8 << 48 }
    list.withUnsafeBytes { bench.setMemory(0x20000, Array($0)) }
    bench.setTable([(0x20000, 4096)])
    bench.command48(0x06, count: 8, features: 1)
    bench.startBusMaster(toMemory: false)
    #expect(bench.status() == 0x50)
    #expect(bench.disk.bytes.allSatisfy { $0 == 0 })
  }

  @Test func listsOfDiscardsAreChecked() throws {
    let bench = try IDEBench()
    bench.setMemory(0x20000, [UInt8](repeating: 0xFF, count: 512))
    bench.setTable([(0x20000, 512)])
    bench.command48(0x06, count: 1, features: 1)
    bench.startBusMaster(toMemory: false)
    #expect(bench.status() & 1 != 0)
    bench.command48(0x06, count: 9, features: 1)
    #expect(bench.status() & 1 != 0)
    bench.command48(0x06, count: 1, features: 0)
    #expect(bench.status() & 1 != 0)
  }

  @Test func writesAreDurableWithoutACache() throws {
    let bench = try IDEBench()
    bench.setTable([(0x20000, 512)])
    bench.command48(0x3D, lba: 0, count: 1)
    bench.startBusMaster(toMemory: false)
    #expect(bench.status() == 0x50)
    #expect(bench.disk.log == [.write, .flush])
    bench.command(0xEF, features: 0x82)
    bench.command(0x30, lba: 0, count: 1)
    bench.writeData([UInt8](repeating: 1, count: 512))
    #expect(bench.disk.log == [.write, .flush, .flush, .write, .flush])
    bench.command(0xEF, features: 0x02)
    bench.command(0x30, lba: 0, count: 1)
    bench.writeData([UInt8](repeating: 1, count: 512))
    #expect(bench.disk.log.last == .write)
  }

  @Test func aWriteProtectedDiskRefusesWrites() throws {
    let bench = try IDEBench()
    bench.disk.isReadOnly = true
    for code in [0x30, 0xCA] as [UInt8] {
      bench.command(code, lba: 0, count: 1)
      #expect(bench.status() & 0x09 == 1)
      #expect(bench.board.inb(0x1F1) == 4)
    }
  }

  // MARK: Resets and stops

  @Test func aHeldRequestDoesNotOutliveAReset() throws {
    let bench = try IDEBench(policy: .stop)
    bench.disk.failure = EIO
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 1, count: 1)
    bench.startBusMaster(toMemory: true)
    #expect(bench.drives[0][0]?.isStopped == true)
    bench.board.outb(0x3F6, 4)
    bench.board.outb(0x3F6, 0)
    #expect(bench.drives[0][0]?.isStopped == false)
    bench.disk.failure = nil
    bench.drives[0][0]?.retryStopped()
    #expect(bench.memory(0x20000, 512).allSatisfy { $0 == 0 })
    #expect(!bench.isInterrupting())
  }

  @Test func aRequestHeldWhileAResetWaitsForItIsGivenUp() throws {
    let bench = try IDEBench(policy: .stop)
    bench.disk.isLate = true
    bench.disk.isCommitted = true
    bench.command(0x20, lba: 1, count: 1)
    bench.disk.failure = EIO
    bench.board.outb(0x3F6, 4)
    bench.board.outb(0x3F6, 0)
    #expect(bench.drives[0][0]?.isStopped == false)
    bench.disk.failure = nil
    bench.disk.isLate = false
    bench.command(0x20, lba: 2, count: 1)
    #expect(bench.readData(512) == Array(bench.disk.bytes[1024..<1536]))
  }

  @Test func aRequestThatCannotBeTakenBackIsForgotten() throws {
    let bench = try IDEBench()
    bench.disk.isLate = true
    bench.disk.isStubborn = true
    bench.command(0x20, lba: 1, count: 1)
    bench.board.outb(0x3F6, 4)
    bench.board.outb(0x3F6, 0)
    bench.command(0xE7)
    bench.disk.completeWaiting()
    #expect(bench.isInterrupting())
    #expect(bench.status() == 0x50)
  }

  @Test func stoppingAndStartingServesACommandThatWaits() throws {
    let bench = try IDEBench()
    bench.setTable([(0x20000, 512)])
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 1)
    bench.board.outb(bench.busMaster, 8)
    #expect(bench.busMasterStatus() == 0)
    bench.command(0xC8, lba: 2, count: 1)
    #expect(!bench.isInterrupting())
    bench.startBusMaster(toMemory: true)
    #expect(bench.busMasterStatus() == 4)
    #expect(bench.memory(0x20000, 512) == Array(bench.disk.bytes[1024..<1536]))
  }

  // MARK: Media

  @Test func aReadDoesNotGoOnFromAnotherDisc() throws {
    let bench = try IDEBench()
    _ = bench.packet([0])
    bench.board.outb(0x174, 0)
    bench.board.outb(0x175, 8)
    bench.board.outb(0x177, 0xA0)
    // 64 sectors: twice the buffer.
    bench.writeData([0x28, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0], channel: 1)
    _ = bench.readData(2048, channel: 1)
    let other = MemoryDisk(sectors: 4096)
    other.isReadOnly = true
    bench.drives[1][0]?.change(medium: other)
    var sectors = 1
    while bench.status(1) & 8 != 0 {
      #expect(
        bench.readData(2048, channel: 1) == Array(bench.disc.bytes[sectors * 2048..<(sectors + 1) * 2048]))
      sectors += 1
    }
    #expect(sectors == 32)
    #expect(bench.status(1) & 1 != 0)
    #expect(bench.board.inb(0x171) >> 4 == 6)
    #expect(bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]) == Array(other.bytes[..<2048]))
  }

  @Test func aMediumChangeWaitsForTheReadUnderWay() throws {
    let bench = try IDEBench()
    _ = bench.packet([0])
    bench.disc.isLate = true
    bench.setTable([(0x20000, 2048)])
    bench.board.outb(0x171, 1)
    bench.board.outb(0x177, 0xA0)
    bench.writeData([0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0], channel: 1)
    bench.startBusMaster(toMemory: true, channel: 1)
    bench.drives[1][0]?.change(medium: nil)
    #expect(bench.isInterrupting(1))
    #expect(bench.memory(0x20000, 2048) == Array(bench.disc.bytes[2048..<4096]))
    #expect(bench.status(1) & 0x89 == 0)
  }

  @Test func aDiskWithoutItsMediumFails() throws {
    let bench = try IDEBench(policy: .stop)
    bench.disk.failure = EIO
    bench.command(0x30, lba: 0, count: 1)
    bench.writeData([UInt8](repeating: 1, count: 512))
    bench.drives[0][0]?.change(medium: nil)
    #expect(bench.status() & 0x81 == 1)
    for code in [0x20, 0xE7, 0xC4] as [UInt8] {
      bench.command(code, lba: 0, count: 1)
      #expect(bench.status() & 0x89 == 1)
    }
  }
}
