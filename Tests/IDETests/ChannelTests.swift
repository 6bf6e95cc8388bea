// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI
import TestSupport
import Testing

@testable import IDE

/// What two devices on a channel, and the lack of them, look like; who drives INTRQ; resets.
@Suite struct ChannelTests {
  /// The way drivers look for devices: registers that keep what is written.
  private func keepsValues(_ bench: IDEBench, unit: UInt8, channel: Int = 0) -> Bool {
    let port = bench.base(channel)
    bench.board.outb(port + 6, 0xA0 | unit << 4)
    bench.board.outb(port + 2, 0x55)
    bench.board.outb(port + 3, 0xAA)
    return bench.board.inb(port + 2) == 0x55 && bench.board.inb(port + 3) == 0xAA
  }

  @Test func anEmptyChannelFloats() throws {
    let bench = try IDEBench([[.disk], []])
    for unit in 0..<2 as Range<UInt8> {
      #expect(!keepsValues(bench, unit: unit, channel: 1))
      #expect(bench.status(1) == 0x7F)
      #expect(bench.alternateStatus(1) == 0x7F)
    }
    bench.command(0x90, channel: 1)
    bench.command(0xEC, channel: 1)
    #expect(!bench.isInterrupting(1))
    bench.board.outb(0x376, 4)
    bench.board.outb(0x376, 0)
    #expect(bench.status(1) & 0x80 == 0)
  }

  @Test func aChannelThatIsNotDecodedDoesNotAnswer() throws {
    let bench = try IDEBench([[.disk], [.disk]])
    bench.board.writeConfiguration(PCIAddress(1, 1), 0x40, 0x8000_0307)
    #expect(bench.status() == 0xFF && bench.alternateStatus() == 0xFF)
    #expect(!keepsValues(bench, unit: 0) && keepsValues(bench, unit: 0, channel: 1))
    // It is told nothing: neither commands nor resets.
    bench.command(0xEC)
    bench.board.outb(0x3F6, 4)
    bench.board.writeConfiguration(PCIAddress(1, 1), 0x40, 0x8000_8307)
    #expect(bench.status() == 0x50 && !bench.isInterrupting())
  }

  @Test func aSlaveAloneIsFound() throws {
    let bench = try IDEBench([[nil, .disk], []])
    bench.board.outb(0x3F6, 4)
    bench.board.outb(0x3F6, 0)
    #expect(!keepsValues(bench, unit: 0))
    #expect(bench.status() & 0x80 == 0)
    #expect(keepsValues(bench, unit: 1))
    bench.command(0x20, unit: 1, lba: 9, count: 1)
    #expect(bench.isInterrupting())
    #expect(bench.readData(512) == Array(bench.disk.bytes[9 * 512..<10 * 512]))
    // Nobody is device 0, which alone would interrupt after diagnostics.
    bench.command(0x90, unit: 1)
    #expect(!bench.isInterrupting())
    bench.board.outb(0x1F6, 0xB0)
    #expect(bench.board.inb(0x1F1) == 1)
  }

  @Test func twoDisksAreTwo() throws {
    let bench = try IDEBench([[.disk, .disk], []])
    #expect(keepsValues(bench, unit: 0) && keepsValues(bench, unit: 1))
    bench.command(0xEC, unit: 1)
    let data = bench.readData(512)
    #expect(data[187] & 1 == 1 && data[186] & 1 == 0)
    bench.command(0x90, unit: 1)
    #expect(bench.isInterrupting())
    #expect(bench.status() == 0x50)
    #expect((bench.board.inb(0x1F1), bench.board.inb(0x1F2), bench.board.inb(0x1F3)) == (1, 1, 1))
  }

  @Test func theSelectedDeviceDrivesTheInterrupt() throws {
    let bench = try IDEBench([[.disk, .cdrom], []])
    bench.disk.isLate = true
    bench.command(0x20, lba: 1, count: 1)
    bench.board.outb(0x1F6, 0xB0)
    bench.disk.completeWaiting()
    #expect(!bench.isInterrupting())
    #expect(bench.busMasterStatus() == 0)
    bench.board.outb(0x1F6, 0xE0)
    #expect(bench.isInterrupting())
    #expect(bench.busMasterStatus() == 4)
  }

  @Test func theBusMasterSeesNoInterruptWhileItIsDisabled() throws {
    let bench = try IDEBench()
    bench.board.outb(0x3F6, 2)
    bench.command(0xE7)
    #expect(bench.busMasterStatus() == 0)
    _ = bench.status()
    bench.board.outb(0x3F6, 0)
    #expect(!bench.isInterrupting())
    bench.command(0xE7)
    #expect(bench.busMasterStatus() == 4)
    // It remembers the edge until it is told to forget, not the level.
    _ = bench.status()
    #expect(bench.busMasterStatus() == 4)
    bench.board.outb(bench.busMaster + 2, 4)
    #expect(bench.busMasterStatus() == 0)
  }

  @Test func commandsWaitForTheEndOfAReset() throws {
    let bench = try IDEBench([[.disk], [.cdrom]])
    for code in [0xEC, 0x90, 0x08] as [UInt8] {
      for (channel, control) in [(0, 0x3F6), (1, 0x376)] as [(Int, UInt16)] {
        bench.board.outb(control, 4)
        bench.command(code, channel: channel)
        #expect(bench.alternateStatus(channel) == 0x80)
        #expect(!bench.isInterrupting(channel))
        bench.board.outb(control, 0)
        #expect(bench.alternateStatus(channel) & 0x88 == 0)
      }
    }
  }

  @Test func aBusyDiskIgnoresDeviceReset() throws {
    let bench = try IDEBench()
    bench.disk.isLate = true
    bench.command(0x20, lba: 4, count: 1)
    bench.board.outb(0x1F7, 0x08)
    #expect(bench.alternateStatus() & 0x80 != 0)
    #expect(bench.disk.waiting.count == 1)
    bench.disk.completeWaiting()
    #expect(bench.readData(512) == Array(bench.disk.bytes[4 * 512..<5 * 512]))
  }

  @Test func aBusyPacketDeviceObeysDeviceReset() throws {
    let bench = try IDEBench()
    _ = bench.packet([0])
    bench.disc.isLate = true
    _ = bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1])
    #expect(bench.alternateStatus(1) & 0x80 != 0)
    bench.board.outb(0x177, 0x08)
    #expect(bench.alternateStatus(1) == 0)
    #expect(bench.disc.waiting.isEmpty)
    bench.disc.isLate = false
    #expect(bench.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]) == Array(bench.disc.bytes[..<2048]))
  }

  @Test func accessesWiderThanTheRestGetTheRest() throws {
    let bench = try IDEBench()
    _ = bench.packet([0])
    bench.board.outb(0x174, 0xFE)
    bench.board.outb(0x175, 0xFF)
    bench.board.outb(0x177, 0xA0)
    // INQUIRY for 18 bytes ends between two dwords.
    for dword in [0x12, 18, 0] as [UInt32] { bench.board.outl(0x170, dword) }
    var data: [UInt8] = []
    for _ in 0..<5 { withUnsafeBytes(of: bench.board.inl(0x170).littleEndian) { data += $0 } }
    #expect(data[0] == 5 && data[18] == 0 && data[19] == 0)
    #expect(bench.status(1) & 8 == 0)
  }
}
