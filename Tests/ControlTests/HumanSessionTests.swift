// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Machine
import TestSupport
import Testing

@testable import Control

/// A terminal that takes so many bytes.
private final class Terminal: CharacterPort {
  var receiver: (any CharacterReceiver)?
  var shown: [UInt8] = []
  var room = Int.max
  var isReady = 0

  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(bytes.count, room)
    shown += bytes.prefix(count)
    if room != Int.max { room -= count }
    return count
  }
  func receiverBecameReady() { isReady += 1 }

  /// What was shown since it was last looked at.
  func look() -> String {
    defer { shown = [] }
    return String(decoding: shown, as: UTF8.self)
  }
}

private final class Conversation {
  let machine: Machine
  let terminal = Terminal()
  let session: HumanSession

  init() throws {
    var configuration = MachineConfiguration()
    configuration.accelerators = [.soft]
    configuration.memoryByteCount = 16 << 20
    configuration.vnc = "none"
    machine = try Machine(configuration, log: try Log(file: nil))
    session = HumanSession(port: terminal, machine: machine)
    machine.lock.withLock { session.characterPortOpened() }
  }

  @discardableResult func type(_ text: String) -> Int {
    machine.lock.withLock { Array(text.utf8).withUnsafeBytes { session.receive($0) } }
  }
}

@Suite struct HumanSessionTests {
  @Test func aPersonIsGreetedAndAnswered() throws {
    let person = try Conversation()
    #expect(
      person.terminal.look()
        == "Martlet \(MachineConfiguration.version) monitor - type 'help' for more information\r\n(qemu) ")
    person.type("info status\n")
    #expect(person.terminal.look() == "info status\r\nVM status: paused (prelaunch)\r\n(qemu) ")
    person.type("p 1\r\np 2\r\n")
    #expect(person.terminal.look() == "p 1\r\n0x1\r\n(qemu) p 2\r\n0x2\r\n(qemu) ")
    person.type("\u{1B}[A\r")
    #expect(person.terminal.look() == "p 2\u{1B}[K\r\n0x2\r\n(qemu) ")
    person.type("info history\r")
    #expect(person.terminal.look().contains("1: 'p 1'\r\n2: 'p 2'\r\n"))
    person.type("cpu 9\rquit\r")
    #expect(person.terminal.look().hasSuffix("(qemu) quit\r\n"))
    // What is typed after the end is not done.
    person.type("info status\r")
    #expect(person.terminal.look() == "")
  }

  @Test func tabCompletes() throws {
    let person = try Conversation()
    _ = person.terminal.look()
    person.type("inf\tsta\t")
    #expect(person.terminal.look() == "info status ")
    person.type("\r")
    #expect(person.terminal.look().contains("VM status"))
    person.type("system_\t")
    let shown = person.terminal.look()
    #expect(shown.contains("system_powerdown  system_reset"))
    #expect(shown.hasSuffix("\r\n(qemu) system_"))
  }

  @Test func aPasswordIsAskedFor() throws {
    let person = try Conversation()
    _ = person.terminal.look()
    person.type("change vnc password\r")
    #expect(person.terminal.look().hasSuffix("\r\nPassword: "))
    person.type("topsecret\r")
    #expect(person.terminal.look() == "\r\nError: there is no VNC server\r\n(qemu) ")
    person.type("\u{1B}[A")
    #expect(person.terminal.look() == "change vnc password\u{1B}[K")
  }

  @Test func whoDoesNotReadIsNotHeard() throws {
    let person = try Conversation()
    _ = person.terminal.look()
    person.terminal.room = 0
    let line = "x /1000000xb 0\r"
    #expect(person.type(line) == line.utf8.count)
    #expect(person.type("quit\r") == 0)
    person.terminal.room = Int.max
    person.machine.lock.withLock { person.session.characterPortBecameWritable() }
    #expect(person.terminal.isReady == 1)
    #expect(person.terminal.look().hasSuffix("... the answer is cut off after 1048576 bytes\r\n(qemu) "))
    #expect(person.type("p 3\r") == 4)
    #expect(person.terminal.look() == "p 3\r\n0x3\r\n(qemu) ")
  }

  @Test func theNextPersonKnowsNothingOfTheFirst() throws {
    let person = try Conversation()
    person.type("p 5\rhalf a line")
    person.machine.lock.withLock { person.session.characterPortClosed() }
    #expect(person.type("p 6\r") == 4)
    _ = person.terminal.look()
    person.machine.lock.withLock { person.session.characterPortOpened() }
    person.type("\u{1B}[A\rp 7\r")
    #expect(person.terminal.look().hasSuffix("information\r\n(qemu) \r\n(qemu) p 7\r\n0x7\r\n(qemu) "))
  }

  @Test func anyBytesAreBorne() throws {
    let person = try Conversation()
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      // A line with nothing but "q" would end the conversation.
      let bytes = (0..<100).map { _ in UInt8.random(in: 0...255, using: &generator) }.map {
        $0 == UInt8(ascii: "q") ? UInt8(ascii: "r") : $0
      }
      person.machine.lock.withLock { _ = bytes.withUnsafeBytes { person.session.receive($0) } }
      person.terminal.shown = []
    }
    // The letters end what may be half a sequence.
    person.type("zz\u{3}p 8\r")
    #expect(person.terminal.look().hasSuffix("p 8\r\n0x8\r\n(qemu) "))
  }
}
