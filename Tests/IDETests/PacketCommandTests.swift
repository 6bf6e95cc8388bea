// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import Glibc
import TestSupport
import Testing

@testable import IDE

/// Each packet command by PIO and by DMA, byte count limits, sense data and media changes.
@Suite struct PacketCommandTests {
  private func ready() throws -> IDEBench {
    let bench = try IDEBench()
    _ = bench.packet([0x00])
    return bench
  }

  private func sense(_ bench: IDEBench) -> [UInt8] {
    let data = bench.packet([0x03, 0, 0, 0, 18])
    return data.count >= 14 ? [data[2], data[12], data[13]] : []
  }

  /// Sends a packet with the DMA bit and gives the bus master a region of `count` bytes.
  private func packetByDMA(_ bench: IDEBench, _ bytes: [UInt8], count: UInt32) {
    bench.setMemory(0x20000, [UInt8](repeating: 0xEE, count: 8192))
    bench.setTable([(0x20000, count)])
    bench.board.outb(0x176, 0xA0)
    bench.board.outb(0x171, 1)
    bench.board.outb(0x177, 0xA0)
    bench.writeData(bytes + [UInt8](repeating: 0, count: 12 - bytes.count), channel: 1)
    bench.startBusMaster(toMemory: true, channel: 1)
  }

  static let replies: [[UInt8]] = [
    [0x03, 0, 0, 0, 18], [0x12, 0, 0, 0, 36], [0x1A, 0, 0x3F, 0, 255], [0x5A, 0, 0x3F, 0, 0, 0, 0, 1, 0],
    [0x25], [0x28, 0, 0, 0, 0, 7, 0, 0, 1], [0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 1],
    [0x43, 0, 0, 0, 0, 0, 0, 0, 64],
    [0x43, 2, 0, 0, 0, 0, 1, 0, 64], [0x43, 0, 1, 0, 0, 0, 0, 0, 64], [0x43, 2, 2, 0, 0, 0, 0, 0, 64],
    [0x46, 0, 0, 0, 0, 0, 0, 0, 128], [0x46, 2, 0, 3, 0, 0, 0, 0, 128], [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8],
    [0x4A, 1, 0, 0, 2, 0, 0, 0, 8], [0x51, 0, 0, 0, 0, 0, 0, 0, 64], [0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8],
    [0xBE, 0, 0, 0, 0, 7, 0, 0, 1, 0x10],
  ]

  /// The same answer, whichever way and in whatever pieces it comes.
  @Test(arguments: replies)
  func answersAreTheSameByPIOAndDMA(_ packet: [UInt8]) throws {
    let bench = try ready()
    _ = sense(bench)
    let answer = bench.packet(packet)
    #expect(!answer.isEmpty)
    #expect(bench.status(1) & 0x89 == 0)
    #expect(bench.board.inb(0x172) == 3)
    #expect(bench.packet(packet, limit: 2) == answer)
    #expect(bench.packet(packet, limit: 7) == answer)
    #expect(bench.packet(packet, limit: 0xFFFF) == answer)
    #expect(bench.packet(packet, limit: 0) == answer)
    packetByDMA(bench, packet, count: 4096)
    #expect(bench.isInterrupting(1))
    #expect(bench.busMasterStatus(1) == 5)
    #expect(bench.status(1) & 0x89 == 0)
    #expect(bench.memory(0x20000, answer.count) == answer)
    #expect(bench.memory(0x20000 + answer.count, 16).allSatisfy { $0 == 0xEE })
  }

  /// As above with no more than `limit` bytes at a time, which the byte count register says.
  @Test func theByteCountRegisterTellsEachPiece() throws {
    let bench = try ready()
    bench.board.outb(0x174, 17)
    bench.board.outb(0x175, 0)
    bench.board.outb(0x177, 0xA0)
    #expect(bench.status(1) & 0x88 == 8)
    #expect(bench.board.inb(0x172) == 1)
    bench.writeData([0x12, 0, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0], channel: 1)
    for count in [16, 16, 3] as [UInt8] {
      #expect(bench.isInterrupting(1))
      #expect(bench.status(1) & 0x88 == 8)
      #expect(bench.board.inb(0x172) == 2)
      #expect((bench.board.inb(0x174), bench.board.inb(0x175)) == (count, 0))
      _ = bench.readData(Int(count + 1) & ~1, channel: 1)
    }
    #expect(bench.isInterrupting(1))
    #expect(bench.status(1) & 0x88 == 0)
  }

  @Test func dmaListsShorterThanTheAnswerEndWithoutInterrupt() throws {
    for packet in [[0x12, 0, 0, 0, 36], [0x28, 0, 0, 0, 0, 7, 0, 0, 1]] as [[UInt8]] {
      let bench = try ready()
      packetByDMA(bench, packet, count: 32)
      #expect(!bench.isInterrupting(1))
      #expect(bench.busMasterStatus(1) == 0)
      bench.board.outb(0x177, 8)
      #expect(bench.packet([0x25]).count == 8)
    }
  }

