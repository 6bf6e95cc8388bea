// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Chipset

/// A board whose only device is the clock, started at a given moment.
private struct RTCBoard {
  let board: TestBoard
  let rtc: RealTimeClock
  let clock: SteppedClock
  static let second: UInt64 = 1_000_000_000

  /// 2024-02-28 23:59:50 UTC, a Wednesday.
  static let leapDayEve: Int64 = 1_709_164_790

  init(at start: Int64 = leapDayEve, contents: CMOSContents = RTCBoard.contents) throws {
    board = try TestBoard(ramByteCount: 4096)
    clock = board.clock
    rtc = RealTimeClock(
      clock: clock, wallClock: VirtualWallClock(clock: clock, startSeconds: start),
      interrupt: InterruptLine(board.interrupts, 8), contents: contents)
    rtc.map(in: board.ports)
    rtc.reset()
  }

  static let contents = CMOSContents(
    memory: GuestMemoryLayout(byteCount: 64 << 20), cpuCount: 1, bootOrder: [2, 3])

  subscript(index: UInt8) -> UInt8 {
    get {
      board.outb(0x70, index)
      return board.inb(0x71)
    }
    nonmutating set {
      board.outb(0x70, index)
      board.outb(0x71, newValue)
    }
  }

  /// Century, year, month, day, hour, minute, second, as they are written in the registers.
  var date: [UInt8] { [0x32, 9, 8, 7, 4, 2, 0].map { self[$0] } }
  func setDate(_ values: [UInt8]) {
    for (index, value) in zip([0x32, 9, 8, 7, 4, 2, 0] as [UInt8], values) { self[index] = value }
  }
  var isRaised: Bool { board.interrupts.isRaised(8) }
  func advance(_ nanoseconds: UInt64) { clock.advance(by: nanoseconds) }
}

@Suite struct RTCRegisterTests {
  private let rtc: RTCBoard
  private let second = RTCBoard.second
  init() throws { rtc = try RTCBoard() }

  // MARK: Time of day

  @Test func theOtherFormatsAreSpokenToo() {
    rtc[0x0B] = 0x06
    #expect(rtc.date == [20, 24, 2, 28, 23, 59, 50])
    rtc[0x0B] = 0x04
    #expect(rtc[4] == 11 | 0x80)
    rtc[0x0B] = 0x00
    #expect(rtc[4] == 0x91)
    rtc.advance(10 * second)
    #expect(rtc[4] == 0x12)
    rtc.advance(12 * 3600 * second)
    #expect(rtc[4] == 0x92)
    rtc.advance(3600 * second)
    #expect(rtc[4] == 0x81)
  }

