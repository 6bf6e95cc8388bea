// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import TestSupport
import Testing

@testable import Chipset

/// Local APICs as operating systems drive them.
@Suite struct LocalAPICTests {
  private let bench: PlatformBench

  init() throws { bench = try PlatformBench(processorCount: 4) }

  private var clock: SteppedClock { bench.board.clock }

  @Test func registersAfterReset() {
    let apic = bench.apic(1)
    #expect(apic.readRegister(0x20) == 1 << 24 && apic.readRegister(0x30) == 0x0005_0014)
    #expect(apic.readRegister(0xE0) == ~0 && apic.readRegister(0xF0) == 0xFF)
    #expect(apic.readRegister(0x320) == 0x1_0000 && apic.readRegister(0x350) == 0x1_0000)
    // Virtual wire mode, before the firmware sets anything up.
    #expect(bench.apic(0).readRegister(0x350) == 0x700)
    #expect(apic.registerPage == 0xFEE0_0000 && apic.readMSR(0x1B) == 0xFEE0_0800)
    #expect(bench.apic(0).readMSR(0x1B) == 0xFEE0_0900)
  }

  @Test func prioritiesNest() {
    bench.enableAll()
    bench.send(0, 0x4_0031)
    bench.send(0, 0x4_0045)
    bench.send(0, 0x4_0041)
    #expect(bench.processors[0].isRequested)
    #expect(bench.apic(0).readRegister(0x210) == 1 << 17 && bench.apic(0).readRegister(0x220) == 0x22)
    #expect(bench.acknowledge() == 0x45 && bench.apic(0).readRegister(0x120) == 0x20)
    // The same class waits.
    #expect(!bench.processors[0].isRequested && bench.apic(0).readRegister(0xA0) == 0x40)
    bench.endOfInterrupt()
    #expect(bench.acknowledge() == 0x41)
    bench.endOfInterrupt()
    #expect(bench.acknowledge() == 0x31)
    bench.endOfInterrupt()
    #expect(bench.acknowledge() == nil && bench.apic(0).readRegister(0xA0) == 0)
  }

  @Test func theTaskPriorityHoldsBack() {
    bench.enableAll()
    bench.apic(0).taskPriority = 5
    #expect(bench.apic(0).readRegister(0x80) == 0x50)
    bench.send(0, 0x4_0051)
    #expect(!bench.processors[0].isRequested && bench.acknowledge() == nil)
    bench.apic(0).writeRegister(0x80, 0x4F)
    #expect(bench.apic(0).taskPriority == 4 && bench.processors[0].isRequested)
    bench.apic(0).writeRegister(0x80, 0x50)
    #expect(!bench.processors[0].isRequested)
    bench.apic(0).taskPriority = 0
    #expect(bench.acknowledge() == 0x51)
  }

  @Test func startingTheOthers() {
    bench.enableAll()
    bench.apic(1).writeRegister(0x320, 0x31)
    // INIT, its de-assertion, and two start-ups, to all but the sender.
    bench.send(0, 0xC_C500)
    bench.send(0, 0xC_8500)
    bench.send(0, 0xC_4608)
    bench.send(0, 0x0_4609, to: 2)
    #expect(bench.processors.map(\.inits) == [0, 1, 1, 1])
    #expect(bench.processors.map(\.startups) == [[], [8], [8, 9], [8]])
    #expect(bench.apic(1).readRegister(0x320) == 0x1_0000 && bench.apic(1).readRegister(0x20) == 1 << 24)
    #expect(bench.apic(0).readRegister(0xF0) == 0x1FF)
  }

  @Test func destinations() {
    bench.enableAll()
    func receivers(_ low: UInt32, _ destination: UInt8) -> [Int] {
      bench.send(3, low, to: destination)
      return bench.processors.indices.filter {
        let taken = bench.acknowledge($0) == 0x60
        bench.endOfInterrupt($0)
        return taken
      }
    }
    #expect(receivers(0x60, 2) == [2] && receivers(0x60, 0xFF) == [0, 1, 2, 3] && receivers(0x60, 9) == [])
    #expect(receivers(0x860, 0x06) == [1, 2] && receivers(0x860, 0xFF) == [0, 1, 2, 3])
    #expect(receivers(0x4_0060, 0) == [3] && receivers(0x8_0060, 0) == [0, 1, 2, 3])
    #expect(receivers(0xC_0060, 0) == [0, 1, 2])
    // The one with the lowest priority.
    bench.apic(1).taskPriority = 2
    #expect(receivers(0x960, 0x06) == [2])
    bench.apic(2).taskPriority = 3
    #expect(receivers(0x960, 0x06) == [1])
    // Clusters of four.
    for index in 0..<4 {
      bench.apic(index).writeRegister(0xE0, 0x0FFF_FFFF)
      bench.apic(index).writeRegister(0xD0, UInt32(index / 2) << 28 | 1 << UInt32(24 + index % 2))
    }
    #expect(receivers(0x860, 0x12) == [3] && receivers(0x860, 0x03) == [0, 1])
    // A disabled one takes nothing but NMI, INIT and start-up.
    bench.apic(0).writeRegister(0xF0, 0xFF)
    #expect(receivers(0x60, 0) == [])
    bench.send(3, 0x400, to: 0)
    #expect(bench.processors[0].nmis == 1)
  }

