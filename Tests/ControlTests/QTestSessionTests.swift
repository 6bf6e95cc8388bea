// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import TestSupport
import Testing
import TextEncoding

@testable import Control

@Suite struct QTestSessionTests {
  let client = QTestClient()
  let board: QTestBoard
  let session: QTestSession

  init() throws {
    board = try QTestBoard()
    session = QTestSession(port: client, target: board, log: nil)
    session.characterPortOpened()
  }

  // MARK: Accesses

  @Test func portsAreReadAndWrittenInTheirWidths() {
    #expect(client.ask("outb 0x80 0x12") == ["OK"])
    #expect(client.ask("inb 128") == ["OK 0x0012"])
    #expect(client.ask("outl 0200 0xdeadbeef") == ["OK"])
    #expect(client.ask("inl 0x80") == ["OK 0xdeadbeef"])
    #expect(client.ask("outw 0x82 65535") == ["OK"])
    #expect(client.ask("inw 0x82") == ["OK 0xffff"])
    #expect(board.portWidths == [1, 1, 4, 4, 2, 2])
    #expect(client.ask("inb 0x10000") == ["FAIL there is no port above 0xffff"])
    #expect(client.ask("outb 0x10000 0") == ["FAIL there is no port above 0xffff"])
  }

  @Test func memoryIsReadAndWrittenInAllWidths() {
    #expect(client.ask("writeq 0x100 0x1122334455667788") == ["OK"])
    #expect(client.ask("readq 0x100") == ["OK 0x1122334455667788"])
    #expect(client.ask("readl 0x100") == ["OK 0x0000000055667788"])
    #expect(client.ask("readw 0x104") == ["OK 0x0000000000003344"])
    #expect(client.ask("readb 0x107") == ["OK 0x0000000000000011"])
    #expect(client.ask("writel 0x100 1") == ["OK"])
    #expect(client.ask("writew 0x104 -1") == ["OK"])
    #expect(client.ask("writeb 0x107 0x2ff") == ["OK"])
    #expect(client.ask("readq 0x100") == ["OK 0xff22ffff00000001"])
    #expect(client.ask("readb 0xffffffffffffffff") == ["OK 0x00000000000000ff"])
  }

  @Test func blocksAreReadAndWritten() {
    #expect(client.ask("write 0x10 4 0x01aBcD") == ["OK"])
    #expect(client.ask("read 0x10 4") == ["OK 0x01abcd00"])
    #expect(client.ask("b64read 0x10 4") == ["OK AavNAA=="])
    #expect(client.ask("b64write 0x20 5 SGVsbG8=") == ["OK"])
    #expect(client.ask("read 0x20 6") == ["OK 0x48656c6c6f00"])
    #expect(client.ask("b64read 0x20 5") == ["OK SGVsbG8="])
    // Of more data than the size says, the first are taken; fewer leave the rest as it was.
    #expect(client.ask("b64write 0x20 2 QUJDREU=") == ["OK"])
    #expect(client.ask("read 0x20 5") == ["OK 0x41426c6c6f"])
    #expect(client.ask("memset 0x20 3 0x7e") == ["OK"])
    #expect(client.ask("read 0x20 4") == ["OK 0x7e7e7e6c"])
    #expect(client.ask("memset 0x20 0 0") == ["OK"])
    #expect(client.ask("read 0x20 1") == ["OK 0x7e"])
  }

  @Test func blocksHaveALimit() {
    let limit = QTestInterpreter.blockLimit
    for command in ["read 0", "b64read 0"] {
      #expect(client.ask("\(command) \(limit + 1)") == ["FAIL a block has \(limit) bytes at most"])
      #expect(client.ask("\(command) 0xffffffffffffffff") == ["FAIL a block has \(limit) bytes at most"])
    }
    #expect(client.ask("memset 0 \(limit + 1) 0") == ["FAIL a block has \(limit) bytes at most"])
    #expect(client.ask("write 0 \(limit + 1) 0x00") == ["FAIL a block has \(limit) bytes at most"])
    #expect(client.ask("read 0 0") == ["FAIL there is nothing to read"])
    #expect(client.ask("write 0 1 0x") == ["ERR invalid argument size"])
    #expect(client.ask("write 0 1 0xzz") == ["FAIL the data are not hexadecimal digits after 0x"])
    #expect(client.ask("write 0 1 1234") == ["FAIL the data are not hexadecimal digits after 0x"])
    #expect(client.ask("b64write 0 1 AA") == ["ERR invalid argument size"])
  }