  @Test func theGuestSetsTheTime() {
    rtc.advance(second / 4)
    rtc[0x0B] = 0x82
    rtc.setDate([0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
    rtc.advance(10 * second)
    #expect(rtc.date == [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
    rtc[0x0B] = 0x02
    #expect(rtc.date == [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
    // SET does not touch the divider: the next second begins when it would have.
    rtc.advance(second * 3 / 4)
    #expect(rtc[0] == 0x59)
    rtc.advance(second)
    #expect(rtc.date == [0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00])
    #expect(rtc[6] == 7)
  }

  @Test func formatsAreThoseTheBytesWereWrittenIn() {
    // Binary and 12 hours, as register B says while SET is on.
    rtc[0x0B] = 0x84
    rtc.setDate([20, 30, 6, 15, 0x8B, 30, 0])
    rtc[0x0B] = 0x04
    rtc[0x0B] = 0x02
    #expect(rtc.date == [0x20, 0x30, 0x06, 0x15, 0x23, 0x30, 0x00])
  }

  @Test func bytesWrittenWhileItRunsCountAtOnce() {
    rtc[2] = 0x30
    #expect(rtc.date == [0x20, 0x24, 0x02, 0x28, 0x23, 0x30, 0x50])
    rtc[0x37] = 0x19
    #expect(rtc[0x32] == 0x19)
    rtc.advance(second)
    #expect(rtc[0] == 0x51)
  }

  @Test func nonsenseDatesAreDatesAllTheSame() {
    for bytes in [0x00, 0x99, 0xAA, 0xFF] as [UInt8] {
      for b in [0x02, 0x06, 0x00, 0x04] as [UInt8] {
        rtc[0x0B] = 0x80 | b
        rtc.setDate(Array(repeating: bytes, count: 7))
        rtc[0x0B] = b
        rtc.advance(3600 * second)
        #expect(rtc[8] != 0)
      }
    }
  }

  // MARK: Interrupts

  @Test func anIdleClockArmsNothing() {
    #expect(rtc.clock.nextDeadline == nil)
    rtc.advance(10 * second)
    _ = rtc[0x0C]
    #expect(rtc.clock.nextDeadline == nil)
    #expect(rtc.board.interrupts.levels[8] != true)
  }

  @Test func flagsAreSetWithoutBeingEnabled() {
    _ = rtc[0x0C]
    rtc.advance(second)
    #expect(rtc[0x0C] == 0x50)
    #expect(rtc[0x0C] == 0)
  }

  @Test(
    arguments: [
      (1, 256), (2, 128), (3, 8192), (4, 4096), (5, 2048), (6, 1024), (7, 512), (8, 256), (9, 128), (10, 64),
      (11, 32), (12, 16), (13, 8), (14, 4), (15, 2),
    ] as [(UInt8, Int)])
  func thePeriodicInterruptHasTheRateOfTheTable(rate: UInt8, frequency: Int) throws {
    let rtc = try RTCBoard()
    rtc[0x0A] = 0x20 | rate
    rtc[0x0B] = 0x42
    _ = rtc[0x0C]
    var count = 0
    while let deadline = rtc.clock.nextDeadline, deadline <= second {
      rtc.advance(deadline - rtc.clock.now)
      #expect(rtc.isRaised)
      #expect(rtc[0x0C] & 0xC0 == 0xC0)
      #expect(!rtc.isRaised)
      count += 1
    }
    #expect(count == frequency)
  }

  @Test func noRateIsNoInterrupt() {
    rtc[0x0A] = 0x20
    rtc[0x0B] = 0x42
    #expect(rtc.clock.nextDeadline == nil)
    rtc[0x0A] = 0x76
    #expect(rtc.clock.nextDeadline == nil)
  }

  @Test func anUnreadFlagHoldsTheLineAndNeedsNoTimer() {
    rtc[0x0B] = 0x42
    rtc.advance(second)
    #expect(rtc.isRaised && rtc.board.interrupts.edges[8] == 1)
    #expect(rtc.clock.nextDeadline == nil)
    rtc[0x0B] = 0x02
    #expect(!rtc.isRaised)
    rtc[0x0B] = 0x42
    #expect(rtc.isRaised)
    #expect(rtc[0x0C] == 0xD0)
    #expect(rtc.clock.nextDeadline != nil)
  }

  @Test func theAlarmGoesOffAtItsTime() {
    rtc[0x05] = 0x00
    rtc[0x03] = 0x01
    rtc[0x01] = 0x30
    rtc[0x0B] = 0x22
    // 23:59:50 to 00:01:30.
    #expect(rtc.clock.nextDeadline == 100 * second)
    rtc.advance(100 * second - 1)
    #expect(!rtc.isRaised)
    rtc.advance(1)
    #expect(rtc.isRaised)
    #expect(rtc[0x0C] & 0xA0 == 0xA0)
    // And a day later.
    #expect(rtc.clock.nextDeadline == (100 + 86400) * second)
    rtc[0x0B] = 0x02
    #expect(rtc.clock.nextDeadline == nil)
  }

  @Test func alarmBytesMayBeDontCare() {
    (rtc[0x05], rtc[0x03], rtc[0x01]) = (0xFF, 0xC0, 0x15)
    rtc[0x0B] = 0x22
    // Each minute at second 15.
    #expect(rtc.clock.nextDeadline == 25 * second)
    rtc.advance(25 * second)
    _ = rtc[0x0C]
    #expect(rtc.clock.nextDeadline == 85 * second)
    // Each second.
    rtc[0x01] = 0xFF
    #expect(rtc.clock.nextDeadline == 26 * second)
    // Never.
    rtc[0x01] = 0x99
    #expect(rtc.clock.nextDeadline == nil)
  }

  @Test func alarmsAreInTheClocksFormat() {
    rtc[0x0B] = 0x24
    // One minute past noon, in binary and with 12 hours.
    (rtc[0x05], rtc[0x03], rtc[0x01]) = (12 | 0x80, 1, 0)
    #expect(rtc.clock.nextDeadline == (10 + 12 * 3600 + 60) * second)
    rtc[0x05] = 12
    #expect(rtc.clock.nextDeadline == 70 * second)
    rtc[0x05] = 13
    #expect(rtc.clock.nextDeadline == nil)
  }

  @Test func aPassedAlarmIsNoticedWithoutBeingEnabled() {
    (rtc[0x05], rtc[0x03], rtc[0x01]) = (0x00, 0x01, 0x30)
    _ = rtc[0x0C]
    rtc.advance(99 * second)
    #expect(rtc[0x0C] & 0x20 == 0)
    rtc.advance(3 * second)
    #expect(rtc[0x0C] & 0x20 != 0)
    rtc.advance(40 * 86400 * second)
    #expect(rtc[0x0C] & 0x20 != 0)
  }

  // MARK: Memory

  @Test func memoryIsKeptAcrossReset() {
    for index in 0x0E..<0x80 as Range<UInt8> where index != 0x32 && index != 0x37 {
      rtc[index] = index ^ 0x5A
    }
    rtc.rtc.reset()
    for index in 0x0E..<0x80 as Range<UInt8> where index != 0x32 && index != 0x37 {
      #expect(rtc[index] == index ^ 0x5A)
    }
    // Bit 7 of the index masks NMI and is no part of it; the index cannot be read.
    #expect(rtc[0x8F] == 0x0F ^ 0x5A)
    #expect(rtc.board.inb(0x70) == 0xFF && rtc.board.inb(0x72) == 0xFF)
    rtc[0x0D] = 0
    #expect(rtc[0x0D] == 0x80)
    rtc[0x0C] = 0xFF
    #expect(rtc[0x0C] & 0x80 == 0)
  }

  @Test func theSecondBankIsMemoryOnly() {
    for index in 0..<128 as Range<UInt8> {
      rtc.board.outb(0x72, index)
      rtc.board.outb(0x73, index ^ 0xA5)
    }
    for index in 0..<128 as Range<UInt8> {
      rtc.board.outb(0x72, index | 0x80)
      #expect(rtc.board.inb(0x73) == index ^ 0xA5)
    }
    #expect(rtc[0] == 0x50)
  }

  @Test func resetClearsEnablesAndFlagsOnly() {
    rtc[0x0B] = 0x7E
    rtc.advance(second)
    #expect(rtc.isRaised)
    rtc.rtc.reset()
    #expect(!rtc.isRaised && rtc.clock.nextDeadline == nil)
    #expect(rtc[0x0B] == 0x06 && rtc[0x0C] == 0)
    #expect(rtc[0] == 51)
  }

  // MARK: State

  @Test func stateGoesOnWhereItWas() throws {
    rtc[0x0B] = 0x82
    rtc.setDate([0x19, 0x80, 0x01, 0x02, 0x03, 0x04, 0x05])
    rtc[0x0B] = 0x52
    rtc[0x40] = 0x77
    _ = rtc[0x0C]
    let other = try RTCBoard()
    try transplant(from: rtc.rtc, to: other.rtc)
    #expect(other.rtc.save() == rtc.rtc.save())
    for board in [rtc, other] {
      board.advance(second / 1000)
      #expect(board.isRaised)
      #expect(board[0x0C] == 0xC0)
      board.advance(2 * second)
      #expect(board[0x0C] == 0xD0)
      #expect(board.date == [0x19, 0x80, 0x01, 0x02, 0x03, 0x04, 0x07])
      #expect(board[0x40] == 0x77)
    }
    #expect(other.rtc.save() == rtc.rtc.save())
  }

  @Test func aHeldClockStaysHeld() throws {
    rtc[0x0B] = 0x82
    rtc.setDate([0x19, 0x80, 0x01, 0x02, 0x03, 0x04, 0x05])
    let other = try RTCBoard(at: 0)
    try transplant(from: rtc.rtc, to: other.rtc)
    other.advance(100 * second)
    #expect(other.date == [0x19, 0x80, 0x01, 0x02, 0x03, 0x04, 0x05])
    other[0x0B] = 0x02
    #expect(other.date == [0x19, 0x80, 0x01, 0x02, 0x03, 0x04, 0x05])
  }

  @Test func forgedStatesAreTamed() throws {
    var state = rtc.rtc.save()
    state.memory.removeLast()
    #expect(throws: RestoreError.self) { try rtc.rtc.restore(state) }
    for extreme in [Int64.min, .max] {
      state = rtc.rtc.save()
      state.memory = Array(repeating: 0xFF, count: 256)
      state.memory[0x0A] = 0x26
      state.memory[0x0B] = 0x72
      state.lastSecond = extreme
      state.lastPeriod = .max
      state.index = -1
      state.extendedIndex = .max
      let text = #"{"secondsAhead": \#(extreme), "nanosecondsAhead": \#(extreme)}"#
      state.time = try decode(text)
      try rtc.rtc.restore(state)
      rtc.advance(3 * second)
      _ = rtc.date
      _ = rtc[0x0C]
    }
  }

  @Test(arguments: [41, 42, 43] as [UInt64])
  func randomAccessesNeitherTrapNorHang(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let rtc = try RTCBoard(at: Int64(truncatingIfNeeded: generator.next()) >> 28)
    for _ in 0..<4000 {
      let random = generator.next()
      let value = UInt8(truncatingIfNeeded: random >> 32)
      let port = 0x70 + UInt16(random >> 8 & 3)
      switch random & 7 {
      case 0: rtc.board.outb(port, value)
      case 1: rtc.board.outw(port, UInt16(value) << 8 | UInt16(value))
      case 2: _ = rtc.board.inl(port)
      case 3: rtc.advance((random >> 40) % (random & 16 == 0 ? 3_000_000 : 4_000_000_000))
      case 4: rtc[0x0B] = value
      case 5: rtc[0x0A] = random & 16 == 0 ? 0x2F : value
      default: rtc[UInt8(random >> 16 & 0xF)] = value
      }
    }
    rtc.rtc.reset()
    #expect(!rtc.isRaised && rtc.clock.nextDeadline == nil)
  }

}

@Suite struct CalendarDateTests {
  @Test func datesGoRoundTrip() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      let seconds = Int64(truncatingIfNeeded: generator.next()) >> 26
      let date = CalendarDate(secondsSinceEpoch: seconds)
      #expect(date.secondsSinceEpoch == seconds)
      #expect((1...12).contains(date.month) && (1...31).contains(date.day) && (1...7).contains(date.weekday))
      #expect(date.weekday == ((seconds >= 0 ? seconds : seconds - 86399) / 86400 % 7 + 11) % 7 + 1)
    }
  }

