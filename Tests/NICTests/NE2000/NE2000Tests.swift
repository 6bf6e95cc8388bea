// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Network
import TestSupport
import Testing

@testable import NIC

@Suite struct NE2000Tests {
  let driver: NE2000Driver
  init() throws { driver = try NE2000Driver() }

  @Test func configurationSpace() {
    let board = driver.board
    #expect(board.readConfiguration(NE2000Driver.place, 0x00) == 0x8029_10EC)
    #expect(board.readConfiguration(NE2000Driver.place, 0x08) == 0x0200_0000)
    #expect(board.readConfiguration(NE2000Driver.place, 0x2C) == 0x1100_1AF4)
    #expect(board.readConfiguration(NE2000Driver.place, 0x3C) == 0x0000_0100)
    board.writeConfiguration(NE2000Driver.place, 0x10, 0xFFFF_FFFF)
    #expect(board.readConfiguration(NE2000Driver.place, 0x10) == 0xFFFF_FF01)
  }

  /// How Linux finds a card: the reset port, then the counter that clears when read.
  @Test func probe() {
    #expect(driver.read(0) == 0x21)
    driver.write(0, 0x61)
    let old = driver.read(0x0D)
    driver.write(0x0D, 0xFF)
    driver.write(0, 0x20)
    _ = driver.read(0x0D)
    #expect(driver.read(0x0D) == 0)
    driver.write(0, 0x61)
    driver.write(0x0D, old)
    driver.write(0x1F, driver.read(0x1F))
    #expect(driver.read(0x07) == 0x80)
    #expect(driver.read(0x0A) == 0x50 && driver.read(0x0B) == 0x43)
    // Nothing behind the card's ports.
    #expect(driver.read(0x20) == 0xFF && driver.board.inw(NE2000Driver.base + 0xFE) == 0xFFFF)
  }

  /// The PROM read as bytes while the chip moves words shows each byte once; as words twice.
  @Test func prom() {
    driver.write(0x0E, 0x49)
    driver.startRemote(0, 32, command: 0x0A)
    let bytes = (0..<16).map { _ in driver.read(0x10) }
    #expect(bytes == SampleFrame.own.bytes + Array(repeating: 0, count: 8) + [0x57, 0x57])
    #expect(driver.read(0x07) & 0x40 != 0)
    #expect(Array(driver.readMemory(0, 32).prefix(4)) == [0x52, 0x52, 0x54, 0x54])
    driver.write(0x0E, 0x48)
    driver.startRemote(0, 4, command: 0x0A)
    #expect((0..<4).map { _ in driver.read(0x10) } == [0x52, 0x52, 0x54, 0x54])
    #expect(driver.read(0x10) == 0)
    // It is read only, and there is a hole behind it.
    driver.write(0x0E, 0x49)
    driver.writeMemory(0, [1, 2, 3, 4])
    #expect(driver.readMemory(0, 2) == [0x52, 0x52])
    #expect(driver.readMemory(0x3FFE, 2) == [0xFF, 0xFF])
  }

