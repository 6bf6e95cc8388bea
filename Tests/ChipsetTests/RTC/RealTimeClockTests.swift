// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Chipset

/// The real-time clock, read and set as firmware and operating systems do.
@Suite struct RealTimeClockTests {
  private static let second: UInt64 = 1_000_000_000
  /// 2026-02-28 23:59:50 UTC, a Saturday.
  private static let start: Int64 = 1_772_323_190

  let board: TestBoard
  let rtc: RealTimeClock

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    rtc = Self.makeClock(board, interrupts: board.interrupts)
    rtc.map(in: board.ports)
  }

  private static func makeClock(_ board: TestBoard, interrupts: InterruptRecorder) -> RealTimeClock {
    RealTimeClock(
      clock: board.clock, wallClock: VirtualWallClock(clock: board.clock, startSeconds: start),
      interrupt: InterruptLine(interrupts, 8),
      contents: CMOSContents(memory: GuestMemoryLayout(byteCount: 64 << 20), cpuCount: 2, bootOrder: [2, 3]))
  }

  private func get(_ index: UInt8) -> UInt8 {
    board.outb(0x70, index)
    return board.inb(0x71)
  }
  private func put(_ index: UInt8, _ value: UInt8) {
    board.outb(0x70, index)
    board.outb(0x71, value)
  }
  /// Century, year, month, day, weekday, hour, minute, second as the registers show them.
  private var time: [UInt8] { [0x32, 9, 8, 7, 6, 4, 2, 0].map(get) }
  private func advance(milliseconds: UInt64) { board.clock.advance(by: milliseconds * 1_000_000) }

  // MARK: Time of day

  @Test func theTimeIsShownInBCDAndGoesOn() {
    #expect(time == [0x20, 0x26, 0x02, 0x28, 7, 0x23, 0x59, 0x50])
    advance(milliseconds: 9999)
    #expect(time == [0x20, 0x26, 0x02, 0x28, 7, 0x23, 0x59, 0x59])
    advance(milliseconds: 1)
    #expect(time == [0x20, 0x26, 0x03, 0x01, 1, 0, 0, 0])
  }

  @Test func binaryAndTwelveHours() {
    put(0x0B, 0x06)
    #expect(time == [20, 26, 2, 28, 7, 23, 59, 50])
    put(0x0B, 0x04)
    #expect(get(4) == 0x8B)
    put(0x0B, 0x00)
    #expect(get(4) == 0x91)
    advance(milliseconds: 10_000)
    // Midnight is 12 AM.
    #expect(get(4) == 0x12)
    advance(milliseconds: 12 * 3600 * 1000)
    #expect(get(4) == 0x92)
    put(0x0B, 0x02)
    #expect(get(4) == 0x12)
  }

  @Test func twelveHoursAreSetWithTheirHalfOfTheDay() {
    for (written, hour) in [(0x12, 0x00), (0x01, 0x01), (0x92, 0x12), (0x91, 0x23)] as [(UInt8, UInt8)] {
      put(0x0B, 0x80)
      put(4, written)
      put(0x0B, 0x00)
      #expect(get(4) == written)
      put(0x0B, 0x02)
      #expect(get(4) == hour, "12 h \(hex(written))")
    }
  }

  @Test func setHoldsTheTimeAndTakesANewOne() {
    put(0x0B, 0x82)
    advance(milliseconds: 3000)
    #expect(get(0) == 0x50)
    for (index, value) in [(0x32, 0x19), (9, 0x99), (8, 0x12), (7, 0x31), (4, 0x23), (2, 0x59), (0, 0x58)]
      as [(UInt8, UInt8)]
    {
      put(index, value)
    }
    put(0x0B, 0x02)
    #expect(time == [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58])
    advance(milliseconds: 2000)
    #expect(time == [0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0])
  }

  @Test func leapDays() {
    for (century, year, next) in [
      (0x20, 0x24, 0x29), (0x19, 0x00, 0x01), (0x20, 0x00, 0x29), (0x20, 0x25, 1),
    ]
      as [(UInt8, UInt8, UInt8)]
    {
      put(0x0B, 0x82)
      for (index, value) in [(0x32, century), (9, year), (8, 2), (7, 0x28), (4, 0x23), (2, 0x59), (0, 0x59)]
        as [(UInt8, UInt8)]
      {
        put(index, value)
      }
      put(0x0B, 0x02)
      advance(milliseconds: 1000)
      #expect(get(7) == next, "year \(hex(century)) \(hex(year))")
    }
  }

  @Test func oneRegisterMayBeSetWithoutHolding() {
    advance(milliseconds: 400)
    put(2, 0x05)
    #expect(time == [0x20, 0x26, 0x02, 0x28, 7, 0x23, 0x05, 0x50])
    // The second goes on where it was.
    advance(milliseconds: 599)
    #expect(get(0) == 0x50)
    advance(milliseconds: 1)
    #expect(get(0) == 0x51)
  }

  @Test func aHeldDividerHoldsTheTimeAndStartsHalfASecondAhead() {
    // What Linux does: SET, divider in reset, time, SET off, divider on.
    put(0x0B, 0x82)
    put(0x0A, 0x76)
    put(0, 0x20)
    put(0x0B, 0x02)
    advance(milliseconds: 5000)
    #expect(get(0) == 0x20 && get(0x0A) == 0x76)
    put(0x0A, 0x26)
    advance(milliseconds: 499)
    #expect(get(0) == 0x20)
    advance(milliseconds: 1)
    #expect(get(0) == 0x21)
  }

  @Test func updateInProgressWarnsBeforeEachSecond() {
    #expect(get(0x0A) == 0x26)
    board.clock.advance(by: Self.second - 244_141)
    #expect(get(0x0A) == 0x26)
    board.clock.advance(by: 1)
    #expect(get(0x0A) == 0xA6)
    put(0x0B, 0x82)
    #expect(get(0x0A) == 0x26)
    put(0x0B, 0x02)
    board.clock.advance(by: 244_140)
    #expect(get(0x0A) == 0x26)
    // It is read-only.
    put(0x0A, 0xA6)
    #expect(get(0x0A) == 0x26)
  }

  /// Nanoseconds since 1970 end in 2262: a guest that sets its clock near to that must not harm anybody.
  @Test func timesFarAwayAreTimesToo() {
    for century in [0x00, 0x15, 0x16, 0x22, 0x23, 0x99, 0xFF] as [UInt8] {
      put(0x0B, 0x82)
      for (index, value) in [(0x32, century), (9, 0x62), (8, 4), (7, 0x11), (4, 0x23), (2, 0x47), (0, 0x16)]
        as [(UInt8, UInt8)]
      {
        put(index, value)
      }
      put(0x0B, 0x02)
      advance(milliseconds: 2000)
      #expect(get(0) == 0x18 && get(7) == 0x11)
    }
  }

  // MARK: Interrupts

  @Test func theUpdateInterruptComesEachSecondAndReadingCEndsIt() {
    put(0x0A, 0x20)
    put(0x0B, 0x12)
    _ = get(0x0C)
    board.clock.advance(by: Self.second - 1)
    #expect(!board.interrupts.isRaised(8))
    board.clock.advance(by: 1)
    #expect(board.interrupts.isRaised(8))
    #expect(get(0x0C) == 0x90)
    #expect(!board.interrupts.isRaised(8) && get(0x0C) == 0)
    advance(milliseconds: 1000)
    #expect(board.interrupts.edges[8] == 2)
    // Without a read of C there is no second edge.
    advance(milliseconds: 5000)
    #expect(board.interrupts.edges[8] == 2)
    // The line follows the enables.
    put(0x0B, 0x02)
    #expect(!board.interrupts.isRaised(8))
    #expect(get(0x0C) == 0x10)
  }

  @Test func setClearsTheUpdateInterrupt() {
    put(0x0B, 0x92)
    #expect(get(0x0B) == 0x82)
  }

  @Test func flagsAreKeptWithoutInterrupts() {
    advance(milliseconds: 1000)
    #expect(get(0x0C) & 0x90 == 0x10)
    #expect(board.interrupts.edges[8] == nil)
    // A flag that is set already interrupts when it is enabled.
    advance(milliseconds: 1000)
    put(0x0B, 0x12)
    #expect(board.interrupts.isRaised(8))
  }

  @Test func thePeriodicInterruptHasTheRateOfA() {
    // 1024 Hz.
    put(0x0B, 0x42)
    var count = 0
    for _ in 0..<1100 {
      board.clock.advance(by: 976_563)
      if board.interrupts.isRaised(8) {
        count += 1
        #expect(get(0x0C) & 0xC0 == 0xC0)
      }
    }
    #expect(count == 1100)
    for (rate, interval) in [(1, 3_906_250), (2, 7_812_500), (3, 122_070), (15, 500_000_000)]
      as [(UInt8, UInt64)]
    {
      put(0x0A, 0x20 | rate)
      _ = get(0x0C)
      // The divider runs freely: the first interrupt comes within a period, the next a period later.
      board.clock.advance(by: (board.clock.nextDeadline ?? 0) &- board.clock.now)
      #expect(get(0x0C) & 0xC0 == 0xC0, "rate \(rate)")
      board.clock.advance(by: interval - 2)
      #expect(!board.interrupts.isRaised(8), "rate \(rate)")
      board.clock.advance(by: 3)
      #expect(board.interrupts.isRaised(8), "rate \(rate)")
    }
    put(0x0A, 0x20)
    _ = get(0x0C)
    advance(milliseconds: 2000)
    #expect(!board.interrupts.isRaised(8))
  }

  /// A guest that changes the rate at each interrupt counts the time it meant to.
  @Test func aPeriodOfTheNewRateFollowsTheLastOne() {
    put(0x0A, 0x2D)
    put(0x0B, 0x42)
    board.clock.advance(by: 125_000_000)
    #expect(get(0x0C) & 0xC0 == 0xC0)
    let start = board.clock.now
    for round in 1...10 {
      for (rate, interval) in [(15, 500_000_000), (13, 125_000_000)] as [(UInt8, UInt64)] {
        put(0x0A, 0x20 | rate)
        board.clock.advance(by: interval - 1)
        #expect(!board.interrupts.isRaised(8), "round \(round), rate \(rate)")
        board.clock.advance(by: 1)
        #expect(get(0x0C) & 0xC0 == 0xC0, "round \(round), rate \(rate)")
      }
    }
    #expect(board.clock.now - start == 6_250_000_000)
  }

  @Test func writingTheSameRateDoesNotStartThePeriodAnew() {
    put(0x0A, 0x2F)
    put(0x0B, 0x42)
    advance(milliseconds: 300)
    put(0x0A, 0x2F)
    advance(milliseconds: 200)
    #expect(board.interrupts.isRaised(8))
  }

  @Test func theAlarmGoesOffAtItsTimeAndWithDontCares() {
    for (index, value) in [(5, 0), (3, 0), (1, 5)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x22)
    advance(milliseconds: 14_999)
    #expect(!board.interrupts.isRaised(8))
    advance(milliseconds: 1)
    #expect(board.interrupts.isRaised(8))
    #expect(get(0x0C) & 0xA0 == 0xA0)
    // Every minute.
    put(5, 0xFF)
    put(3, 0xC0)
    advance(milliseconds: 59_999)
    #expect(!board.interrupts.isRaised(8))
    advance(milliseconds: 1)
    #expect(board.interrupts.isRaised(8))
  }

  /// An alarm just missed needs the longest search: to the end of the minute, the hour and the day.
  @Test func anAlarmJustPassedComesTomorrow() {
    put(0x0B, 0x82)
    for (index, value) in [(4, 0), (2, 0), (0, 1)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x02)
    for (index, value) in [(5, 0), (3, 0), (1, 0)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x22)
    #expect(board.clock.nextDeadline == board.clock.now + 86399 * Self.second)
    put(0x0B, 0x82)
    for (index, value) in [(4, 0x23), (2, 0x59), (0, 0x59)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x02)
    for (index, value) in [(5, 0x23), (3, 0x59), (1, 0x58)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x22)
    #expect(board.clock.nextDeadline == board.clock.now + 86399 * Self.second)
  }

  @Test func alarmsWorkBefore1970() {
    put(0x0B, 0x82)
    for (index, value) in [(0x32, 0x19), (9, 0x50), (4, 0x10), (2, 0x15), (0, 0)] as [(UInt8, UInt8)] {
      put(index, value)
    }
    put(0x0B, 0x02)
    for (index, value) in [(5, 0x11), (3, 0x00), (1, 0x30)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x22)
    #expect(board.clock.nextDeadline == board.clock.now + (45 * 60 + 30) * Self.second)
  }

  @Test func anAlarmSetForTheFutureDoesNotGoOffForThePast() {
    // Twelve hours in which nobody looked at the clock.
    advance(milliseconds: 12 * 3600 * 1000)
    _ = get(4)
    for (index, value) in [(5, 0x06), (3, 0x30), (1, 0)] as [(UInt8, UInt8)] { put(index, value) }
    _ = get(0x0C)
    put(0x0B, 0x22)
    #expect(!board.interrupts.isRaised(8))
  }

  @Test func impossibleAlarmsNeverGoOff() {
    for (index, value) in [(5, 0x7F), (3, 0x7F), (1, 0x7F)] as [(UInt8, UInt8)] { put(index, value) }
    put(0x0B, 0x22)
    #expect(board.clock.nextDeadline == nil)
    advance(milliseconds: 100_000_000)
    #expect(!board.interrupts.isRaised(8))
  }

  // MARK: Memory

  @Test func theMemoryTellsFirmwareOfTheMachine() {
    #expect(get(0x15) == 0x80 && get(0x16) == 0x02)
    #expect(get(0x34) == 0x00 && get(0x35) == 0x03)
    #expect(get(0x5F) == 1 && get(0x3D) == 0x32)
    #expect(get(0x0D) == 0x80)
    put(0x0D, 0)
    #expect(get(0x0D) == 0x80)
    put(0x0F, 0x5A)
    put(0x7F, 0xA5)
    // Bit 7 of the index is the NMI mask.
    #expect(get(0x8F) == 0x5A && get(0xFF) == 0xA5)
    #expect(board.inb(0x70) == 0xFF)
  }

  @Test func resetKeepsTimeAndMemoryButNoInterrupts() {
    put(0x0B, 0x72)
    put(0x0F, 0x0A)
    advance(milliseconds: 1000)
    #expect(board.interrupts.isRaised(8))
    rtc.reset()
    #expect(!board.interrupts.isRaised(8) && board.clock.nextDeadline == nil)
    #expect(get(0x0B) == 0x02 && get(0x0C) == 0 && get(0x0F) == 0x0A && get(0) == 0x51)
  }

  // MARK: State

  @Test func aRestoredClockRunsOnEqually() throws {
    put(0x0A, 0x2D)
    put(0x0B, 0x72)
    put(2, 0x33)
    advance(milliseconds: 333)
    let interrupts = InterruptRecorder()
    let other = Self.makeClock(board, interrupts: interrupts)
    try transplant(from: rtc, to: other)
    #expect(other.save() == rtc.save())
    let ports = PortSpace()
    other.map(in: ports)
    func otherGet(_ index: UInt8) -> UInt8 {
      ports.write(0x70, UInt64(index), .byte)
      return UInt8(truncatingIfNeeded: ports.read(0x71, .byte))
    }
    for _ in 0..<200 {
      advance(milliseconds: 37)
      #expect(interrupts.isRaised(8) == board.interrupts.isRaised(8))
      #expect(otherGet(0x0C) == get(0x0C))
      #expect(otherGet(0) == get(0))
    }
  }

  // MARK: Hostile guests

  @Test(arguments: [11, 12, 13] as [UInt64])
  func randomAccessesNeitherTrapNorHang(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      let value = generator.next()
      let index = value & 3 == 0 ? UInt8(value >> 8 & 0xFF) : UInt8(value >> 8 & 0x0F)
      switch value >> 4 & 7 {
      case 0...2: put(index, UInt8(value >> 24 & 0xFF))
      case 3: put(0x32, UInt8(value >> 24 & 0xFF))
      case 4: board.clock.advance(by: value >> 32 % 100_000_000)
      case 5: board.clock.advance(by: value >> 40 % 100_000)
      case 6: try transplant(from: rtc, to: rtc)
      default: _ = get(index)
      }
    }
  }

  @Test func accessesAllocateNothing() {
    put(0x0B, 0x52)
    // The first accesses build what the language runtime builds once.
    _ = time
    _ = get(0x0C)
    let count = countingAllocations {
      for _ in 0..<200 {
        for index in 0..<16 { _ = get(UInt8(truncatingIfNeeded: index)) }
        put(0x0A, 0x26)
      }
    }
    #expect(count == 0)
  }
}
