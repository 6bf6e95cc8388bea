// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import TestSupport
import Testing

@testable import Chipset

/// The IOAPIC, messages, and the whole platform's state.
@Suite struct IOAPICTests {
  private let bench: PlatformBench

  init() throws {
    bench = try PlatformBench()
    bench.enableAll()
  }

  @Test func registers() {
    #expect(bench.readIOAPIC(1) == 0x0017_0011)
    bench.writeIOAPIC(0, 0xFF00_0000)
    #expect(bench.readIOAPIC(0) == 0x0F00_0000 && bench.readIOAPIC(2) == 0x0F00_0000)
    #expect(bench.readIOAPIC(0x10) == 0x1_0000)
    bench.writeIOAPIC(0x3E, ~0)
    bench.writeIOAPIC(0x3F, ~0)
    #expect(bench.readIOAPIC(0x3E) == 0x1_AFFF && bench.readIOAPIC(0x3F) == 0xFF00_0000)
    bench.writeIOAPIC(0x40, ~0)
    #expect(bench.readIOAPIC(0x40) == 0 && bench.readIOAPIC(0xFF) == 0)
  }

  @Test func edges() {
    bench.redirect(4, low: 0x34, destination: 1)
    bench.line(4, true)
    #expect(bench.acknowledge(1) == 0x34)
    bench.endOfInterrupt(1)
    #expect(!bench.processors[1].isRequested)
    bench.line(4, false)
    // An edge at a masked input is lost.
    bench.writeIOAPIC(0x18, 0x1_0034)
    bench.line(4, true)
    bench.writeIOAPIC(0x18, 0x34)
    #expect(!bench.processors[1].isRequested)
    bench.line(4, false)
    bench.line(4, true)
    #expect(bench.acknowledge(1) == 0x34)
  }

  @Test func levelsComeAgainUntilTheyFall() {
    bench.redirect(16, low: 0xA840, destination: 1)
    bench.line(16, true)
    #expect(bench.readIOAPIC(0x30) == 0xE840 && bench.acknowledge() == 0x40)
    #expect(bench.apic(0).readRegister(0x1A0) == 1)
    bench.endOfInterrupt()
    #expect(bench.acknowledge() == 0x40 && bench.readIOAPIC(0x30) & 0x4000 != 0)
    bench.line(16, false)
    bench.endOfInterrupt()
    #expect(!bench.processors[0].isRequested && bench.readIOAPIC(0x30) & 0x4000 == 0)
    // Masked before the end of interrupt, as Linux does for threads: it comes with the unmasking.
    bench.line(16, true)
    #expect(bench.acknowledge() == 0x40)
    bench.writeIOAPIC(0x30, 0x1_A840)
    bench.endOfInterrupt()
    #expect(!bench.processors[0].isRequested)
    bench.writeIOAPIC(0x30, 0xA840)
    #expect(bench.acknowledge() == 0x40)
  }

  /// Linux without a directed EOI: mask and edge, then level again.
  @Test func anEdgeEndsWhatWasLost() {
    bench.redirect(20, low: 0x8050)
    bench.line(20, true)
    bench.writeIOAPIC(0x38, 0x1_0050)
    #expect(bench.readIOAPIC(0x38) == 0x1_0050)
    bench.line(20, false)
    bench.writeIOAPIC(0x38, 0x50)
    _ = bench.acknowledge()
    bench.endOfInterrupt()
    #expect(!bench.processors[0].isRequested)
    bench.writeIOAPIC(0x38, 0x8050)
    bench.line(20, true)
    #expect(bench.acknowledge() == 0x50)
  }

  @Test func whatNobodyTakesIsNotWaitedFor() {
    bench.redirect(17, low: 0x8041, destination: 9)
    bench.line(17, true)
    #expect(bench.readIOAPIC(0x32) == 0x8041)
    bench.writeIOAPIC(0x33, 0)
    #expect(bench.acknowledge() == 0x41)
    // A level-triggered NMI has no end.
    bench.redirect(18, low: 0x8400)
    bench.line(18, true)
    #expect(bench.processors[0].nmis >= 1 && bench.readIOAPIC(0x34) & 0x4000 == 0)
  }