  @Test func remoteDMA() {
    driver.setUp()
    let bytes = (0..<0x8000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    // Out of the ring, as the channel goes round it.
    driver.write(0, 0x21)
    driver.write(0x02, 0xFF)
    driver.write(0x01, 0xFE)
    driver.writeMemory(0x4000, bytes)
    #expect(driver.readMemory(0x4000, 0x8000) == bytes)
    // Round the ring.
    driver.write(0x01, 0x4C)
    driver.write(0x02, 0x80)
    #expect(driver.readMemory(0x7FFC, 8) == Array(bytes[0x3FFC..<0x4000]) + Array(bytes[0xC00..<0xC04]))
    // The address shows where it is.
    driver.startRemote(0x4100, 8, command: 0x0A)
    _ = driver.board.inl(NE2000Driver.base + 0x10)
    #expect(driver.read(0x08) == 0x04 && driver.read(0x09) == 0x41)
    #expect(driver.read(0x07) & 0x40 == 0)
    // In the wrong direction nothing moves.
    driver.board.outl(NE2000Driver.base + 0x10, 0)
    #expect(driver.read(0x08) == 0x04)
    _ = driver.board.inl(NE2000Driver.base + 0x10)
    #expect(driver.read(0x07) & 0x40 != 0)
  }

  /// An engine may queue what is written to the data port, whose last byte calls the driver if it wants that.
  @Test func dataThatComesLate() {
    driver.card.deliverLateWrites = {}
    driver.board.clock.advance(by: 1_000_000_000)
    #expect(driver.board.clock.nextDeadline == nil)
    driver.write(0x0E, 0x49)
    driver.write(0x0F, 0x40)
    driver.startRemote(0x4000, 4, command: 0x12)
    driver.board.outw(NE2000Driver.base + 0x10, 0x1111)
    #expect(driver.board.clock.nextDeadline == driver.board.clock.now + 1_000_000)
    driver.board.clock.advance(by: 10_000_000)
    // It looks less and less often.
    #expect(driver.board.clock.nextDeadline == driver.board.clock.now + 5_000_000)
    driver.board.outw(NE2000Driver.base + 0x10, 0x2222)
    #expect(driver.isInterrupted)
    driver.board.clock.advance(by: 5_000_000)
    #expect(driver.board.clock.nextDeadline == nil)
    // Nobody is waited for who does not want to be called.
    driver.write(0x0F, 0x3F)
    driver.startRemote(0x4000, 4, command: 0x12)
    #expect(driver.board.clock.nextDeadline == nil)
  }

  @Test func pages() {
    driver.setUp(rcr: 0x1F)
    driver.setGroups([0, 9, 63])
    driver.write(0, 0x62)
    #expect((1...6).map { driver.read($0) } == SampleFrame.own.bytes)
    #expect((8...15).map { driver.read($0) } == [1, 2, 0, 0, 0, 0, 0, 0x80])
    driver.write(0, 0xA2)
    #expect(
      [0x01, 0x02, 0x04, 0x0C, 0x0E, 0x0F].map { driver.read($0) } == [0x4C, 0x80, 0x40, 0x1F, 0x49, 0x3F])
    driver.write(0, 0xE2)
    #expect(driver.read(3) == 0 && driver.read(5) == 0x40 && driver.read(6) == 0x40)
  }

  @Test func sends() {
    driver.setUp()
    let frame = SampleFrame.make(to: SampleFrame.other, count: 1514)
    driver.send(frame)
    #expect(driver.cable.sent == [frame] && driver.cable.batches == 1)
    #expect(driver.read(0x04) == 1 && driver.read(0x00) & 4 == 0)
    #expect(driver.read(0x07) == 0x02 && driver.isInterrupted)
    driver.write(0x07, 0x02)
    #expect(!driver.isInterrupted)
  }

