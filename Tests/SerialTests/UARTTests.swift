// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Serial

@Suite struct UARTTests {
  let driver: UARTDriver
  init() throws { driver = try UARTDriver() }

  /// Ten bits at 115,200 baud.
  private let characterTime: UInt64 = 10_000_000_000 / 115_200

  @Test func resetValues() {
    #expect((0...7).map { driver.read($0) } == [0, 0, 0x01, 0, 0, 0x60, 0xB0, 0])
  }

  @Test func registersKeepWhatIsWritten() {
    driver.write(3, 0x9B)
    driver.write(0, 0x34)
    driver.write(1, 0x12)
    #expect([driver.read(0), driver.read(1), driver.read(3)] == [0x34, 0x12, 0x9B])
    driver.write(3, 0x1B)
    driver.write(1, 0xFF)
    #expect(driver.read(1) == 0x0F)
    driver.write(4, 0xEF)
    #expect(driver.read(4) == 0x0F)
    driver.write(7, 0xA5)
    #expect(driver.read(7) == 0xA5)
    // A word access reaches two registers.
    #expect(driver.board.inw(0x3FE) == 0xA5B0)
  }

  /// The way drivers tell a 16550A from its ancestors.
  @Test func isA16550A() {
    driver.write(2, 0x01)
    #expect(driver.read(2) == 0xC1)
    driver.write(2, 0xC0)
    #expect(driver.read(2) == 0x01)
  }

  @Test func transmits() {
    driver.setUp()
    for byte in [0x48, 0x69] as [UInt8] {
      #expect(driver.read(5) & 0x60 == 0x60)
      driver.write(0, byte)
    }
    #expect(driver.port.written == [0x48, 0x69])
    driver.write(3, 0x83)
    driver.write(0, 0x55)
    #expect(driver.port.written == [0x48, 0x69])
  }

  @Test func holdsBackWhileTheHostIsSlow() {
    driver.setUp(interrupts: 0x02)
    #expect(driver.read(2) == 0xC2)
    driver.port.room = 2
    for byte in UInt8(0)..<4 { driver.write(0, byte) }
    #expect(driver.port.written == [0, 1])
    #expect(driver.read(5) & 0x60 == 0)
    #expect(!driver.isInterrupting && driver.read(2) == 0xC1)
    driver.port.makeRoom(1)
    #expect(driver.read(5) & 0x60 == 0)
    let edges = driver.edges
    driver.port.makeRoom(10)
    #expect(driver.port.written == [0, 1, 2, 3])
    #expect(driver.read(5) & 0x60 == 0x60)
    #expect(driver.edges == edges + 1 && driver.read(2) == 0xC2)
  }

  @Test func aFullTransmitterLosesBytes() {
    driver.setUp()
    driver.port.room = 0
    for byte in UInt8(0)..<20 { driver.write(0, byte) }
    driver.port.makeRoom(100)
    #expect(driver.port.written == Array(0..<16))
    driver.write(2, 0)
    driver.port.room = 0
    for byte in UInt8(20)..<25 { driver.write(0, byte) }
    driver.port.makeRoom(100)
    #expect(driver.port.written == Array(0..<16) + [20])
  }

  @Test func clearingTheTransmitterForgetsWhatWaits() {
    driver.setUp()
    driver.port.room = 0
    driver.write(0, 1)
    driver.write(2, 0x05)
    #expect(driver.read(5) & 0x60 == 0x60)
    driver.port.makeRoom(100)
    #expect(driver.port.written == [])
  }

  @Test func transmitterInterruptIsAnEdgeForEachWrite() {
    driver.setUp()
    driver.write(1, 0x02)
    #expect(driver.isInterrupting && driver.edges == 1)
    #expect(driver.read(2) == 0xC2)
    // Reading the identification ends it.
    #expect(!driver.isInterrupting && driver.read(2) == 0xC1)
    driver.write(0, 0x41)
    #expect(driver.isInterrupting && driver.edges == 2)
    // A driver that does not look still gets the next one.
    driver.write(0, 0x42)
    #expect(driver.isInterrupting && driver.edges == 3)
    driver.write(1, 0)
    #expect(!driver.isInterrupting)
  }