  @Test func errors() {
    bench.enableAll()
    let apic = bench.apic(0)
    apic.writeRegister(0x370, 0xFE)
    bench.send(0, 0x4_0005)
    #expect(bench.acknowledge() == 0xFE)
    bench.endOfInterrupt()
    #expect(apic.readRegister(0x280) == 0)
    apic.writeRegister(0x280, 0)
    // Sent, and received by itself.
    #expect(apic.readRegister(0x280) == 0x60)
    apic.writeRegister(0x280, 0)
    #expect(apic.readRegister(0x280) == 0)
    apic.writeRegister(0x40, 1)
    #expect(bench.acknowledge() == 0xFE)
    apic.writeRegister(0x280, 0)
    #expect(apic.readRegister(0x280) == 0x80)
    // An error vector that is itself in error does not go round.
    apic.writeRegister(0x370, 0x03)
    bench.platform.sendMessage(address: 0xFEE0_0000, data: 0x0F)
    apic.writeRegister(0x280, 0)
    #expect(apic.readRegister(0x280) == 0x40)
  }

  /// SDM volume 3, section 10.5.3: an illegal vector is noted by who sends it and by who receives it, and from the local
  /// vector table when it fires.
  @Test func illegalVectors() {
    bench.enableAll()
    func errors(_ index: Int) -> UInt32 {
      bench.apic(index).writeRegister(0x280, 0)
      return bench.apic(index).readRegister(0x280)
    }
    bench.send(0, 0x0F, to: 1)
    #expect(errors(0) == 0x20 && errors(1) == 0x40 && bench.acknowledge(1) == nil)
    bench.apic(0).writeRegister(0x3E0, 0xB)
    bench.apic(0).writeRegister(0x320, 0x0F)
    #expect(errors(0) == 0)
    bench.apic(0).writeRegister(0x380, 100)
    clock.advance(by: 100)
    #expect(errors(0) == 0x40 && bench.acknowledge(0) == nil)
    // Masked, it does not fire.
    bench.apic(0).writeRegister(0x320, 0x1_000F)
    bench.apic(0).writeRegister(0x380, 100)
    clock.advance(by: 100)
    #expect(errors(0) == 0)
    #expect(bench.apic(2).writeMSR(0x1B, 0xFEE0_0C00) && bench.apic(2).writeMSR(0x83F, 0x0F))
    #expect(bench.apic(2).writeMSR(0x828, 0) && bench.apic(2).readMSR(0x828) == 0x60)
  }

  @Test func errorsNotYetShownAreSaved() {
    bench.enableAll()
    bench.apic(0).writeRegister(0x40, 1)
    let saved = bench.apic(0).savedRegisters
    bench.apic(1).restore(registers: saved, base: 0xFEE0_0800, deadline: 0)
    #expect(bench.apic(1).readRegister(0x290) == 0 && bench.apic(1).readRegister(0x280) == 0)
    bench.apic(1).writeRegister(0x280, 0)
    #expect(bench.apic(1).readRegister(0x280) == 0x80)
    bench.apic(1).writeRegister(0x280, 0)
    #expect(bench.apic(1).readRegister(0x280) == 0)
  }

  /// One that is off by IA32_APIC_BASE is not on the bus, whatever the destination.
  @Test func offMeansOff() {
    bench.enableAll()
    #expect(bench.apic(2).writeMSR(0x1B, 0xFEE0_0000))
    for low in [0xC_4500, 0xC_4608, 0xC_0400, 0x8_0400, 0x0_0400] as [UInt32] { bench.send(0, low, to: 0xFF) }
    #expect(bench.processors.map(\.inits) == [0, 1, 0, 1])
    #expect(bench.processors.map(\.startups) == [[], [8], [], [8]])
    #expect(bench.processors.map(\.nmis) == [2, 3, 0, 3])
  }

