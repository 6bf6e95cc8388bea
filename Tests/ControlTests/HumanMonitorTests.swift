// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Machine
import TestSupport
import Testing

@testable import Control

/// A machine that was switched on and does not run yet.
private func makeMachine() throws -> Machine {
  var configuration = MachineConfiguration()
  configuration.accelerators = [.soft]
  configuration.memoryByteCount = 16 << 20
  configuration.name = "guest"
  var drive = DriveConfiguration(file: nil)
  drive.media = .cdrom
  drive.position = .init(channel: 1, unit: 0)
  configuration.drives = [drive]
  return try Machine(configuration, log: try Log(file: nil))
}

/// What a monitor says to lines.
private final class Listener {
  let machine: Machine
  let interpreter: HumanInterpreter

  init() throws {
    machine = try makeMachine()
    interpreter = HumanInterpreter(machine: machine)
  }

  func answer(_ line: String) -> String { machine.lock.withLock { interpreter.run(line) } }
}

@Suite struct HumanMonitorTests {
  @Test func commandsAnswerAsQEMUDoes() throws {
    let monitor = try Listener()
    for (line, expected) in [
      ("", ""), ("   ", ""), ("info status", "VM status: paused (prelaunch)\r\n"), ("info name", "guest\r\n"),
      ("foo", "unknown command: 'foo'\r\n"), ("info foo", "unknown command: 'info foo'\r\n"),
      ("info uuid", "00000000-0000-0000-0000-000000000000\r\n"), ("info kvm", "kvm support: disabled\r\n"),
      ("info mem", "PG disabled\r\n"), ("info tlb", "PG disabled\r\n"),
      ("p 1+2*3", "0x7\r\n"), ("p/d -1", "-1\r\n"), ("print /u -1", "18446744073709551615\r\n"),
      ("p /o 8", "010\r\n"), ("p /c 65", "'A'\r\n"), ("p /x 0", "0\r\n"), ("p /x $pc", "0xfffffff0\r\n"),
      ("p 1/0", "division by zero\r\nTry \"help p\" for more information\r\n"),
      (
        "p 1 2",
        "print|p: extraneous characters at the end of line\r\nTry \"help p\" for more information\r\n"
      ),
      (
        "stop foo",
        "stop|s: extraneous characters at the end of line\r\nTry \"help stop\" for more information\r\n"
      ),
      ("x /2xw 0xfffffff0", "00000000fffffff0: 0x00e05bea 0x2f3630f0\r\n"),
      ("x/3xb 0xfffffff0", "00000000fffffff0: 0xea 0x5b 0xe0\r\n"),
      (
        "xp /9db 0xfffffff0", "00000000fffffff0: 234  91 224   0 240  48  54  47\r\n00000000fffffff8:  50\r\n"
      ),
      ("xp /1x 0xffffffffffff", "0000ffffffffffff: Cannot access memory\r\n"),
      ("cpu 3", "invalid CPU index\r\n"), ("sendkey foo", "invalid parameter: foo\r\n"),
      ("sendkey ctrl-", "invalid parameter: \r\n"), ("eject foo", "Error: Device 'foo' not found\r\n"),
      (
        "eject", "eject: block device name expected\r\nTry \"help eject\" for more information\r\n"
      ),
      (
        "eject -z foo",
        "eject: unsupported option -z\r\nTry \"help eject\" for more information\r\n"
      ),
      (
        "screendump", "screendump: filename expected\r\nTry \"help screendump\" for more information\r\n"
      ),
      ("change vnc password", "terminal does not support password prompting\r\n"),
      ("savevm a", "Error: no block device can store vmstate for snapshot\r\n"),
      ("info snapshots", "no block device can store vmstate for snapshot\r\n"),
      ("trace-event foo on", "unknown event \"foo\"\r\n"), ("log ide", ""), ("log none", ""),
      ("mouse_move 1 2", ""), ("mouse_button 1", ""), ("mouse_set 5", "Mouse at index '5' not found\r\n"),
      ("sendkey ctrl-alt-delete", ""), ("sendkey a 10", ""),
      ("quit", ""),
    ] { #expect(monitor.answer(line) == expected, "\(line)") }
    #expect(monitor.interpreter.hasQuit)
  }

  @Test func everythingThereIsTellsSomething() throws {
    let monitor = try Listener()
    let silent = ["migrate", "memory-devices", "history", "irq", "chardev"]
    for topic in HumanCommands.topics where !silent.contains(topic.name) {
      #expect(monitor.answer("info \(topic.name)").hasSuffix("\r\n"), "\(topic.name)")
    }
    #expect(monitor.answer("info pci").contains("VGA controller: PCI device 1234:1111\r\n"))
    #expect(monitor.answer("info mtree -f").contains("00000000fffc0000-00000000ffffffff (prio 0, rom): bios"))
    #expect(monitor.answer("info mtree").contains("0000000000000070-0000000000000073"))
    #expect(monitor.answer("info registers -a").contains("EIP=0000fff0 EFL=00000002 [-------] CPL=0"))
    #expect(monitor.answer("info block").contains("ide1-cd0: [not inserted]\r\n"))
    #expect(monitor.answer("info trace-events").contains("ide : state 0\r\n"))
    _ = monitor.answer("trace-event ide on")
    #expect(monitor.answer("info trace-events").contains("ide : state 1\r\n"))
    _ = monitor.answer("log none")
    #expect(monitor.answer("info pic").contains("pic0: irr=00"))
  }

  @Test func helpKnowsEveryCommand() throws {
    let monitor = try Listener()
    let all = monitor.answer("help")
    for command in HumanCommands.all {
      #expect(all.contains("\r\n\(command.fullName) ") || all.hasPrefix("\(command.fullName) "))
      #expect(monitor.answer("help \(command.name)").contains(" -- "))
    }
    #expect(monitor.answer("help info status") == "info status  -- whether the guest runs\r\n")
    #expect(monitor.answer("? foo") == "unknown command: 'foo'\r\n")
  }

  @Test func anAnswerHasAnEnd() throws {
    let monitor = try Listener()
    for line in ["x /1000000000xb 0", "xp /99999999999999999999g 0", "x /1000000000c 0"] {
      let answer = monitor.answer(line)
      #expect(answer.utf8.count < HumanOutput.limit * 9 / 8)
      #expect(answer.hasSuffix("... the answer is cut off after 1048576 bytes\r\n"), "\(line)")
    }
    #expect(monitor.answer(String(repeating: "x", count: 5000)) == "the line is too long\r\n")
  }

  @Test func filesAreWritten() throws {
    let monitor = try Listener()
    let directory = NSTemporaryDirectory() + "human-monitor-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(monitor.answer("screendump \"\(directory)/a b.ppm\"") == "")
    #expect(monitor.answer("screendump \(directory)/s.png -f png") == "")
    #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/a b.ppm")).starts(with: Data("P6".utf8)))
    #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/s.png"))[1...3] == Data("PNG".utf8))
    #expect(monitor.answer("pmemsave 0xfffffff0 16 \"\(directory)/m\"") == "")
    #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/m")).count == 16)
    #expect(monitor.answer("screendump \(directory)/x -f gif") == "Error: invalid parameter value: gif\r\n")
    #expect(monitor.answer("change ide1-cd0 /nonexistent").hasPrefix("Error: "))
    #expect(monitor.answer("change ide1-cd0 \(directory)/m").hasPrefix("Error: ") == false)
    #expect(monitor.answer("info block").contains("ide1-cd0 (#ide1-cd0): \(directory)/m (raw, read-only)"))
    #expect(monitor.answer("eject ide1-cd0") == "")
    #expect(monitor.answer("info block").contains("tray open"))
    // A session completes files, drives, keys and topics.
    let completion = HumanCompletion(machine: monitor.machine)
    #expect(completion.completion(of: "screendump \(directory)/s").candidates == ["\(directory)/s.png"])
    #expect(completion.completion(of: "eject -f i").candidates == ["ide1-cd0"])
    #expect(completion.completion(of: "sendkey ctrl-alt-del").candidates == ["ctrl-alt-delete"])
    #expect(completion.completion(of: "info regi").candidates == ["registers"])
    #expect(completion.completion(of: "info block ").candidates == ["ide1-cd0"])
    #expect(completion.completion(of: "system_re").candidates == ["system_reset"])
    #expect(completion.completion(of: "change vnc ").candidates == ["password"])
    #expect(completion.completion(of: "foo ").candidates == [])
  }

  @Test func anyLineIsDoneOrRefused() throws {
    let monitor = try Listener()
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    // What would write files, end the machine or fill standard error is left out.
    let excluded = ["quit", "memsave", "pmemsave", "dump-guest-memory", "screendump", "trace-event", "log"]
    let names = HumanCommands.all.map(\.name).filter { !excluded.contains($0) }
    let words =
      HumanCommands.topics.map(\.name) + [
        "/4xw", "/99999999i", "/2c", "0", "-1", "0xffffffffffffffff", "0x7fffffffffffffff",
        "-0x8000000000000000",
        "$eax", "$cs.base", "(", ")", "*", "/", "-f", "-a", "-v", "ide1-cd0", "\"", "\"a", "vnc", "password",
        "1e9",
        "ctrl-a", "\u{0}", "ü", "", "-", "-9223372036854775808",
      ]
    for _ in 0..<400 {
      let count = Int.random(in: 0..<5, using: &generator)
      let arguments = (0..<count).compactMap { _ in words.randomElement(using: &generator) }
      let line = ([names.randomElement(using: &generator) ?? ""] + arguments).joined(separator: " ")
      let answer = monitor.answer(line)
      #expect(answer.utf8.count < HumanOutput.limit * 9 / 8, "\(line)")
      _ = HumanCompletion(machine: monitor.machine).completion(of: line).columns
    }
  }
}
