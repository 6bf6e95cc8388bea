// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Foundation
import JSON
import Machine
import Testing

@testable import Control

@Suite struct QMPCharacterTests {
  private let files: ScratchDirectory
  private let client: QMPClient

  init() throws {
    files = try ScratchDirectory()
    client = try QMPClient { configuration in
      configuration.characterDevices = [
        CharacterDeviceConfiguration(id: "line", specification: .ringBuffer(byteCount: 64)),
        CharacterDeviceConfiguration(id: "unused", specification: .null),
      ]
      configuration.debugConsoles = [DebugConsoleConfiguration(port: "chardev:line")]
    }
  }

  /// What the guest writes to its debug console.
  private func write(_ text: String) {
    client.machine.lock.withLock {
      for byte in text.utf8 { client.machine.writePort(0xE9, UInt32(byte), byteCount: 1) }
    }
  }

  @Test func anotherTakesItsPlace() throws {
    write("one")
    #expect(client.value("ringbuf-read", ["device": "line", "size": 10]) == "one")
    let path = files.path("output")
    let file: JSONValue = ["type": "file", "data": ["out": .string(path)]]
    #expect(client.value("chardev-change", ["id": "line", "backend": file]) == [:])
    write("two")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
    let facts = client.value("query-chardev")?.array?.first { $0["label"] == "line" }
    #expect(facts == ["frontend-open": true, "filename": .string("file:\(path)"), "label": "line"])
    // What cannot be opened changes nothing.
    let missing: JSONValue = ["type": "file", "data": ["out": .string(files.path("no/file"))]]
    #expect(client.error("chardev-change", ["id": "line", "backend": missing]) != nil)
    write("three")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "twothree")
    let pty: JSONValue = ["type": "pty", "data": [:]]
    let answer = client.value("chardev-change", ["id": "unused", "backend": pty])
    #expect(answer?["pty"]?.string?.hasPrefix("/dev/pts/") == true)
    #expect(
      client.error("chardev-change", ["id": "x", "backend": pty]) == "Chardev 'x' does not exist")
  }

  @Test func whatIsWrittenIsLogged() throws {
    let path = files.path("log")
    for (appends, expected) in [(false, "a"), (true, "ab"), (false, "c")] {
      let text = String(expected.last ?? "?")
      let data: JSONValue = ["size": 64, "logfile": .string(path), "logappend": .bool(appends)]
      #expect(
        client.value("chardev-change", ["id": "line", "backend": ["type": "ringbuf", "data": data]]) == [:])
      write(text)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == expected)
      #expect(client.value("ringbuf-read", ["device": "line", "size": 10]) == .string(text))
    }
  }

  @Test func telnetIsSpoken() throws {
    let place: JSONValue = ["type": "inet", "data": ["host": "127.0.0.1", "port": "0"]]
    let data: JSONValue = ["addr": place, "server": true, "wait": false, "telnet": true]
    #expect(
      client.value("chardev-add", ["id": "t", "backend": ["type": "socket", "data": data]]) == [:])
    let facts = client.value("query-chardev")?.array?.first { $0["label"] == "t" }
    #expect(facts?["filename"]?.string?.hasPrefix("disconnected:telnet:127.0.0.1:") == true)
    #expect(client.value("chardev-remove", ["id": "t"]) == [:])
  }
}