  @Test(arguments: 0..<10)
  func base64IsReversible(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 191) }
    var text: [UInt8] = []
    Base64Text.append(bytes, to: &text)
    #expect(text.count == (count + 2) / 3 * 4)
    #expect(Base64Text.bytes(text[...], count: count) == bytes)
  }

  // MARK: Time

  @Test func timeIsSteppedToDeadlinesAndMoments() {
    var fired: [UInt64] = []
    let timer = board.board.clock.makeTimer { fired.append(board.board.clock.now) }
    #expect(client.ask("clock_step") == ["OK 0"])
    timer.arm(at: 500)
    #expect(client.ask("clock_step 100") == ["OK 100"])
    #expect(client.ask("clock_step") == ["OK 500"])
    #expect(fired == [500])
    timer.arm(at: 700)
    #expect(client.ask("clock_set 1000") == ["OK 1000"])
    #expect(fired == [500, 700])
    #expect(client.ask("clock_set 10") == ["OK 1000"])
    #expect(client.ask("clock_step -5") == ["OK 1000"])
    #expect(client.ask("clock_step 9223372036854775807") == ["OK 9223372036854775807"])
  }

  /// A device that wants to be called every nanosecond does not keep the machine busy for ever.
  @Test func stepsAreBounded() {
    var timer: SteppedTimer?
    timer = SteppedTimer(board.board.clock)
    timer?.arm()
    #expect(
      client.ask("clock_step 1000000000")
        == ["FAIL too many timers were due on the way; the clock stands at 1000"])
    timer = nil
  }

  @Test func timeOfARunningMachineIsNotStepped() {
    board.isTimeStepped = false
    #expect(client.ask("clock_step 1") == ["FAIL Unknown command 'clock_step'"])
    #expect(client.ask("clock_set 1") == ["FAIL Unknown command 'clock_set'"])
  }

  // MARK: Interrupt lines

  @Test func interceptedLinesAreTold() {
    board.moveLine(8, true)
    board.moveLine(8, false)
    #expect(client.ask("irq_intercept_in ioapic") == ["OK"])
    board.moveLine(8, true)
    board.moveLine(8, true)
    board.moveLine(23, true)
    board.moveLine(8, false)
    // It was low already as far as the client knows.
    board.moveLine(5, false)
    #expect(client.takeLines() == ["IRQ raise 8", "IRQ raise 23", "IRQ lower 8"])
    #expect(client.ask("irq_intercept_in /machine/i440fx/ioapic") == ["OK"])
    #expect(client.ask("irq_intercept_in i8259") == ["FAIL IRQ intercept already enabled"])
    #expect(client.ask("irq_intercept_in /machine/nothing") == ["FAIL Unknown device"])
    #expect(client.ask("irq_intercept_in") == ["FAIL 'irq_intercept_in' needs 1 argument at least"])
  }

  @Test func the8259sHaveSixteenInputs() {
    #expect(client.ask("irq_intercept_out ioapic") == ["OK"])
    #expect(client.ask("irq_intercept_in i8259") == ["OK"])
    board.moveLine(15, true)
    board.moveLine(16, true)
    #expect(client.takeLines() == ["IRQ raise 15"])
  }

  @Test func inputsAreSet() {
    #expect(client.ask("set_irq_in ioapic unnamed-gpio-in 4 1") == ["OK"])
    #expect(client.ask("set_irq_in i8259 unnamed-gpio-in 15 0") == ["OK"])
    #expect(board.inputs == ["ioapic 4 true", "pic 15 false"])
    #expect(client.ask("set_irq_in i8259 unnamed-gpio-in 16 1") == ["FAIL there is no such input"])
    #expect(client.ask("set_irq_in ioapic other 1 1") == ["FAIL there are no inputs of that name"])
    #expect(client.ask("set_irq_in serial unnamed-gpio-in 1 1") == ["FAIL Unknown device"])
    board.hasOwnInterruptChips = false
    #expect(client.ask("set_irq_in ioapic unnamed-gpio-in 4 1") == ["FAIL Unknown device"])
  }

  // MARK: Lines

  @Test func otherCommandsAreAnswered() {
    #expect(client.ask("endianness") == ["OK little"])
    #expect(client.ask("module_load a b") == ["FAIL"])
    #expect(client.ask("rtas get-time-of-day 0 0 0 0") == ["FAIL Unknown command 'rtas'"])
    #expect(client.ask("") == ["FAIL Unknown command ''"])
    #expect(client.ask("inb") == ["FAIL 'inb' needs 1 argument at least"])
    #expect(client.ask("outb 1") == ["FAIL 'outb' needs 2 arguments at least"])
    #expect(client.ask("inb x") == ["FAIL 'x' is not a number"])
    #expect(client.ask("inb 0x") == ["FAIL '0x' is not a number"])
    #expect(client.ask("inb 09") == ["FAIL '09' is not a number"])
    #expect(client.ask("readb 0x10000000000000000") == ["FAIL '0x10000000000000000' is not a number"])
  }

  @Test func linesComeInPieces() {
    client.say("endi")
    #expect(client.takeLines() == [])
    client.say("anness\r\ninb 0x8")
    #expect(client.takeLines() == ["OK little"])
    client.say("0\nendianness\nendianness\n")
    #expect(client.takeLines() == ["OK 0x00ff", "OK little", "OK little"])
  }

  @Test func longLinesAreForgotten() {
    let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
    for _ in 0..<40 { #expect(client.say(piece) == piece.count) }
    #expect(client.takeLines() == [])
    #expect(client.ask("") == ["FAIL a line has \(QTestSession.lineLimit) bytes at most"])
    #expect(client.ask("endianness") == ["OK little"])
  }

  /// A client that asks and never reads is not heard any more, until it reads.
  @Test func clientsThatDoNotReadAreNotHeard() {
    client.room = 0
    var said = 0
    let line = "read 0 65536\n"
    while said < 100, client.say(line) == line.utf8.count { said += 1 }
    #expect(said < 20)
    client.room = .max
    session.characterPortBecameWritable()
    #expect(client.wasReady == 1)
    #expect(client.takeLines().count == said)
    #expect(client.ask("endianness") == ["OK little"])
  }

  @Test func changesNobodyReadsAreLostInTheEnd() {
    let session = QTestSession(port: client, target: board, log: nil, changeLimit: 1 << 12)
    session.characterPortOpened()
    #expect(client.ask("irq_intercept_in ioapic") == ["OK"])
    client.room = 0
    for _ in 0..<2000 {
      board.moveLine(1, true)
      board.moveLine(1, false)
    }
    client.room = .max
    session.characterPortBecameWritable()
    #expect(client.takeLines().count < 500)
  }

  @Test func aNewClientStartsAnew() {
    #expect(client.ask("irq_intercept_in ioapic") == ["OK"])
    board.moveLine(3, true)
    client.say("half a li")
    session.characterPortClosed()
    board.moveLine(4, true)
    _ = client.takeLines()
    session.characterPortOpened()
    #expect(client.ask("endianness") == ["OK little"])
    // The levels count from low again, as in QEMU.
    board.moveLine(3, false)
    board.moveLine(4, false)
    board.moveLine(4, true)
    #expect(client.takeLines() == ["IRQ raise 4"])
  }

  // MARK: Fuzz

  @Test(arguments: [1, 2, 3] as [UInt64])
  func nonsenseIsAnswered(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let words = [
      "outb", "outw", "outl", "inb", "inw", "inl", "writeb", "writew", "writel", "writeq", "readb", "readw",
      "readl", "readq", "read", "write", "b64read", "b64write", "memset", "irq_intercept_in",
      "irq_intercept_out", "set_irq_in", "clock_step", "clock_set", "module_load", "endianness", "rtas",
      "ioapic",
      "i8259", "unnamed-gpio-in", "0", "1", "-1", "0x", "0xffffffffffffffff", "18446744073709551615",
      "9223372036854775808", "65536", "077", "0x1234", "4096", "QUJD", "====", "\u{0}", "é", "", " ",
    ]
    let device = SteppedTimer(board.board.clock)
    device.arm()
    for _ in 0..<1500 {
      var line = words.randomElement(using: &random) ?? ""
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        line += " " + (words.randomElement(using: &random) ?? "")
      }
      var bytes = Array(line.utf8)
      if Bool.random(using: &random), !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        bytes[index] = UInt8.random(in: 0...255, using: &random)
      }
      let count = bytes.filter { $0 == 0x0A }.count + 1
      bytes.append(0x0A)
      client.say(bytes)
      let answers = client.takeLines().filter { !$0.hasPrefix("IRQ ") }
      #expect(answers.count == count, "seed \(seed): \(line)")
      #expect(answers.allSatisfy { $0.hasPrefix("OK") || $0.hasPrefix("FAIL") || $0.hasPrefix("ERR") })
    }
    #expect(client.ask("endianness") == ["OK little"])
  }
}

/// A device that wants to be called every nanosecond.
private final class SteppedTimer {
  private let clock: SteppedClock
  private var timer: Clock.Timer?

  init(_ clock: SteppedClock) { self.clock = clock }

  func arm() {
    timer = clock.makeTimer { [unowned self] in timer?.arm(at: clock.now &+ 1) }
    timer?.arm(at: clock.now &+ 1)
  }
}
