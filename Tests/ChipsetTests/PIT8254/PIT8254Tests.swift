// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import TestSupport
import Testing

@testable import Chipset

/// The timer on a board with port 0x61, driven as firmware and operating systems drive it.
@Suite struct PIT8254Tests {
  private let board: TestBoard
  private let pit: PIT8254
  private let port61: Port61

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    pit = PIT8254(clock: board.clock, interrupt: InterruptLine(board.interrupts, 0))
    port61 = Port61(clock: board.clock, gate: pit)
    pit.map(in: board.ports)
    port61.map(in: board.ports)
    pit.reset()
    port61.reset()
  }

  private var edges: Int { board.interrupts.edges[0] ?? 0 }

  /// Moves to just after the `count`th tick from now.
  private func advance(ticks count: Int64) {
    let target = PITTicks.count(in: board.clock.now) + count
    board.clock.advance(by: PITTicks.time(of: target) - board.clock.now)
  }

  private func load(_ counter: UInt16, control: UInt8, _ count: UInt16) {
    board.outb(0x43, UInt8(counter) << 6 | 0x30 | control)
    board.outb(0x40 + counter, UInt8(truncatingIfNeeded: count))
    board.outb(0x40 + counter, UInt8(count >> 8))
  }

  private func latched(_ counter: UInt16) -> UInt16 {
    board.outb(0x43, UInt8(counter) << 6)
    return UInt16(board.inb(0x40 + counter)) | UInt16(board.inb(0x40 + counter)) << 8
  }

  private func status(_ counter: UInt16) -> UInt8 {
    board.outb(0x43, 0xE0 | 2 << UInt8(counter))
    return board.inb(0x40 + counter)
  }

  /// Interrupt on terminal count: the count is loaded by the next tick, whether the gate is open or not.
  @Test func theGateClosesInTheTickOfALoad() {
    board.outb(0x61, 1)
    advance(ticks: 10)
    load(2, control: 0, 1000)
    board.outb(0x61, 0)
    advance(ticks: 50)
    #expect(latched(2) == 1000)
    board.outb(0x61, 1)
    advance(ticks: 100)
    #expect((899...901).contains(latched(2)))
  }

  @Test func ticksConvertBothWays() {
    for tick in [0, 1, 2, 1_193_182, 1_193_183, 1 << 40, 1 << 52] as [Int64] {
      let time = PITTicks.time(of: tick)
      #expect(PITTicks.count(in: time) == tick)
      if tick > 0 { #expect(PITTicks.count(in: time - 1) == tick - 1) }
    }
    #expect(PITTicks.count(in: 1_000_000_000) == 1_193_182)
    #expect(PITTicks.time(of: .max) == .max && PITTicks.time(of: -5) == 0)
    #expect(PITTicks.count(in: .max) > 0)
  }

  @Test func nothingHappensBeforeItIsProgrammed() {
    board.clock.advance(by: 1_000_000_000)
    #expect(edges == 0 && board.clock.nextDeadline == nil)
  }

  @Test func rateGeneratorDoesNotDrift() {
    // 100 Hz as Linux sets it.
    load(0, control: 4, 11932)
    // OUT0 goes high with the control word.
    #expect(edges == 1)
    board.clock.advance(by: 600_000_000_000)
    #expect(edges - 1 == Int(600 * 1_193_182 / 11932))
    // The firmware's 18.2 Hz: zero is 65536.
    load(0, control: 4, 0)
    let before = edges
    board.clock.advance(by: 3600_000_000_000)
    #expect(edges - before == Int(3600 * 1_193_182 / 65536))
  }

  @Test func squareWave() {
    load(0, control: 6, 1000)
    advance(ticks: 1)
    #expect(latched(0) == 1000 && status(0) == 0xB6)
    advance(ticks: 100)
    #expect(latched(0) == 800)
    advance(ticks: 400)
    #expect(latched(0) == 1000 && status(0) == 0x36)
    advance(ticks: 500)
    #expect(edges == 2 && status(0) == 0xB6)
    // Odd: high one tick longer than low.
    load(2, control: 6, 7)
    pit.isGateOpen = true
    advance(ticks: 1)
    var levels: [Bool] = []
    for _ in 0..<7 {
      levels.append(pit.output)
      advance(ticks: 1)
    }
    #expect(levels == [true, true, true, true, false, false, false])
  }

  @Test func interruptOnTerminalCountFiresOnce() {
    load(0, control: 0, 1000)
    #expect(!board.interrupts.isRaised(0) && status(0) == 0x70)
    advance(ticks: 1)
    #expect(latched(0) == 1000 && status(0) == 0x30)
    advance(ticks: 999)
    #expect(!board.interrupts.isRaised(0) && latched(0) == 1)
    advance(ticks: 1)
    #expect(board.interrupts.isRaised(0) && status(0) == 0xB0 && board.clock.nextDeadline == nil)
    advance(ticks: 1)
    #expect(latched(0) == 0xFFFF)
    // The first byte of a new count stops it.
    board.outb(0x40, 0x10)
    #expect(!board.interrupts.isRaised(0))
    board.clock.advance(by: 1_000_000_000)
    #expect(edges == 1)
    board.outb(0x40, 0x00)
    advance(ticks: 17)
    #expect(edges == 2)
  }

  @Test func softwareStrobe() {
    load(0, control: 8, 50)
    #expect(board.interrupts.isRaised(0))
    let before = edges
    advance(ticks: 51)
    #expect(status(0) == 0x38)
    advance(ticks: 1)
    #expect(status(0) == 0xB8 && edges == before + 1)
    board.clock.advance(by: 1_000_000_000)
    #expect(edges == before + 1)
    // As Linux programs its next event: the count alone.
    board.outb(0x40, 100)
    board.outb(0x40, 0)
    advance(ticks: 102)
    #expect(edges == before + 2)
  }

  @Test func hardwareModesWaitForTheGate() {
    load(2, control: 2, 100)
    #expect(pit.output)
    advance(ticks: 500)
    #expect(pit.output)
    pit.isGateOpen = true
    advance(ticks: 1)
    #expect(!pit.output && latched(2) == 100)
    advance(ticks: 99)
    #expect(!pit.output)
    advance(ticks: 1)
    #expect(pit.output)
    // Triggered again, with a count written meanwhile.
    board.outb(0x42, 10)
    board.outb(0x42, 0)
    #expect(status(2) & 0x40 != 0)
    pit.isGateOpen = false
    pit.isGateOpen = true
    advance(ticks: 1)
    #expect(!pit.output && status(2) == 0x32)
    advance(ticks: 10)
    #expect(pit.output)
    load(2, control: 10, 20)
    advance(ticks: 100)
    #expect(pit.output)
    pit.isGateOpen = false
    pit.isGateOpen = true
    advance(ticks: 21)
    #expect(!pit.output)
    advance(ticks: 1)
    #expect(pit.output)
  }

  @Test func aNewPeriodBeginsWhenTheOldOneEnds() {
    load(0, control: 4, 1000)
    advance(ticks: 301)
    board.outb(0x40, 0x64)
    board.outb(0x40, 0)
    #expect(latched(0) == 700 && status(0) & 0x40 != 0)
    let before = edges
    advance(ticks: 699)
    #expect(edges == before)
    advance(ticks: 1)
    #expect(edges == before + 1 && latched(0) == 100 && status(0) & 0x40 == 0)
    advance(ticks: 100)
    #expect(edges == before + 2)
  }

  @Test func decimalCounting() {
    load(0, control: 5, 0x1000)
    advance(ticks: 1)
    #expect(latched(0) == 0x1000)
    advance(ticks: 1)
    #expect(latched(0) == 0x0999)
    load(0, control: 1, 0)
    advance(ticks: 2)
    #expect(latched(0) == 0x9999)
    advance(ticks: 10000)
    #expect(latched(0) == 0x9999 && board.interrupts.isRaised(0))
  }

  @Test func latchesHoldUntilRead() {
    load(0, control: 4, 1000)
    advance(ticks: 101)
    // Count and status of counters 0 and 2, by read-back.
    board.outb(0x43, 0xCA)
    advance(ticks: 100)
    board.outb(0x43, 0x00)
    #expect(board.inb(0x40) == 0xB4 && board.inb(0x40) == 0x84 && board.inb(0x40) == 0x03)
    #expect(board.inb(0x42) == 0xF6)
    #expect(latched(0) == 800)
    // Without a latch, either byte as the counter runs on.
    #expect(board.inb(0x40) == 0x20 && board.inb(0x40) == 0x03)
    // The high byte alone.
    board.outb(0x43, 0x24)
    board.outb(0x40, 0x12)
    advance(ticks: 1)
    #expect(board.inb(0x40) == 0x12)
  }

  /// The gate closes after the count was written and before the tick that loads it.
  @Test(arguments: [0, 4, 6] as [UInt8])
  func theGateClosesInTheTickOfALoad(control: UInt8) {
    pit.isGateOpen = true
    load(2, control: control, 1000)
    #expect(status(2) & 0x40 != 0)
    pit.isGateOpen = false
    advance(ticks: 5)
    #expect(status(2) & 0x40 == 0 && latched(2) == 1000)
    pit.isGateOpen = true
    advance(ticks: 11)
    let counted: UInt16 = control == 0 ? 11 : control == 4 ? 10 : 20
    #expect(latched(2) == 1000 - counted)
  }

  /// Linux: the TSC against 50 ms of counter 2, gated by port 0x61.
  @Test func calibrationByTheSpeakersCounter() {
    board.outb(0x61, board.inb(0x61) & ~2 | 1)
    load(2, control: 0, UInt16(1_193_182 / 20))
    #expect(board.inb(0x61) & 0x20 == 0)
    let start = board.clock.now
    while board.inb(0x61) & 0x20 == 0 { board.clock.advance(by: 1000) }
    let taken = board.clock.now - start
    #expect(taken >= 50_000_000 && taken < 50_003_000)
    // The gate holds the count, and lets it go on from there.
    load(2, control: 0, 1000)
    advance(ticks: 101)
    board.outb(0x61, 0)
    advance(ticks: 5000)
    #expect(latched(2) == 900 && !pit.output)
    board.outb(0x61, 1)
    advance(ticks: 100)
    #expect(latched(2) == 800)
  }

  @Test func aClosedGateStopsTheSound() {
    board.outb(0x61, 3)
    load(2, control: 6, 1000)
    advance(ticks: 701)
    #expect(board.inb(0x61) & 0x20 == 0)
    board.outb(0x61, 0)
    #expect(board.inb(0x61) & 0x20 != 0)
    advance(ticks: 100)
    board.outb(0x61, 3)
    advance(ticks: 1)
    #expect(latched(2) == 1000 && pit.output)
  }

  @Test func absurdRatesAreBounded() {
    load(0, control: 4, 1)
    board.clock.advance(by: 10_000_000)
    #expect(edges > 100 && edges <= 1000)
  }

  @Test func resetStopsIt() {
    load(0, control: 4, 1000)
    pit.reset()
    #expect(board.clock.nextDeadline == nil && !board.interrupts.isRaised(0))
  }

  @Test func allocatesNothing() {
    load(0, control: 4, 1000)
    let count = countingAllocations {
      for _ in 0..<200 {
        board.outb(0x43, 0)
        _ = board.inb(0x40)
        _ = board.inb(0x40)
        _ = board.inb(0x61)
      }
    }
    #expect(count == 0)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func goesOnTheSameElsewhere(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      for _ in 0..<40 { step(generator.next()) }
      let other = try PIT8254Tests()
      other.board.clock.advance(by: board.clock.now)
      let state = try roundTrip(Wrapped(pit: pit.save()))
      try other.pit.restore(state.pit)
      #expect(other.pit.save() == pit.save())
      for _ in 0..<20 {
        let value = generator.next()
        #expect(step(value) == other.step(value))
        #expect(pit.output == other.pit.output)
        #expect(board.clock.nextDeadline == other.board.clock.nextDeadline)
      }
    }
  }

  /// One access, or a while of waiting.
  @discardableResult private func step(_ value: UInt64) -> UInt8 {
    let port = 0x40 + UInt16(value >> 8 & 3)
    switch value & 7 {
    case 0, 1, 2: return board.inb(port)
    case 3: board.outb(0x43, UInt8(value >> 16 & 0xFF))
    case 4, 5: board.outb(port, UInt8(value >> 16 & 0xFF))
    case 6: pit.isGateOpen = value >> 16 & 1 != 0
    default: board.clock.advance(by: value >> 16 & (value >> 8 & 1 == 0 ? 0xFFF : 0xF_FFFF))
    }
    return 0
  }

  private struct Wrapped: SavedState {
    static let version = 1
    var pit: PlatformState.PIT
  }

  @Test func hostileStatesAreTamed() throws {
    var generator = SeededGenerator(seed: 9)
    for _ in 0..<300 {
      var state = PlatformState.PIT()
      for index in 0..<3 {
        var channel = PlatformState.PIT.Channel()
        let (a, b, c) = (generator.next(), generator.next(), generator.next())
        (channel.count, channel.pendingCount) = (UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b))
        channel.awaitsCount = [nil, true, false][Int(a >> 40 & 0xFF) % 3]
        (channel.mode, channel.bcd) = (UInt8(a >> 32 & 0xFF), UInt8(b >> 32 & 0xFF))
        (channel.readState, channel.writeState) = (UInt8(b >> 40 & 0xFF), UInt8(b >> 48 & 0xFF))
        (channel.countLatched, channel.accessMode) = (UInt8(a >> 48 & 0xFF), UInt8(a >> 56 & 0xFF))
        channel.gate = UInt8(b >> 56 & 0xFF)
        channel.sinceLoad = Int64(bitPattern: c) >> Int64(generator.next() & 63)
        state.channels[index] = channel
      }
      try pit.restore(state)
      for _ in 0..<10 { step(generator.next()) }
      _ = pit.save()
    }
    var short = PlatformState.PIT()
    short.channels.removeLast()
    #expect(throws: RestoreError.self) { try pit.restore(short) }
  }
}