  @Test func waitsForThePort() {
    driver.setUp()
    driver.cable.room = 0
    driver.send(SampleFrame.make())
    #expect(driver.read(0x00) & 4 != 0 && driver.read(0x07) == 0 && !driver.isInterrupted)
    driver.cable.room = nil
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == [SampleFrame.make()])
    #expect(driver.read(0x00) & 4 == 0 && driver.isInterrupted)
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent.count == 1)
  }

  @Test func loopbackStaysInside() {
    driver.setUp()
    driver.write(0x0D, 0x02)
    driver.send(SampleFrame.make())
    driver.cable.deliver(SampleFrame.make())
    #expect(driver.cable.sent.isEmpty && driver.read(0x07) == 0x02 && driver.takeFrame() == nil)
  }

  @Test func sendsFromAnywhereSafely() {
    driver.setUp()
    for (page, count) in [(0x00, 100), (0xBF, 257), (0xC0, 64), (0xFF, 0xFFFF), (0x40, 13), (0x40, 0x8001)] {
      driver.write(0x04, UInt8(page))
      driver.write(0x05, UInt8(count & 0xFF))
      driver.write(0x06, UInt8(count >> 8))
      driver.write(0x00, 0x26)
      #expect(driver.read(0x07) == 0x02)
      driver.write(0x07, 0x02)
    }
    #expect(driver.cable.sent.isEmpty)
    driver.write(0x04, 0xBF)
    driver.write(0x05, 0)
    driver.write(0x06, 1)
    driver.write(0x00, 0x26)
    #expect(driver.cable.sent.map(\.count) == [256])
  }

  @Test func receives() {
    driver.setUp()
    let frame = SampleFrame.make(count: 1514)
    driver.cable.deliver(frame)
    #expect(driver.isInterrupted && driver.read(0x07) == 0x01 && driver.read(0x0C) == 0x01)
    #expect(driver.readPage1(7) == 0x4D + 6)
    #expect(driver.takeFrame() == .init(status: 1, bytes: SampleFrame.onCable(frame)))
    // A short one is padded.
    driver.cable.deliver(SampleFrame.make(to: .broadcast, count: 42))
    #expect(
      driver.takeFrame()
        == .init(status: 0x21, bytes: SampleFrame.onCable(SampleFrame.make(to: .broadcast, count: 42))))
    #expect(driver.takeFrame() == nil)
  }

  @Test func filters() {
    driver.setUp()
    let frames = [SampleFrame.own, .broadcast, SampleFrame.group, SampleFrame.other].map {
      SampleFrame.make(to: $0)
    }
    func accepted() -> [Bool] {
      frames.map { frame in
        driver.cable.deliver(frame)
        return driver.takeFrame() != nil
      }
    }
    #expect(accepted() == [true, true, false, false])
    driver.write(0x0C, 0)
    #expect(accepted() == [true, false, false, false])
    driver.write(0x0C, 0x08)
    #expect(accepted() == [true, false, false, false])
    driver.setGroups([SampleFrame.groupBit(SampleFrame.group)])
    #expect(accepted() == [true, false, true, false])
    #expect(driver.card.receiveFilter.multicast == .normal)
    driver.setGroups(Set(0..<64).subtracting([SampleFrame.groupBit(SampleFrame.group)]))
    #expect(accepted() == [true, false, false, false])
    driver.write(0x0C, 0x10)
    #expect(accepted() == [true, false, false, true])
    driver.setGroups(Set(0..<64))
    driver.write(0x0C, 0x1C)
    #expect(accepted() == [true, true, true, true])
    #expect(driver.card.receiveFilter.isPromiscuous)
    // Monitoring counts only.
    driver.write(0x0C, 0x3C)
    #expect(accepted() == [false, false, false, false])
    #expect(driver.read(0x0F) == 4 && driver.read(0x0F) == 0)
    #expect(driver.cable.filterChanges > 0)
  }

  @Test func countsOverflowTheirInterrupt() {
    driver.setUp(rcr: 0x24)
    for _ in 0..<127 { driver.cable.deliver(SampleFrame.make()) }
    #expect(driver.read(0x07) == 0)
    for _ in 0..<200 { driver.cable.deliver(SampleFrame.make()) }
    #expect(driver.read(0x07) == 0x20 && driver.read(0x0F) == 0xC0)
  }

  @Test func waitsForRoom() {
    driver.setUp()
    let frames = (0..<20).map { SampleFrame.make(count: 1514, seed: UInt8($0)) }
    for frame in frames { driver.cable.deliver(frame) }
    // 51 of 52 pages, six for each, and one stays free.
    #expect(driver.cable.waiting.count == 12)
    var taken: [[UInt8]] = []
    while let frame = driver.takeFrame() { taken.append(frame.bytes) }
    #expect(taken == frames.map(SampleFrame.onCable))
    #expect(driver.cable.waiting.isEmpty)
  }

  @Test func driverThatStopsBetweenFramesIsCalledAgain() {
    driver.setUp()
    let frames = (0..<30).map { SampleFrame.make(count: 1514, seed: UInt8($0)) }
    for frame in frames { driver.cable.deliver(frame) }
    // Linux's takes nine at a time, acknowledges, and returns from its interrupt.
    var taken: [[UInt8]] = []
    var calls = 0
    while driver.isInterrupted, calls < 100 {
      calls += 1
      for _ in 0..<9 { if let frame = driver.takeFrame() { taken.append(frame.bytes) } }
      driver.write(0x07, 0x3F)
    }
    // The last ones are in the ring, and would be seen with the next frame.
    while let frame = driver.takeFrame() { taken.append(frame.bytes) }
    #expect(taken == frames.map(SampleFrame.onCable))
    #expect(calls >= 3)
    // One that takes nothing is called once, not for ever.
    for frame in frames { driver.cable.deliver(frame) }
    driver.write(0x07, 0x3F)
    #expect(driver.isInterrupted)
    driver.write(0x07, 0x3F)
    #expect(!driver.isInterrupted)
  }

  @Test func frameTooLongForTheRing() {
    driver.setUp()
    driver.cable.deliver(SampleFrame.make(count: 20000))
    driver.cable.deliver(SampleFrame.make())
    #expect(driver.takeFrame()?.bytes.count == 104)
    // A ring without pages, or turned about, takes nothing.
    for stop in [0x4C, 0x4D, 0x10] as [UInt8] {
      driver.write(0x02, stop)
      driver.cable.deliver(SampleFrame.make())
      #expect(driver.cable.waiting.isEmpty)
    }
  }

  @Test func stopped() {
    driver.setUp()
    driver.write(0, 0x21)
    #expect(driver.read(0x07) & 0x80 != 0)
    driver.cable.deliver(SampleFrame.make())
    driver.write(0, 0x22)
    #expect(driver.read(0x07) == 0 && driver.takeFrame() == nil && driver.cable.waiting.isEmpty)
  }

  @Test func paused() {
    driver.setUp()
    driver.card.pause()
    driver.cable.deliver(SampleFrame.make())
    #expect(driver.cable.waiting.count == 1)
    driver.card.run()
    #expect(driver.cable.waiting.isEmpty && driver.takeFrame() != nil)
  }

  @Test func reset() {
    driver.setUp()
    driver.cable.deliver(SampleFrame.make())
    driver.card.reset()
    #expect(!driver.isInterrupted)
    #expect(driver.board.readConfiguration(NE2000Driver.place, 0x04) & 7 == 0)
    driver.board.writeConfiguration(NE2000Driver.place, 0x10, UInt32(NE2000Driver.base))
    driver.board.writeConfiguration(NE2000Driver.place, 0x04, 0x1)
    #expect(driver.read(0) == 0x21 && driver.read(7) == 0x80)
    driver.setUp()
    driver.cable.deliver(SampleFrame.make())
    #expect(driver.takeFrame() != nil)
  }

  /// A card saved while a frame waits for the port, with another in the ring and a remote read under way.
  @Test func stateMovesOver() throws {
    driver.setUp()
    driver.cable.deliver(SampleFrame.make(seed: 3))
    driver.cable.room = 0
    driver.send(SampleFrame.make(seed: 9))
    driver.startRemote(0x4000, 100, command: 0x0E)
    _ = driver.board.inw(NE2000Driver.base + 0x10)
    let other = try NE2000Driver()
    driver.card.pause()
    other.card.pause()
    try transplant(from: driver.card, to: other.card)
    #expect(other.card.save() == driver.card.save())
    #expect(other.isInterrupted)
    other.card.run()
    #expect(other.cable.sent == [SampleFrame.make(seed: 9)])
    let rest = (0..<49).flatMap { _ -> [UInt8] in
      let word = other.board.inw(NE2000Driver.base + 0x10)
      return [UInt8(word & 0xFF), UInt8(word >> 8)]
    }
    #expect(rest == Array(SampleFrame.make(seed: 9)[2...]))
    #expect(other.read(7) == 0x43)
    var bad = driver.card.save()
    bad.chip.ram.removeLast()
    #expect(throws: RestoreError.self) { try other.card.restore(bad) }
  }

  @Test func allocatesNothing() throws {
    let port = SilentPort()
    let driver = try NE2000Driver(port: port)
    driver.setUp()
    driver.load(SampleFrame.make(count: 1514))
    let incoming = SampleFrame.make(count: 1514)
    func frames() {
      for _ in 0..<1000 {
        driver.write(0x00, 0x26)
        incoming.withUnsafeBytes { _ = driver.card.receive($0) }
        // All of the ring is free again.
        driver.write(0x00, 0x62)
        let current = driver.read(7)
        driver.write(0x00, 0x22)
        driver.write(0x03, current == NE2000Driver.firstPage ? NE2000Driver.lastPage - 1 : current - 1)
        for _ in 0..<8 { _ = driver.board.inl(NE2000Driver.base + 0x10) }
        driver.write(0x07, 0xFF)
      }
    }
    frames()
    port.count = 0
    #expect(countingAllocations(frames) == 0)
    #expect(port.count == 1000)
  }

  @Test(arguments: [1, 0x8390, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    driver.cable.room = 20
    let incoming = (0..<4).map { SampleFrame.make(to: .broadcast, count: [20, 60, 700, 1514][$0]) }
    for round in 0..<6000 {
      if round % 500 == 0 { driver.setUp(rcr: 0x1F) }
      let value = UInt32(truncatingIfNeeded: random.next())
      let register = UInt16.random(in: 0..<0x22, using: &random)
      switch UInt8.random(in: 0..<12, using: &random) {
      case 0: driver.write(0, UInt8(truncatingIfNeeded: value) & 0xFE | 2)
      case 1...3: driver.write(register & 15, UInt8(truncatingIfNeeded: value))
      case 4: driver.board.outl(NE2000Driver.base + register, value)
      case 5: driver.board.outw(NE2000Driver.base + register, UInt16(truncatingIfNeeded: value))
      case 6: _ = driver.board.inl(NE2000Driver.base + register)
      case 7: _ = driver.read(register)
      case 8...9: driver.cable.deliver(incoming[Int(value & 3)])
      case 10: driver.write(0, 0x26)
      default:
        if value & 15 == 0 {
          driver.cable.isLinkUp.toggle()
          driver.cable.room = Int(value >> 4 & 31)
          driver.card.packetPortBecameReady()
        } else if value & 255 == 1 {
          let state = driver.card.save()
          try driver.card.restore(roundTrip(state))
        }
      }
      if driver.cable.waiting.count > 100 || driver.cable.sent.count > 200 {
        driver.cable.clear()
        driver.write(0, 0x21)
        driver.card.run()
      }
    }
    print("seed \(seed)")
  }
}