  @Test func receives() {
    driver.setUp(fifo: 0, interrupts: 0x01)
    driver.port.send([0x41, 0x42, 0x43])
    #expect(driver.isInterrupting && driver.read(2) == 0x04)
    #expect(driver.port.waiting == [0x42, 0x43])
    #expect(driver.received() == [0x41, 0x42, 0x43])
    #expect(!driver.isInterrupting && driver.read(2) == 0x01)
    #expect(driver.edges == 3)
  }

  @Test func theHostIsOnlyToldOfRoomItWaitsFor() {
    driver.setUp()
    for _ in 0..<10 {
      driver.port.send([1])
      #expect(driver.received() == [1])
    }
    #expect(driver.port.readyCalls == 0)
    driver.port.send(Array(0..<20))
    #expect(driver.received() == Array(0..<20))
    #expect(driver.port.readyCalls == 1)
    driver.port.send(Array(0..<20))
    driver.uart.reset()
    #expect(driver.received() == [16, 17, 18, 19])
  }

  @Test(arguments: [(0x01, 1), (0x41, 4), (0x81, 8), (0xC1, 14)] as [(UInt8, Int)])
  func triggerLevels(_ fifo: UInt8, _ level: Int) {
    driver.setUp(fifo: fifo, interrupts: 0x01)
    for count in 1...level {
      driver.port.send([UInt8(count)])
      #expect(driver.isInterrupting == (count == level))
    }
    #expect(driver.read(2) == 0xC4)
    _ = driver.read(0)
    #expect(!driver.isInterrupting)
  }

  @Test func receiverTimesOutAfterFourCharacters() {
    driver.setUp(fifo: 0xC1, interrupts: 0x01)
    driver.port.send([1, 2])
    driver.board.clock.advance(by: 3 * characterTime)
    // A byte starts the time anew.
    driver.port.send([3])
    driver.board.clock.advance(by: 4 * characterTime - 10)
    #expect(!driver.isInterrupting)
    driver.board.clock.advance(by: 20)
    #expect(driver.isInterrupting && driver.read(2) == 0xCC)
    _ = driver.read(0)
    #expect(!driver.isInterrupting && driver.read(2) == 0xC1)
    driver.board.clock.advance(by: 5 * characterTime)
    #expect(driver.read(2) == 0xCC)
    #expect(driver.received() == [2, 3])
    driver.board.clock.advance(by: 100 * characterTime)
    #expect(!driver.isInterrupting && driver.board.clock.nextDeadline == nil)
  }

  @Test func theTimeFollowsTheBaudRate() {
    driver.setUp(fifo: 0xC1, interrupts: 0x01)
    driver.write(3, 0x83)
    driver.write(0, 12)
    driver.write(3, 0x03)
    driver.port.send([1])
    driver.board.clock.advance(by: 47 * characterTime)
    #expect(!driver.isInterrupting)
    driver.board.clock.advance(by: 2 * characterTime)
    #expect(driver.isInterrupting)
  }

  @Test func prioritiesOfInterrupts() {
    driver.setUp(interrupts: 0x0F)
    driver.write(4, 0x10)
    driver.write(4, 0x13)
    driver.port.receiver?.receiveBreak()
    #expect(driver.read(2) == 0xC6)
    #expect(driver.read(5) & 0x11 == 0x11)
    #expect(driver.read(5) & 0x10 == 0)
    #expect(driver.read(2) == 0xC4)
    _ = driver.read(0)
    #expect(driver.read(2) == 0xC2)
    #expect(driver.read(2) == 0xC0)
    #expect(driver.isInterrupting)
    _ = driver.read(6)
    #expect(driver.read(2) == 0xC1 && !driver.isInterrupting)
  }

  @Test func loopback() {
    driver.setUp(fifo: 0, interrupts: 0x01)
    driver.write(4, 0x10)
    driver.write(0, 0x5A)
    #expect(driver.port.written == [])
    #expect(driver.isInterrupting)
    driver.write(0, 0x5B)
    #expect(driver.read(5) & 0x03 == 0x03)
    #expect(driver.received() == [0x5B])
    // What comes from outside does not get in.
    driver.port.send([1])
    #expect(driver.received() == [])
    driver.setUp(fifo: 1)
    for byte in UInt8(0)..<17 { driver.write(0, byte) }
    #expect(driver.read(5) & 0x02 != 0)
    #expect(driver.received() == Array(0..<16))
  }

