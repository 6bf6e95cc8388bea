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

  @Test func aDiscardInFlightIsMadeAgain() throws {
    let (first, second) = (try IDEBench(), try IDEBench())
    first.disk.isLate = true
    first.setMemory(
      0x20000, [2, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0] + [UInt8](repeating: 0, count: 496))
    first.setTable([(0x20000, 512)])
    first.command48(0x06, count: 1, features: 1)
    first.startBusMaster(toMemory: false)
    try transplant(from: first.ide, to: second.ide)
    second.ide.run()
    #expect(second.status() == 0x50)
    #expect(second.disk.bytes[2 * 512..<3 * 512].allSatisfy { $0 == 0 })
    #expect(second.disk.bytes[4 * 512..<5 * 512].allSatisfy { $0 == 0 })
    #expect(second.disk.bytes[3 * 512] == 21)
  }

  @Test func aHeldWriteIsMadeAgainByTheRestoredMachine() throws {
    let (first, second) = (try IDEBench(policy: .stop), try IDEBench(policy: .stop))
    first.disk.failure = 28
    first.command(0x30, lba: 3, count: 1)
    first.writeData([UInt8](repeating: 9, count: 512))
    try transplant(from: first.ide, to: second.ide)
    #expect(second.alternateStatus() & 0x80 != 0)
    second.ide.run()
    #expect(second.status() == 0x50)
    #expect(second.disk.bytes[3 * 512..<4 * 512].allSatisfy { $0 == 9 })
  }

  @Test func aPacketReadIsRestoredInTheMiddle() throws {
    let (first, second) = (try IDEBench(), try IDEBench())
    _ = first.packet([0])
    first.board.outb(0x174, 0)
    first.board.outb(0x175, 8)
    first.board.outb(0x177, 0xA0)
    first.writeData([0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0, 0, 0], channel: 1)
    var data = first.readData(1000, channel: 1)
    try transplant(from: first.ide, to: second.ide)
    data += second.readData(1048, channel: 1)
    #expect(second.isInterrupting(1))
    #expect(second.status(1) & 8 != 0)
    data += second.readData(2048, channel: 1)
    #expect(second.status(1) & 0x89 == 0)
    #expect(data == Array(first.disc.bytes[5 * 2048..<7 * 2048]))
  }

  @Test func restoringTakesBackWhatIsInFlight() throws {
    let bench = try IDEBench()
    let idle = bench.ide.save()
    bench.disk.isLate = true
    bench.setTable([(0x20000, 512)])
    bench.command(0xC8, lba: 1, count: 1)
    bench.startBusMaster(toMemory: true)
    try bench.ide.restore(idle)
    bench.disk.completeWaiting()
    #expect(bench.memory(0x20000, 512).allSatisfy { $0 == 0 })
    #expect(bench.ide.save() == idle)
  }

  /// States with random numbers in place of some of their own are refused, or can be run.
  @Test(arguments: [11, 12, 13] as [UInt64])
  func statesThatLieDoNoHarm(_ seed: UInt64) throws {
    print("IDE state fuzz seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let bench = try IDEBench()
    bench.setTable([(0x20000, 0)])
    var taken = 0
    func number() -> Int {
      switch random.next() % 6 {
      case 0: 0
      case 1: Int(random.next() % 64)
      case 2: Int(random.next() % 256) * 512
      case 3: Int(random.next() % 70000)
      case 4: -1
      default: Int(truncatingIfNeeded: random.next())
      }
    }
    for _ in 0..<400 {
      bench.ide.reset()
      var state = bench.ide.save()
      var registers = IDEDeviceRegisters(
        taskFile: TaskFile(), status: [0x50, 0x58, 0xD0, 0x88][Int(random.next() % 4)], position: 0, end: 0,
        isToHost: random.next() % 2 == 0, wantsDMA: random.next() % 4 == 0, isInterruptPending: false,
        isWaiting: false, buffer: [])
      registers.isWaiting = registers.status == 0xD0 && !registers.wantsDMA
      if random.next() % 2 == 0 { registers.end = number() }
      if random.next() % 4 == 0 { registers.position = number() }
      var disk = ATADisk.Transfer()
      disk.kind =
        [.none, .read, .write, .readDMA, .writeDMA, .flush, .trimDMA, .reply][Int(random.next() % 8)]
      disk.remaining = Int(random.next() % 300)
      disk.lba = random.next() % 3000
      disk.isBounced = random.next() % 2 == 0
      for _ in 0..<2 {
        switch random.next() % 16 {
        case 0: disk.remaining = number()
        case 1: disk.buffered = number()
        case 2: disk.blockSectors = number()
        case 3: disk.dmaByteCount = number()
        case 4: disk.trimEntry = number()
        case 5: disk.lba = UInt64(truncatingIfNeeded: number())
        default: break
        }
      }
      var disc = ATAPICDROM.Transfer()
      disc.kind = [.none, .packet, .reply, .read][Int(random.next() % 4)]
      disc.usesDMA = random.next() % 2 == 0
      disc.byteCountLimit = 2048
      for _ in 0..<2 {
        switch random.next() % 16 {
        case 0: disc.remaining = number()
        case 1: disc.buffered = number()
        case 2: disc.sent = number()
        case 3: disc.dmaByteCount = number()
        case 4: disc.byteCountLimit = number()
        case 5: disc.lba = UInt64(truncatingIfNeeded: number())
        default: break
        }
      }
      if random.next() % 2 == 0 {
        state.channels[0].disks[0]?.registers = registers
        state.channels[0].disks[0]?.transfer = disk
      } else {
        state.channels[1].cdroms[0]?.registers = registers
        state.channels[1].cdroms[0]?.transfer = disc
      }
      for channel in 0..<2 {
        state.channels[channel].busMaster.command = 9
        state.channels[channel].busMaster.status = 1
        state.channels[channel].busMaster.table = 0x1000
        state.channels[channel].busMaster.count = UInt32(truncatingIfNeeded: number())
        state.channels[channel].busMaster.used = number()
      }
      bench.board.writeConfiguration(PCIAddress(1, 1), 0x04, 5)
      do { try bench.ide.restore(state) } catch { continue }
      taken += 1
      bench.ide.run()
      for channel in 0..<2 {
        for start in [8, 9, 0, 1] as [UInt8] {
          bench.board.outb(bench.busMaster + UInt16(channel * 8), start)
        }
        for _ in 0..<300 {
          _ = bench.board.inl(bench.base(channel))
          bench.board.outl(bench.base(channel), 0)
        }
        _ = bench.status(channel)
      }
    }
    #expect(taken > 10)
  }

  @Test func dmaAllocatesNothing() throws {
    let bench = try IDEBench()
    _ = bench.packet([0])
    bench.setTable([(0x20000, 2048)])
    func cycle() {
      bench.command(0xC8, lba: 5, count: 4)
      bench.startBusMaster(toMemory: true)
      _ = bench.status()
      bench.board.outb(bench.busMaster, 8)
    }
    func packetCycle() {
      bench.board.outb(0x171, 1)
      bench.board.outb(0x177, 0xA0)
      bench.board.outw(0x170, 0x28)
      for _ in 0..<3 { bench.board.outw(0x170, 0) }
      bench.board.outw(0x170, 0x0001)
      bench.board.outw(0x170, 0)
      bench.startBusMaster(toMemory: true, channel: 1)
      _ = bench.status(1)
      bench.board.outb(bench.busMaster + 8, 8)
    }
    cycle()
    packetCycle()
    #expect(countingAllocations { for _ in 0..<50 { cycle() } } == 0)
    #expect(bench.memory(0x20000, 2048) == Array(bench.disk.bytes[5 * 512..<9 * 512]))
    #expect(countingAllocations { for _ in 0..<50 { packetCycle() } } == 0)
    #expect(bench.memory(0x20000, 2048) == Array(bench.disc.bytes[..<2048]))
  }
}
