// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import Testing

@testable import IDE

@Suite struct IDERobustnessTests {
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func randomAccessesNeitherTrapNorHang(_ seed: UInt64) throws {
    print("IDE fuzz seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let bench = try IDEBench(cdromAsSlave: seed % 2 == 0)
    let packets: [UInt8] = [
      0, 3, 0x12, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xAD, 0xBD, 0xBE,
    ]
    let commands: [UInt8] = [
      0x20, 0x24, 0x30, 0x34, 0xC4, 0xC5, 0xC8, 0xCA, 0x25, 0x35, 0xA0, 0xA1, 0xEC, 0xE7, 0x06, 0xB0, 0x08,
      0x90,
    ]
    for round in 0..<20_000 {
      let channelBase: UInt16 = random.next() % 2 == 0 ? 0x1F0 : 0x170
      switch random.next() % 12 {
      case 0...3:
        bench.board.outb(channelBase + UInt16(random.next() % 7), UInt8(truncatingIfNeeded: random.next()))
      case 4: bench.board.outb(channelBase + 7, commands.randomElement(using: &random) ?? 0)
      case 5: bench.board.outb(channelBase + 7, UInt8(truncatingIfNeeded: random.next()))
      case 6:
        bench.board.outw(channelBase, UInt16(packets.randomElement(using: &random) ?? 0))
        for _ in 0..<5 {
          bench.board.outw(channelBase, UInt16(truncatingIfNeeded: random.next() & random.next()))
        }
      case 7: for _ in 0..<64 { _ = bench.board.inl(channelBase) }
      case 8: bench.board.ports.write(bench.busMaster + UInt16(random.next() % 16), random.next(), .dword)
      case 9:
        let address = GuestAddress(UInt64(0x1000 + random.next() % 64 * 8))
        bench.board.memory.memory.store(random.next() & 0x8000_FFFF_01FF_FFFF, at: address)
      case 10:
        bench.board.outb(
          channelBase == 0x1F0 ? 0x3F6 : 0x376, UInt8(truncatingIfNeeded: random.next()) & 0x86)
        bench.disk.isLate = random.next() % 2 == 0
        bench.disc.isLate = random.next() % 4 == 0
      default:
        _ = bench.board.inb(channelBase + UInt16(random.next() % 8))
        bench.disk.completeWaiting()
        bench.disc.completeWaiting()
      }
      if round % 5000 == 4999 { bench.ide.reset() }
    }
  }

  @Test func aSavedTransferGoesOn() throws {
    let (first, second) = (try IDEBench(), try IDEBench())
    first.command(0x20, lba: 100, count: 2)
    let head = first.readData(200)
    try transplant(from: first.ide, to: second.ide)
    var data = head + second.readData(312)
    #expect(second.status() & 8 != 0)
    data += second.readData(512)
    #expect(data == Array(second.disk.bytes[100 * 512..<102 * 512]))
    #expect(second.status() == 0x50)
  }

  @Test func aRequestInFlightIsMadeAgain() throws {
    let (first, second) = (try IDEBench(), try IDEBench())
    first.disk.isLate = true
    first.setTable([(0x20000, 1024)])
    second.setTable([(0x20000, 1024)])
    first.command(0xC8, lba: 5, count: 2)
    first.startBusMaster(toMemory: true)
    try transplant(from: first.ide, to: second.ide)
    second.ide.run()
    #expect(second.isInterrupting())
    #expect(second.memory(0x20000, 1024) == Array(second.disk.bytes[5 * 512..<7 * 512]))
  }

  @Test func statesThatCannotBeAreRefused() throws {
    let bench = try IDEBench()
    var state = bench.ide.save()
    state.channels[0].disks[0]?.transfer.lba = 1 << 40
    #expect(throws: RestoreError.self) { try bench.ide.restore(state) }
    state = bench.ide.save()
    state.channels[0].disks[0]?.registers.end = 1 << 30
    #expect(throws: RestoreError.self) { try bench.ide.restore(state) }
    state = bench.ide.save()
    state.channels[1].cdroms[0] = nil
    #expect(throws: RestoreError.self) { try bench.ide.restore(state) }
  }
}