  @Test func knownDatesAreRight() {
    let epoch = CalendarDate(secondsSinceEpoch: 0)
    #expect((epoch.year, epoch.month, epoch.day) == (1970, 1, 1) && epoch.weekday == 5)
    let leap = CalendarDate(secondsSinceEpoch: 951_782_400)
    #expect((leap.year, leap.month, leap.day) == (2000, 2, 29) && leap.weekday == 3)
    let before = CalendarDate(secondsSinceEpoch: -1)
    #expect((before.year, before.month, before.day, before.second) == (1969, 12, 31, 59))
  }
}

@Suite struct CMOSContentsTests {
  @Test func memorySizesAreWhereSeaBIOSLooks() {
    let contents = CMOSContents(
      memory: GuestMemoryLayout(byteCount: 6 << 30), cpuCount: 4, bootOrder: [3, 2, 4])
    let bytes = contents.bytes
    #expect(bytes[0x15] == 0x80 && bytes[0x16] == 0x02)
    #expect(bytes[0x17] == 0xFF && bytes[0x18] == 0xFF && bytes[0x30] == 0xFF && bytes[0x31] == 0xFF)
    // 3 GiB - 16 MiB and 3 GiB in units of 64 KiB.
    #expect(bytes[0x34] == 0x00 && bytes[0x35] == 0xBF)
    #expect(bytes[0x5B] == 0x00 && bytes[0x5C] == 0xC0 && bytes[0x5D] == 0x00)
    #expect(bytes[0x5F] == 3 && bytes[0x14] == 0x06)
    #expect(bytes[0x3D] == 0x23 && bytes[0x38] == 0x40)
  }