  @Test(arguments: [(0x01, 0x20), (0x02, 0x10), (0x04, 0x40), (0x08, 0x80)] as [(UInt8, UInt8)])
  func loopbackOfModemLines(_ output: UInt8, _ input: UInt8) {
    driver.write(4, 0x10)
    _ = driver.read(6)
    driver.write(4, 0x10 | output)
    // RI tells its trailing edge only.
    #expect(driver.read(6) == input | (input == 0x40 ? 0 : input >> 4))
    #expect(driver.read(6) == input)
    driver.write(4, 0x10)
    #expect(driver.read(6) == input >> 4)
    driver.write(4, 0)
    #expect(driver.read(6) & 0xF0 == 0xB0)
  }

  @Test func stateRoundTrip() throws {
    driver.setUp(fifo: 0xC1, interrupts: 0x03)
    driver.port.send([1, 2, 3])
    driver.port.room = 1
    for byte in UInt8(10)..<14 { driver.write(0, byte) }
    driver.write(7, 0x77)
    let other = try UARTDriver()
    other.port.room = 0
    try transplant(from: driver.uart, to: other.uart)
    #expect(other.uart.save() == driver.uart.save())
    driver.port.clear()
    for each in [driver, other] {
      #expect(each.read(5) == 0x01 && each.read(7) == 0x77)
      each.board.clock.advance(by: 5 * characterTime)
      #expect(each.isInterrupting && each.read(2) == 0xCC)
      each.port.makeRoom(100)
      #expect(each.port.written == [11, 12, 13])
      #expect(each.received() == [1, 2, 3])
      #expect(each.read(2) == 0xC2)
    }
  }

  @Test func restoringSendsWhatWaited() throws {
    driver.setUp()
    driver.port.room = 0
    driver.write(0, 9)
    let other = try UARTDriver()
    try transplant(from: driver.uart, to: other.uart)
    #expect(other.port.written == [9] && other.read(5) & 0x60 == 0x60)
  }

  @Test func refusesImpossibleStates() {
    var state = driver.uart.save()
    state.receiver = Array(repeating: 0, count: 17)
    #expect(throws: RestoreError.self) { try driver.uart.restore(state) }
  }

  @Test func transmittingAllocatesNothing() {
    // No interrupts: the recorder of this board allocates when it counts them.
    driver.setUp()
    driver.port.clear()
    let board = driver.board
    func accesses() {
      for byte in 0..<1000 {
        _ = board.inb(0x3FD)
        board.outb(0x3F8, UInt8(truncatingIfNeeded: byte))
      }
    }
    // The first round builds what the language runtime builds once.
    accesses()
    driver.port.clear()
    #expect(countingAllocations(accesses) == 0)
    #expect(driver.port.written.count == 1000)
  }

  /// Random accesses, input and a slow host.
  @Test(arguments: [7, 0xBADCAFE, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    driver.port.room = 0
    for round in 0..<20_000 {
      let value = UInt32(truncatingIfNeeded: random.next())
      let register = 0x3F8 + UInt16.random(in: 0...7, using: &random)
      switch UInt8.random(in: 0..<8, using: &random) {
      case 0...2: driver.board.outb(register, UInt8(truncatingIfNeeded: value))
      case 3...4: _ = driver.board.inb(register)
      case 5: driver.board.outl(register, value)
      case 6:
        driver.port.send([UInt8(truncatingIfNeeded: value)])
        if value & 0x1000 == 0 { driver.uart.receiveBreak() }
      default:
        driver.port.makeRoom(Int(value & 7))
        driver.board.clock.advance(by: UInt64(value))
      }
      if round % 1000 == 999 {
        let other = try UARTDriver()
        other.port.room = 0
        try transplant(from: driver.uart, to: other.uart)
        #expect(other.uart.save() == driver.uart.save(), "seed \(seed)")
      }
    }
  }
}