  @Test func softwareDisableMasksTheTable() {
    bench.enableAll()
    let apic = bench.apic(0)
    apic.writeRegister(0x320, 0x2_0030)
    apic.writeRegister(0xF0, 0xFF)
    #expect(apic.readRegister(0x320) == 0x3_0030)
    apic.writeRegister(0x320, 0x2_0030)
    #expect(apic.readRegister(0x320) == 0x3_0030)
  }

  // MARK: The timer

  /// Linux: how far the timer counts, by 16, in 100 ms.
  @Test func calibration() {
    bench.enableAll()
    let apic = bench.apic(0)
    apic.writeRegister(0x320, 0x1_0030)
    apic.writeRegister(0x3E0, 0x3)
    apic.writeRegister(0x380, 0xFFFF_FFFF)
    clock.advance(by: 100_000_000)
    #expect(0xFFFF_FFFF - apic.readRegister(0x390) == 6_250_000)
    #expect(clock.nextDeadline == nil)
  }

  @Test func oneShot() {
    bench.enableAll()
    let apic = bench.apic(0)
    apic.writeRegister(0x3E0, 0xB)
    apic.writeRegister(0x320, 0x30)
    apic.writeRegister(0x380, 50_000)
    clock.advance(by: 49_999)
    #expect(apic.readRegister(0x390) == 1 && !bench.processors[0].isRequested)
    clock.advance(by: 1)
    #expect(bench.acknowledge() == 0x30 && apic.readRegister(0x390) == 0)
    bench.endOfInterrupt()
    clock.advance(by: 1_000_000)
    #expect(!bench.processors[0].isRequested && clock.nextDeadline == nil)
    // Masked while it ends: nothing comes later.
    apic.writeRegister(0x320, 0x1_0030)
    apic.writeRegister(0x380, 1000)
    clock.advance(by: 2000)
    apic.writeRegister(0x320, 0x30)
    clock.advance(by: 2000)
    #expect(!bench.processors[0].isRequested)
    // Zero stops it.
    apic.writeRegister(0x380, 1000)
    apic.writeRegister(0x380, 0)
    #expect(clock.nextDeadline == nil)
  }

  @Test func periodicDoesNotDriftAndIsBounded() {
    bench.enableAll()
    let apic = bench.apic(0)
    apic.writeRegister(0x3E0, 0x0)
    apic.writeRegister(0x320, 0x2_0030)
    apic.writeRegister(0x380, 500_000)
    for tick in 1...20 as ClosedRange<UInt64> {
      #expect(clock.nextDeadline == tick * 1_000_000)
      clock.advance(by: 1_000_000)
      #expect(bench.acknowledge() == 0x30)
      bench.endOfInterrupt()
    }
    clock.advance(by: 250_000)
    #expect(apic.readRegister(0x390) == 375_000)
    apic.writeRegister(0x380, 1)
    let start = clock.now
    #expect((clock.nextDeadline ?? 0) >= start + 10_000)
    // Masked, it costs nothing.
    apic.writeRegister(0x320, 0x3_0030)
    #expect(clock.nextDeadline == nil)
  }

  @Test func timestampDeadline() {
    bench.enableAll()
    let apic = bench.apic(0)
    bench.processors[0].timeStampOffset = 1 << 40
    // Only in its mode.
    #expect(apic.writeMSR(0x6E0, 1 << 41) && apic.readMSR(0x6E0) == 0)
    apic.writeRegister(0x320, 0x4_0030)
    let deadline = bench.processors[0].timeStamp + 5000
    #expect(apic.writeMSR(0x6E0, deadline) && apic.readMSR(0x6E0) == deadline)
    #expect(apic.readRegister(0x390) == 0)
    clock.advance(by: 4999)
    #expect(!bench.processors[0].isRequested)
    clock.advance(by: 1)
    #expect(bench.acknowledge() == 0x30 && apic.readMSR(0x6E0) == 0)
    bench.endOfInterrupt()
    // One that has passed comes at once; the farthest never wraps; zero takes it back.
    #expect(apic.writeMSR(0x6E0, 1))
    clock.advance(by: 1)
    #expect(bench.acknowledge() == 0x30)
    #expect(apic.writeMSR(0x6E0, ~0) && (clock.nextDeadline ?? 0) > 1 << 60)
    #expect(apic.writeMSR(0x6E0, 0) && clock.nextDeadline == nil)
    // Leaving the mode disarms it.
    #expect(apic.writeMSR(0x6E0, ~0))
    apic.writeRegister(0x320, 0x30)
    #expect(clock.nextDeadline == nil)
  }