  @Test func theTimerIsAtInput2() {
    bench.redirect(2, low: 0x32)
    bench.redirect(0, low: 0x33)
    bench.board.outb(0x43, 0x30)
    bench.board.outb(0x40, 0x00)
    bench.board.outb(0x40, 0x10)
    bench.board.clock.advance(by: 10_000_000)
    #expect(bench.acknowledge() == 0x32)
    bench.endOfInterrupt()
    #expect(bench.acknowledge() == nil || !bench.processors[0].isRequested)
    bench.line(2, true)
    #expect(!bench.processors[0].isRequested)
  }

  @Test func messages() {
    bench.platform.sendMessage(address: 0xFEE0_1000, data: 0x0061)
    #expect(bench.acknowledge(1) == 0x61)
    bench.endOfInterrupt(1)
    bench.platform.sendMessage(address: 0xFEE0_300C, data: 0x0162)
    #expect(bench.acknowledge(0) == 0x62)
    bench.platform.sendMessage(address: 0xFEC0_1000, data: 0x0061)
    #expect(bench.acknowledge(1) == nil)
  }

  @Test func stateRoundTrip() throws {
    bench.redirect(16, low: 0xA840, destination: 1)
    bench.redirect(5, low: 0x35, destination: 1)
    bench.line(16, true)
    bench.line(5, true)
    #expect(bench.acknowledge() == 0x40)
    bench.apic(0).writeRegister(0x3E0, 0xB)
    bench.apic(0).writeRegister(0x320, 0x2_0070)
    bench.apic(0).writeRegister(0x380, 100_000)
    bench.apic(1).writeRegister(0x320, 0x4_0071)
    _ = bench.apic(1).writeMSR(0x6E0, bench.processors[1].timeStamp + 250_000)
    bench.board.clock.advance(by: 30_000)
    let other = try PlatformBench()
    other.board.clock.advance(by: bench.board.clock.now)
    #expect(try bench.transplant(to: other))
    #expect(other.platform.save() == bench.platform.save())
    for bench in [bench, other] {
      #expect(bench.acknowledge(1) == 0x35)
      // The line is still high: no new edge.
      bench.line(5, true)
      #expect(bench.acknowledge(1) == nil)
      bench.endOfInterrupt(1)
      bench.board.clock.advance(by: 69_999)
      #expect(!bench.processors[0].isRequested)
      bench.board.clock.advance(by: 1)
      #expect(bench.acknowledge() == 0x70)
      bench.endOfInterrupt()
      bench.endOfInterrupt()
      #expect(bench.acknowledge() == 0x40)
      bench.board.clock.advance(by: 200_000)
      #expect(bench.acknowledge(1) == 0x71)
    }
    for index in 0..<2 { #expect(bench.apic(index).savedRegisters == other.apic(index).savedRegisters) }
    var damaged = bench.platform.save()
    damaged.ioapic.redirection.removeLast()
    #expect(!bench.platform.restore(damaged))
  }

  @Test func reservedBitsAreNotRestored() {
    var state = bench.platform.save()
    state.ioapic.redirection = Array(repeating: ~0, count: 24)
    state.ioapic.irr = ~0
    state.ioapic.id = ~0
    state.ioapic.registerSelect = ~0
    #expect(bench.platform.restore(state))
    #expect(bench.readIOAPIC(0x10) == 0x1_EFFF && bench.readIOAPIC(0x11) == 0xFF00_0000)
    let saved = bench.platform.save().ioapic
    #expect(saved.redirection.allSatisfy { $0 == 0xFF00_0000_0001_EFFF } && saved.irr == 0xFF_FFFF)
    #expect(bench.readIOAPIC(0) == 0x0F00_0000)
  }

  /// A state as KVM has it: the processors first, then the IOAPIC, then the devices raise their lines again.
  @Test(arguments: [false, true])
  func aLevelOfAnotherEngineComesOnce(isInService: Bool) throws {
    bench.redirect(16, low: 0xA840, destination: 1)
    bench.line(16, true)
    if isInService { #expect(bench.acknowledge() == 0x40) }
    var platform = bench.platform.save()
    platform.ioapic.lines = nil
    let other = try PlatformBench()
    for index in 0..<2 {
      other.apic(index).restore(
        registers: bench.apic(index).savedRegisters, base: bench.apic(index).readMSR(0x1B) ?? 0, deadline: 0)
    }
    #expect(other.platform.restore(platform))
    for _ in 0..<2 { other.line(16, true) }
    if !isInService { #expect(other.acknowledge() == 0x40) }
    #expect(!other.processors[0].isRequested && other.acknowledge() == nil)
    // It is still raised.
    other.endOfInterrupt()
    #expect(other.acknowledge() == 0x40)
    other.line(16, false)
    other.endOfInterrupt()
    #expect(!other.processors[0].isRequested && other.readIOAPIC(0x30) == 0xA840)
  }

  /// The same for what the other engine had not sent: nobody could take it.
  @Test func whatAnotherEngineHadNotSentComesOnce() throws {
    bench.redirect(16, low: 0xA840, destination: 1)
    bench.redirect(5, low: 0x35)
    var platform = bench.platform.save()
    (platform.ioapic.lines, platform.ioapic.irr) = (nil, 1 << 16 | 1 << 5)
    let other = try PlatformBench()
    for index in 0..<2 {
      other.apic(index).restore(
        registers: bench.apic(index).savedRegisters, base: bench.apic(index).readMSR(0x1B) ?? 0, deadline: 0)
    }
    #expect(other.platform.restore(platform))
    for number in [5, 16] { other.line(number, true) }
    #expect(other.acknowledge() == 0x40 && !other.processors[0].isRequested)
    other.line(16, false)
    other.endOfInterrupt()
    #expect(other.acknowledge() == 0x35)
    other.endOfInterrupt()
    #expect(!other.processors[0].isRequested && other.platform.save().ioapic.irr == 0)
  }

  @Test(arguments: [5, 6, 7] as [UInt64])
  func anythingGoes(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let other = try PlatformBench()
    let ports: [UInt16] = [0x20, 0x21, 0xA0, 0xA1, 0x40, 0x42, 0x43, 0x4D0, 0x4D1]
    let msrs: [UInt32] = [0x1B, 0x6E0, 0x802, 0x808, 0x80B, 0x830, 0x832, 0x838, 0x83F, 0x8FF]
    for step in 0..<6000 {
      let value = generator.next()
      let word = UInt32(truncatingIfNeeded: value >> 32)
      let apic = bench.apic(Int(value >> 8 & 1))
      switch value & 15 {
      case 0, 1: bench.line(Int(value >> 16 & 31) - 2, value >> 9 & 1 != 0)
      case 2, 3: bench.writeIOAPIC(UInt8(value >> 16 & 0x3F), word & (value >> 9 & 1 == 0 ? ~0 : ~0x1_0700))
      case 4: _ = bench.readIOAPIC(UInt8(value >> 16 & 0xFF))
      case 5, 6: apic.writeRegister(Int(value >> 16 & 0x3F) * 16, word)
      case 7: apic.writeRegister([0x320, 0x380, 0x3E0, 0xF0][Int(value >> 16 & 3)], word & 0x7FFFF)
      case 8: _ = apic.readRegister(Int(value >> 16 & 0xFFF))
      case 9: _ = apic.writeMSR(msrs[Int(value >> 16 & 0xFF) % msrs.count], value >> 24 & 0xFEE0_0FFF)
      case 10: _ = apic.readMSR(msrs[Int(value >> 16 & 0xFF) % msrs.count])
      case 11: bench.platform.sendMessage(address: 0xFEE0_0000 | value >> 44, data: word)
      case 12: bench.board.outb(ports[Int(value >> 16 & 0xFF) % ports.count], UInt8(value >> 24 & 0xFF))
      case 13: bench.board.clock.advance(by: value >> 46)
      case 14: apic.taskPriority = UInt8(value >> 16 & 0xFF)
      default:
        _ = apic.acknowledge()
        apic.writeRegister(0xB0, 0)
      }
      if step % 400 == 399 {
        other.board.clock.advance(by: bench.board.clock.now - other.board.clock.now)
        #expect(try bench.transplant(to: other))
        for index in 0..<2 {
          #expect(bench.processors[index].isRequested == other.processors[index].isRequested)
        }
        // Registers that no guest could have written.
        other.apic(0).restore(
          registers: (0..<64).map { _ in UInt32(truncatingIfNeeded: generator.next()) },
          base: generator.next(),
          deadline: generator.next())
        _ = other.acknowledge()
        bench.apic(0).reset()
        bench.enableAll()
      }
    }
    bench.platform.reset()
    for index in 0..<2 { bench.apic(index).reset() }
    #expect(bench.board.clock.nextDeadline == nil)
  }
}
