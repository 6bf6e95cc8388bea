// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Foundation
import JSON
import Machine

@testable import Control

/// A directory of its own for a test, removed with the object.
final class ScratchDirectory {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// Makes a file of so many bytes.
  func file(_ name: String, byteCount: Int) throws -> String {
    try Data(count: byteCount).write(to: url.appendingPathComponent(name))
    return path(name)
  }
}

/// A client of QMP that has negotiated, at a machine with an empty CD drive that was switched on and does not run.
final class QMPClient: CharacterPort {
  weak var receiver: (any CharacterReceiver)?
  /// Descriptors that came with what was said.
  var descriptors: [Int32] = []
  let machine: Machine
  private var session: QMPSession?
  private var heard: [UInt8] = []

  init(_ change: (inout MachineConfiguration) -> Void = { _ in }) throws {
    var configuration = MachineConfiguration()
    configuration.accelerators = [.soft]
    configuration.memoryByteCount = 16 << 20
    var drive = DriveConfiguration(file: nil)
    drive.media = .cdrom
    drive.position = .init(channel: 1, unit: 0)
    configuration.drives = [drive]
    change(&configuration)
    machine = try Machine(configuration, log: try Log(file: nil))
    session = QMPSession(port: self, machine: machine, isPretty: false)
    machine.lock.withLock { session?.characterPortOpened() }
    machine.onEvent = { [unowned self] in session?.tell(QMPEvents.event(for: $0, of: machine)) }
    _ = ask("qmp_capabilities")
    events = []
  }

  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    heard.append(contentsOf: bytes)
    return bytes.count
  }

  func receiverBecameReady() {}

  func takeDescriptors() -> [Int32] {
    defer { descriptors = [] }
    return descriptors
  }

  func close() { machine.lock.withLock { session?.characterPortClosed() } }

  /// What was said without being asked.
  var events: [JSONValue] = []

  /// Says bytes; returns the answers.
  func say(_ bytes: [UInt8]) -> [JSONValue] {
    let taken = machine.lock.withLock { bytes.withUnsafeBytes { receiver?.receive($0) ?? 0 } }
    precondition(taken == bytes.count)
    return takeAnswers()
  }

  /// What was said since, without the events.
  func takeAnswers() -> [JSONValue] {
    defer { heard = [] }
    let messages = String(decoding: heard, as: UTF8.self).split(separator: "\r\n").compactMap {
      try? JSONValue(parsing: String($0))
    }
    events += messages.filter { $0["event"] != nil }
    return messages.filter { $0["event"] == nil }
  }

  /// Asks one thing; returns the whole answer.
  func ask(_ command: String, _ arguments: JSONValue = [:]) -> JSONValue {
    let message: JSONValue = ["execute": .string(command), "arguments": arguments]
    return say(Array(message.text().utf8)).last ?? .null
  }

  /// The error that a command ends with; nil if it does not.
  func error(_ command: String, _ arguments: JSONValue = [:]) -> String? {
    ask(command, arguments)["error"]?["desc"]?.string
  }

  /// What a command returns; nil if it fails.
  func value(_ command: String, _ arguments: JSONValue = [:]) -> JSONValue? {
    ask(command, arguments)["return"]
  }
}