  /// The processor sets its time stamp counter while a deadline is armed.
  @Test func theTimestampIsSet() {
    bench.enableAll()
    let (apic, processor) = (bench.apic(0), bench.processors[0])
    processor.timeStampOffset = 1 << 40
    apic.writeRegister(0x320, 0x4_0030)
    #expect(apic.writeMSR(0x6E0, processor.timeStamp + 5000))
    // Back: it comes later.
    processor.timeStampOffset &-= 2000
    apic.timeStampChanged()
    clock.advance(by: 6999)
    #expect(!processor.isRequested)
    clock.advance(by: 1)
    #expect(bench.acknowledge() == 0x30 && apic.readMSR(0x6E0) == 0)
    bench.endOfInterrupt()
    // Forward: sooner, and at once if it has passed.
    #expect(apic.writeMSR(0x6E0, processor.timeStamp + 5000))
    processor.timeStampOffset &+= 2000
    apic.timeStampChanged()
    #expect(clock.nextDeadline == clock.now + 3000)
    processor.timeStampOffset &+= 1 << 40
    apic.timeStampChanged()
    clock.advance(by: 1)
    #expect(bench.acknowledge() == 0x30 && clock.nextDeadline == nil)
    bench.endOfInterrupt()
    // A count of nanoseconds does not care.
    apic.writeRegister(0x3E0, 0xB)
    apic.writeRegister(0x320, 0x30)
    apic.writeRegister(0x380, 1000)
    processor.timeStampOffset = 0
    apic.timeStampChanged()
    #expect(clock.nextDeadline == clock.now + 1000)
  }

  /// A deadline that passes while it is masked is cleared and lost, as under KVM; the SDM makes the mask inhibit the
  /// interrupt, not the timer.
  @Test func aMaskedDeadlinePasses() {
    bench.enableAll()
    let (apic, processor) = (bench.apic(0), bench.processors[0])
    processor.timeStampOffset = 1 << 40
    apic.writeRegister(0x320, 0x5_0030)
    #expect(apic.writeMSR(0x6E0, processor.timeStamp + 1000))
    clock.advance(by: 999)
    #expect(apic.readMSR(0x6E0) != 0)
    clock.advance(by: 1)
    #expect(apic.readMSR(0x6E0) == 0)
    // Setting the counter back does not bring it back.
    processor.timeStampOffset &-= 5000
    apic.timeStampChanged()
    apic.writeRegister(0x320, 0x4_0030)
    clock.advance(by: 1_000_000)
    #expect(!processor.isRequested)
    // Unmasked in time, it comes.
    apic.writeRegister(0x320, 0x5_0030)
    #expect(apic.writeMSR(0x6E0, processor.timeStamp + 1000))
    clock.advance(by: 500)
    apic.writeRegister(0x320, 0x4_0030)
    clock.advance(by: 500)
    #expect(bench.acknowledge() == 0x30)
  }

  /// What would end after the clock does never ends, instead of at once and again.
  @Test func theEndOfTheClock() {
    bench.enableAll()
    let apic = bench.apic(0)
    clock.advance(by: ~0 - 1_000_000)
    apic.writeRegister(0x3E0, 0xA)
    for (mode, count) in [(0x30, ~0), (0x2_0030, ~0), (0x2_0030, 4000)] as [(UInt32, UInt32)] {
      apic.writeRegister(0x320, mode)
      apic.writeRegister(0x380, count)
      #expect(clock.nextDeadline.map { $0 > clock.now } ?? true)
      #expect((clock.nextDeadline == nil) == (count == ~0))
    }
    apic.writeRegister(0x320, 0x4_0030)
    bench.processors[0].timeStampOffset = 1 << 50
    #expect(apic.writeMSR(0x6E0, 1 << 62) && clock.nextDeadline == nil)
    #expect(!bench.processors[0].isRequested)
  }

  // MARK: x2APIC mode