  @Test func aTinyMachineFits() {
    let bytes = CMOSContents(memory: GuestMemoryLayout(byteCount: 1 << 20), cpuCount: 1, bootOrder: []).bytes
    #expect(bytes[0x15] == 0x80 && bytes[0x17] == 0 && bytes[0x34] == 0 && bytes[0x5F] == 0)
    #expect(bytes[0x3D] == 0 && bytes[0x38] == 0)
  }

  @Test func theBootOrderAloneChangesNothingElse() {
    #expect(CMOSContents(bootOrder: [3, 2, 4]).bytes == [0x3D: 0x23, 0x38: 0x40])
  }

  @Test func disksAreDescribedAsQEMUDoes() {
    var contents = RTCBoard.contents
    contents.addDisk(0, cylinders: 16383, heads: 16, sectors: 63)
    contents.addDisk(1, cylinders: 500, heads: 4, sectors: 17)
    contents.addDisk(3, cylinders: 2000, heads: 16, sectors: 63)
    contents.addDisk(4, cylinders: 1, heads: 1, sectors: 1)
    #expect(contents.bytes[0x12] == 0xFF && contents.bytes[0x19] == 47 && contents.bytes[0x1A] == 47)
    #expect((0x1B...0x23).map { contents.bytes[$0] } == [0xFF, 0x3F, 16, 0xFF, 0xFF, 0xC8, 0xFF, 0x3F, 63])
    #expect((0x24...0x2C).map { contents.bytes[$0] } == [0xF4, 0x01, 4, 0xFF, 0xFF, 0xC0, 0xF4, 0x01, 17])
    #expect(contents.bytes[0x39] == 0b0100_0001)
  }

  @Test func contentsNeverTouchTheClock() throws {
    let rtc = try RTCBoard()
    #expect(rtc[0x14] == 0x06 && rtc[0x3D] == 0x32)
    var contents = CMOSContents(
      memory: GuestMemoryLayout(byteCount: 64 << 20), cpuCount: 2, bootOrder: [4])
    contents.addDisk(0, cylinders: 20, heads: 16, sectors: 63)
    rtc.rtc.store(contents)
    #expect(rtc[0x3D] == 0x04 && rtc[0x5F] == 1 && rtc[0x19] == 47)
    #expect(rtc.date == [0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x50])
  }
}
