// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import IDE

@Suite struct ATAPICDROMTests {
  /// A bench whose drive has reported its new disc.
  private func ready() throws -> IDEBench {
    let bench = try IDEBench()
    _ = bench.packet([0x00])
    return bench
  }

  /// Key, code and qualifier of REQUEST SENSE.
  private func sense(_ bench: IDEBench) -> [UInt8] {
    let data = bench.packet([0x03, 0, 0, 0, 18])
    return data.count >= 14 ? [data[2], data[12], data[13]] : []
  }

  @Test func showsItsSignature() throws {
    let bench = try IDEBench()
    #expect((bench.board.inb(0x174), bench.board.inb(0x175)) == (0x14, 0xEB))
    bench.command(0xEC, channel: 1)
    #expect(bench.status(1) & 1 != 0)
    #expect((bench.board.inb(0x174), bench.board.inb(0x175)) == (0x14, 0xEB))
    bench.command(0xA1, channel: 1)
    let data = bench.readData(512, channel: 1)
    #expect(data[1] == 0x85)
    #expect(bench.status(1) & 0x89 == 0)
  }

  @Test func tellsOfItsDiscOnce() throws {
    let bench = try IDEBench()
    _ = bench.packet([0x00])
    #expect(bench.status(1) & 1 == 0)
    bench.drives[1][0]?.change(medium: bench.disc)
    _ = bench.packet([0x00])
    #expect(bench.status(1) & 1 != 0)
    #expect(sense(bench) == [6, 0x28, 0])
    _ = bench.packet([0x00])
    #expect(bench.status(1) & 1 == 0)
  }

  @Test func answersInquiryAndCapacity() throws {
    let bench = try ready()
    let inquiry = bench.packet([0x12, 0, 0, 0, 36])
    #expect(inquiry.count == 36)
    #expect(inquiry[0] == 5 && inquiry[1] == 0x80)
    #expect(bench.packet([0x25]) == [0, 0, 3, 0xFF, 0, 0, 8, 0])
    // Cut to what was asked for.
    #expect(bench.packet([0x12, 0, 0, 0, 5]).count == 5)
  }

  @Test func readsByPIOInPieces() throws {
    let bench = try ready()
    let data = bench.packet([0x28, 0, 0, 0, 0, 3, 0, 0, 2], limit: 1000)
    #expect(data == Array(bench.disc.bytes[3 * 2048..<5 * 2048]))
    #expect(bench.status(1) & 1 == 0)
    #expect(bench.board.inb(0x172) == 3)
  }

  @Test func readsByDMA() throws {
    let bench = try ready()
    bench.setTable([(0x20000, 4096)])
    bench.board.outb(0x176, 0xA0)
    bench.board.outb(0x171, 1)
    bench.board.outb(0x177, 0xA0)
    bench.writeData([0xA8, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0], channel: 1)
    bench.startBusMaster(toMemory: true, channel: 1)
    #expect(bench.busMasterStatus(1) == 4)
    #expect(bench.memory(0x20000, 4096) == Array(bench.disc.bytes[2048..<3 * 2048]))
  }

  @Test func refusesWhatIsNotThere() throws {
    let bench = try ready()
    _ = bench.packet([0x28, 0, 0, 0, 4, 0, 0, 0, 1])
    #expect(sense(bench) == [5, 0x21, 0])
    _ = bench.packet([0xE7])
    #expect(sense(bench) == [5, 0x20, 0])
    bench.drives[1][0]?.change(medium: nil)
    _ = bench.packet([0x00])
    _ = bench.packet([0x00])
    #expect(sense(bench) == [2, 0x3A, 0])
  }

  @Test func theTrayObeysItsLock() throws {
    let bench = try ready()
    _ = bench.packet([0x1E, 0, 0, 0, 1])
    _ = bench.packet([0x1B, 0, 0, 0, 2])
    #expect(sense(bench) == [5, 0x53, 2])
    _ = bench.packet([0x1E])
    _ = bench.packet([0x1B, 0, 0, 0, 2])
    #expect(bench.status(1) & 1 == 0)
    #expect(bench.drives[1][0]?.isTrayOpen == true)
    let event = bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8])
    #expect(event == [0, 6, 4, 0x10, 3, 1, 0, 0])
    _ = bench.packet([0x1B, 0, 0, 0, 3])
    #expect(bench.drives[1][0]?.isTrayOpen == false)
  }

  @Test func tableOfContents() throws {
    let bench = try ready()
    let toc = bench.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 64])
    #expect(toc == [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xAA, 0, 0, 0, 4, 0])
    let msf = bench.packet([0x43, 2, 0, 0, 0, 0, 0xAA, 0, 64])
    #expect(Array(msf.suffix(4)) == [0, 0, 15, 49])
  }

  @Test func otherCommandsAnswer() throws {
    let bench = try ready()
    #expect(bench.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 64]).prefix(8).last == 0x08)
    #expect(bench.packet([0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 64]).count == 28)
    #expect(bench.packet([0x1A, 0, 0x01, 0, 64]).count == 12)
    #expect(bench.packet([0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8]).count == 8)
    #expect(bench.packet([0x51, 0, 0, 0, 0, 0, 0, 0, 64]).count == 34)
    #expect(bench.packet([0xBE, 0, 0, 0, 0, 1, 0, 0, 1, 0x10]) == Array(bench.disc.bytes[2048..<4096]))
  }

  @Test func aDiskAndADriveShareAChannel() throws {
    let bench = try IDEBench(cdromAsSlave: true)
    bench.board.outb(0x1F6, 0xB0)
    #expect((bench.board.inb(0x1F4), bench.board.inb(0x1F5)) == (0x14, 0xEB))
    bench.command(0x20, lba: 1, count: 1)
    #expect(bench.readData(512) == Array(bench.disk.bytes[512..<1024]))
  }
}