  static let refused: [(packet: [UInt8], sense: [UInt8])] = [
    ([0xFF], [5, 0x20, 0]), ([0x2A], [5, 0x20, 0]), ([0x12, 1], [5, 0x24, 0]),
    ([0x1A, 0, 0x3E, 0, 255], [5, 0x24, 0]), ([0x5A, 0, 0xFF, 0, 0, 0, 0, 1, 0], [5, 0x39, 0]),
    ([0x28, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF], [5, 0x21, 0]),
    ([0xA8, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], [5, 0x21, 0]), ([0x2B, 0, 0, 0, 4, 0], [5, 0x21, 0]),
    ([0x43, 0, 5], [5, 0x24, 0]), ([0x43, 0, 0, 0, 0, 0, 9], [5, 0x24, 0]), ([0x46, 3], [5, 0x24, 0]),
    ([0x4A], [5, 0x24, 0]), ([0x51, 1], [5, 0x24, 0]), ([0xAD], [5, 0x30, 2]),
    ([0xBE, 0, 0, 0, 0, 0, 0, 0, 1, 0xF8], [5, 0x24, 0]),
  ]

  @Test(arguments: refused.indices)
  func refusalsSayWhy(_ index: Int) throws {
    let bench = try ready()
    #expect(bench.packet(Self.refused[index].packet).isEmpty)
    #expect(bench.status(1) & 0x89 == 1)
    #expect(bench.board.inb(0x171) == Self.refused[index].sense[0] << 4 | 4)
    #expect(sense(bench) == Self.refused[index].sense)
    #expect(sense(bench) == [0, 0, 0])
  }

  @Test func errorsOfTheHostAreMediumErrors() throws {
    let bench = try ready()
    bench.disc.failure = EIO
    #expect(bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]).isEmpty)
    #expect(sense(bench) == [3, 0x11, 0])
    packetByDMA(bench, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], count: 2048)
    #expect(bench.isInterrupting(1))
    #expect(bench.status(1) & 1 != 0)
    #expect(sense(bench) == [3, 0x11, 0])
  }

  @Test func attentionComesBeforeAllButThreeCommands() throws {
    let bench = try IDEBench()
    // None tells of the power-on.
    #expect(bench.packet([0x25]).count == 8)
    bench.drives[1][0]?.change(medium: bench.disc)
    #expect(bench.packet([0x12, 0, 0, 0, 36]).count == 36)
    #expect(bench.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 8]).count == 8)
    #expect(bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8]).count == 8)
    #expect(bench.packet([0x25]).isEmpty)
    #expect(bench.board.inb(0x171) >> 4 == 6)
    #expect(bench.packet([0x25]).count == 8)
  }

  @Test func mediaComeAndGo() throws {
    let bench = try ready()
    let drive = try #require(bench.drives[1][0])
    _ = bench.packet([0x1E, 0, 0, 0, 1])
    drive.observer?.driveEjectRequested(drive)
    #expect(bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8])[4] == 1)
    #expect(bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8])[4] == 0)
    drive.change(medium: nil)
    #expect(bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8]).suffix(4) == [3, 0, 0, 0])
    #expect(sense(bench) == [6, 0x28, 0])
    for packet in [[0], [0x25], [0x28, 0, 0, 0, 0, 0, 0, 0, 1], [0x43], [0x51], [0x2B], [0xAD]] as [[UInt8]] {
      #expect(bench.packet(packet).isEmpty)
      #expect(sense(bench) == [2, 0x3A, 0])
    }
    drive.change(medium: bench.disc)
    #expect(bench.packet([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8]).suffix(4) == [2, 2, 0, 0])
    #expect(bench.packet([0x00]).isEmpty)
    #expect(sense(bench) == [6, 0x28, 0])
    #expect(bench.packet([0x25]).count == 8)
    // Nothing can be read while the tray is open.
    _ = bench.packet([0x1E])
    _ = bench.packet([0x1B, 0, 0, 0, 2])
    #expect(bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]).isEmpty)
    #expect(sense(bench) == [2, 0x3A, 0])
    _ = bench.packet([0x1B, 0, 0, 0, 3])
    #expect(bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]).count == 2048)
  }

  @Test func aHardwareResetUnlocksTheTray() throws {
    let bench = try ready()
    _ = bench.packet([0x1E, 0, 0, 0, 1])
    bench.board.outb(0x376, 4)
    bench.board.outb(0x376, 0)
    #expect(bench.drives[1][0]?.isLocked == true)
    bench.ide.reset()
    #expect(bench.drives[1][0]?.isLocked == false)
    #expect(sense(bench) == [0, 0, 0])
  }

  @Test func ataCommandsOfAPacketDevice() throws {
    let bench = try ready()
    bench.command(0xE5, channel: 1)
    #expect(bench.status(1) & 1 == 0)
    #expect(bench.board.inb(0x172) == 0xFF)
    bench.command(0xEF, channel: 1, count: 0x22, features: 3)
    #expect(bench.status(1) & 1 == 0)
    bench.command(0xA1, channel: 1)
    #expect(bench.readData(512, channel: 1)[127] == 4)
    bench.command(0xEF, channel: 1, count: 0x18, features: 3)
    #expect(bench.status(1) & 1 != 0)
    // Overlapped packets are not supported.
    bench.command(0xA0, channel: 1, features: 2)
    #expect(bench.status(1) & 9 == 1)
  }
}
