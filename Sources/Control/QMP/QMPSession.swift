// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Glibc
import JSON
import Machine

/// A client's conversation over one character device (QEMU's docs/interop/qmp-spec): a greeting, the negotiation of
/// capabilities, then commands, each answered before the next is looked at, and events between them.
///
/// Everything happens with the machine's lock held.
final class QMPSession: CharacterReceiver {
  /// What a client may ask for. Since every command is done at once, one out of band is no different.
  static let capabilities = ["oob"]

  private enum Mode {
    case closed
    case negotiation
    case commands
  }

  private let port: any CharacterPort
  private let machine: Machine
  private let isPretty: Bool
  private let stream = JSONStream()
  private var output = MonitorOutput()
  private var mode = Mode.closed
  private var hasOutOfBand = false
  private var isSending = false

  init(port: any CharacterPort, machine: Machine, isPretty: Bool) {
    self.port = port
    self.machine = machine
    self.isPretty = isPretty
    port.keepDescriptors()
    port.receiver = self
  }

  // MARK: The client

  func characterPortOpened() {
    stream.reset()
    output.removeAll()
    mode = .negotiation
    hasOutOfBand = false
    send([
      "QMP": [
        "version": QMPVersion.value, "capabilities": .array(Self.capabilities.map { .string($0) }),
      ]
    ])
  }

  func characterPortClosed() {
    mode = .closed
    stream.reset()
    output.removeAll()
  }

  func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    var rest = bytes
    while !rest.isEmpty, !output.isPaused, mode != .closed {
      do throws(JSONError) {
        guard let message = try stream.next(&rest) else { break }
        answer(message)
      } catch {
        // What follows on the line would be more of the same.
        rest = UnsafeRawBufferPointer(rebasing: rest.drop { $0 != 0x0A })
        send(["error": QMPError("Invalid JSON syntax: \(error)").value])
      }
    }
    return mode == .closed ? bytes.count : bytes.count - rest.count
  }

  func characterPortBecameWritable() {
    let wasPaused = output.isPaused
    flush()
    if wasPaused, !output.isPaused { port.receiverBecameReady() }
  }

  /// Tells the client of an event, if it listens.
  func tell(_ event: QMPEvent) {
    guard mode == .commands, !output.isFull else { return }
    send(event.message)
  }

  private func send(_ message: JSONValue) {
    output.append(message.text(isPretty: isPretty))
    output.append("\r\n")
    flush()
  }

  private func flush() {
    // A port that closes while it is written to calls back.
    guard !isSending else { return }
    isSending = true
    output.send(to: port)
    isSending = false
  }

  /// The descriptor that came with the command; it is the caller's to close. What else came is closed.
  func takeDescriptor() -> Int32? {
    let descriptors = port.takeDescriptors()
    for descriptor in descriptors.dropFirst() { close(descriptor) }
    return descriptors.first
  }

  // MARK: Commands

  private func answer(_ message: JSONValue) {
    let id = message["id"].map { [JSONValue.Member("id", $0)] } ?? []
    do throws(QMPError) {
      let value = try run(message)
      send(.object([.init("return", value)] + id))
    } catch {
      send(.object(id + [.init("error", error.value)]))
    }
  }

  private func run(_ message: JSONValue) throws(QMPError) -> JSONValue {
    guard case .object(let members) = message else { throw QMPError("QMP input must be a JSON object") }
    var name: String?
    var isOutOfBand = false
    var arguments: [JSONValue.Member] = []
    for member in members {
      switch (member.name, member.value) {
      case ("execute", .string(let text)) where name == nil: name = text
      case ("exec-oob", .string(let text)) where hasOutOfBand && name == nil:
        name = text
        isOutOfBand = true
      case ("arguments", .object(let given)): arguments = given
      case ("id", _): break
      case ("execute", _):
        throw QMPError("QMP input member 'execute' must be a string, and there can be one only")
      case ("arguments", _): throw QMPError("QMP input member 'arguments' must be an object")
      default: throw QMPError("QMP input member '\(member.name)' is unexpected")
      }
    }
    guard let name else { throw QMPError("QMP input lacks member 'execute'") }
    guard mode == .commands || name == "qmp_capabilities" else {
      throw QMPError("Expecting capabilities negotiation with 'qmp_capabilities'", class: .commandNotFound)
    }
    guard let command = QMPCommands.byName[name] else {
      guard !QMPCommands.reserved.contains(name) else {
        throw QMPError(
          "The command \(name) is for guests under Xen, and this is none", class: .commandNotFound)
      }
      throw QMPError("The command \(name) has not been found", class: .commandNotFound)
    }
    guard !isOutOfBand || command.allowsOutOfBand else {
      throw QMPError("The command \(name) does not support OOB")
    }
    try command.arguments.check(arguments, path: "")
    return try command.run(QMPArguments(members: arguments), QMPContext(machine: machine, session: self))
  }

  /// `qmp_capabilities`: ends the negotiation.
  func negotiate(enabling wanted: [String]) throws(QMPError) {
    guard mode == .negotiation else {
      throw QMPError(
        "Capabilities negotiation is already complete, command ignored", class: .commandNotFound)
    }
    hasOutOfBand = wanted.contains("oob")
    mode = .commands
  }
}