  @Test func x2APICMode() {
    bench.enableAll()
    let apic = bench.apic(2)
    #expect(apic.readMSR(0x802) == nil && !apic.writeMSR(0x808, 0))
    #expect(apic.writeMSR(0x1B, 0xFEE0_0C00) && apic.registerPage == nil)
    #expect(apic.readMSR(0x802) == 2 && apic.readMSR(0x80D) == 4)
    #expect(apic.writeMSR(0x80F, 0x1FF) && apic.readMSR(0x80F) == 0x1FF)
    // Reserved ones, bits that must be zero, and what can only be read or written.
    #expect(apic.readMSR(0x801) == nil && apic.readMSR(0x80E) == nil && apic.readMSR(0x831) == nil)
    #expect(!apic.writeMSR(0x80B, 1) && !apic.writeMSR(0x802, 0) && !apic.writeMSR(0x80F, 1 << 32))
    #expect(apic.writeMSR(0x83F, 0x51) && bench.acknowledge(2) == 0x51 && apic.writeMSR(0x80B, 0))
    #expect(apic.writeMSR(0x830, 2 << 32 | 0x52) && bench.acknowledge(2) == 0x52)
    #expect(apic.readMSR(0x830) == 2 << 32 | 0x52)
    #expect(
      apic.writeMSR(0x80B, 0) && apic.writeMSR(0x830, 0x4 << 32 | 0x853) && bench.acknowledge(2) == 0x53)
    // The task priority has eight bits.
    #expect(!apic.writeMSR(0x808, 0x100) && apic.readMSR(0x808) == 0)
    #expect(apic.writeMSR(0x808, 0xFF) && apic.readMSR(0x808) == 0xFF && apic.writeMSR(0x808, 0))
    // Back only through being off.
    #expect(!apic.writeMSR(0x1B, 0xFEE0_0800) && !apic.writeMSR(0x1B, 0xFEE0_0400))
    #expect(apic.writeMSR(0x1B, 0xFEE0_0000) && !apic.isEnabled && !apic.writeMSR(0x1B, 0xFEE0_0C00))
    #expect(apic.writeMSR(0x1B, 0xFEE0_0800) && apic.readRegister(0x20) == 2 << 24)
    #expect(!apic.writeMSR(0x1B, 1 << 60))
  }

  // MARK: The 8259 pair

  @Test func virtualWire() {
    let board = bench.board
    for (port, value) in [(0x20, 0x11), (0x21, 8), (0x21, 4), (0x21, 1), (0x21, 0)] as [(UInt16, UInt8)] {
      board.outb(port, value)
    }
    bench.line(1, true)
    #expect(bench.processors[0].isRequested && !bench.processors[1].isRequested)
    #expect(bench.acknowledge() == 9 && !bench.processors[0].isRequested)
    bench.line(1, false)
    board.outb(0x20, 0x20)
    // Masked, it goes nowhere; off, INTR is the processor's own.
    bench.apic(0).writeRegister(0x350, 0x1_0700)
    bench.line(1, true)
    #expect(!bench.processors[0].isRequested && bench.acknowledge() == nil)
    #expect(bench.apic(0).writeMSR(0x1B, 0xFEE0_0100) && bench.processors[0].isRequested)
    #expect(bench.acknowledge() == 9)
  }

  /// An ExtINT message takes the vector from the 8259 pair only for who can take the interrupt.
  @Test func externalInterruptsByMessage() {
    bench.enableAll()
    for (port, value) in [(0x20, 0x11), (0x21, 8), (0x21, 4), (0x21, 1), (0x21, 0)] as [(UInt16, UInt8)] {
      bench.board.outb(port, value)
    }
    bench.apic(0).writeRegister(0x350, 0x1_0700)
    bench.line(1, true)
    func inService() -> UInt8 {
      bench.board.outb(0x20, 0x0B)
      return bench.board.inb(0x20)
    }
    bench.apic(1).writeRegister(0xF0, 0xFF)
    bench.platform.sendMessage(address: 0xFEE0_1000, data: 0x0700)
    #expect(inService() == 0)
    // No inter-processor interrupt has this mode.
    bench.send(0, 0x0700, to: 2)
    #expect(inService() == 0 && bench.acknowledge(2) == nil)
    bench.platform.sendMessage(address: 0xFEE0_2000, data: 0x0700)
    #expect(inService() == 2)
  }

  @Test func localInterrupt0AsNMI() {
    bench.enableAll()
    bench.board.outb(0x21, 0)
    bench.apic(0).writeRegister(0x350, 0x400)
    bench.apic(1).writeRegister(0x350, 0x44)
    bench.line(1, true)
    #expect(bench.processors[0].nmis == 1 && bench.acknowledge(1) == 0x44)
    #expect(!bench.processors[0].isRequested)
  }

  @Test func allocatesNothing() {
    bench.enableAll()
    let apic = bench.apic(0)
    func work() {
      for _ in 0..<100 {
        apic.writeRegister(0x310, 0)
        apic.writeRegister(0x300, 0x40)
        bench.line(16, true)
        bench.line(16, false)
        _ = apic.acknowledge()
        apic.writeRegister(0xB0, 0)
        apic.taskPriority = 3
        apic.taskPriority = 0
      }
    }
    bench.redirect(16, low: 0x8050)
    work()
    let count = countingAllocations(work)
    #expect(count == 0)
  }
}
