// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import EventLoop
import JSON
import Machine
import OptionSyntax
import TextEncoding

extension QMPCommands {
  private static let kinds = ["null", "pty", "file", "pipe", "ringbuf", "socket"]

  /// A socket's address, in QEMU's older form, wrapped in "data".
  private static let address = SchemaType.object(
    Structure(
      [.required("type", .enumeration(["inet", "unix", "fd"]))], tag: "type",
      variants: [
        .init(
          value: "inet",
          members: [.required("data", .members(.required("host", .string), .required("port", .string)))]),
        .init(
          value: "unix",
          members: [.required("data", .members(.required("path", .string), .optional("abstract", .boolean)))]),
        .init(value: "fd", members: [.required("data", .members(.required("str", .string)))]),
      ]))

  /// What every back end has: a file that also gets what the guest writes.
  private static let log: [Structure.Member] = [
    .optional("logfile", .string), .optional("logappend", .boolean),
  ]

  private static func variant(_ kind: String, _ members: Structure.Member...) -> Structure.Variant {
    .init(value: kind, members: [.required("data", .object(Structure(members + log)))])
  }

  private static let backEnd = SchemaType.object(
    Structure(
      [.required("type", .enumeration(kinds))], tag: "type",
      variants: [
        variant("null"), variant("pty"),
        variant("file", .required("out", .string), .optional("append", .boolean)),
        variant("pipe", .required("device", .string)), variant("ringbuf", .optional("size", .integer)),
        variant(
          "socket", .required("addr", address), .optional("server", .boolean), .optional("wait", .boolean),
          .optional("nodelay", .boolean), .optional("telnet", .boolean), .optional("reconnect", .integer)),
      ]))

  /// Character devices.
  static let characters: [QMPCommand] = [
    QMPCommand(
      "query-chardev",
      returns: .array(
        .members(
          .required("label", .string), .required("filename", .string), .required("frontend-open", .boolean)))
    ) { _, context in
      .array(
        context.machine.characterDevices.map {
          [
            "frontend-open": .bool($0.isOpen), "filename": .string($0.description),
            "label": .string($0.label),
          ]
        })
    },
    QMPCommand("query-chardev-backends", returns: .array(.members(.required("name", .string)))) { _, _ in
      .array((kinds + ["stdio"]).map { ["name": .string($0)] })
    },
    opening("chardev-add") { (machine, configuration) throws(MachineError) in
      try machine.addCharacterDevice(configuration)
    },
    opening("chardev-change") { (machine, configuration) throws(MachineError) in
      try machine.changeCharacterDevice(configuration)
    },
    .action("chardev-remove", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      try attempt { () throws(MachineError) in
        try context.machine.removeCharacterDevice(arguments.text("id"))
      }
    },
    .action("chardev-send-break", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      try attempt { () throws(MachineError) in
        try context.machine.sendBreak(toCharacterDevice: arguments.text("id"))
      }
    },
    QMPCommand(
      "ringbuf-read",
      [
        .required("device", .string), .required("size", .integer),
        .optional("format", .enumeration(["utf8", "base64"])),
      ], returns: .string
    ) { (arguments, context) throws(QMPError) in
      let size: Int = try arguments.require("size")
      guard size > 0 else { throw QMPError("size must be greater than zero") }
      let bytes: [UInt8]
      do throws(MachineError) {
        bytes = try context.machine.readRingBuffer(arguments.text("device"), count: size)
      } catch { throw QMPError(error) }
      var text = bytes
      if arguments["format"]?.string == "base64" {
        text = []
        Base64Text.append(bytes, to: &text)
      }
      return .string(String(decoding: text, as: UTF8.self))
    },
    .action(
      "ringbuf-write",
      [
        .required("device", .string), .required("data", .string),
        .optional("format", .enumeration(["utf8", "base64"])),
      ]
    ) { (arguments, context) throws(QMPError) in
      let data = Array(arguments.text("data").utf8)
      let isEncoded = arguments["format"]?.string == "base64"
      let bytes = isEncoded ? Base64Text.bytes(data[...], count: data.count) : data
      try attempt { () throws(MachineError) in
        try context.machine.writeRingBuffer(arguments.text("device"), bytes)
      }
    },
  ]

  private static func attempt(_ body: () throws(MachineError) -> Void) throws(QMPError) {
    do throws(MachineError) { try body() } catch { throw QMPError(error) }
  }

  /// A command that opens a back end.
  private static func opening(
    _ name: String,
    _ body:
      @escaping @Sendable (Machine, CharacterDeviceConfiguration) throws(MachineError) ->
      Machine.CharacterDeviceFacts
  ) -> QMPCommand {
    QMPCommand(
      name, [.required("id", .string), .required("backend", backEnd)],
      returns: .members(.optional("pty", .string))
    ) { (arguments, context) throws(QMPError) in
      let backEnd = arguments["backend"] ?? .null
      func open(_ passed: Int32?) throws(QMPError) -> JSONValue {
        let specification = try specification(backEnd, passed)
        do throws(MachineError) {
          let facts = try body(
            context.machine,
            CharacterDeviceConfiguration(id: arguments.text("id"), specification: specification))
          guard specification.unlogged == .pty else { return .object([]) }
          return ["pty": .string(String(facts.description.dropFirst("pty:".count)))]
        } catch { throw QMPError(error) }
      }
      // A descriptor may have come over the monitor (getfd).
      let address = backEnd["data"]?["addr"]
      guard address?["type"] == "fd", let name = address?["data"]?["str"]?.string,
        DescriptorSets.current.has(name)
      else { return try open(nil) }
      return try DescriptorSets.current.lend(name) { (descriptor) throws(QMPError) in try open(descriptor) }
        ?? .null
    }
  }

  /// The back end that a checked value describes.
  /// - Parameter passed: the descriptor that the client passed for it.
  private static func specification(_ value: JSONValue, _ passed: Int32?) throws(QMPError)
    -> CharacterPortSpecification
  {
    let data = value["data"] ?? .null
    let plain = try plainSpecification(value["type"]?.string ?? "", data, passed)
    guard let path = data["logfile"]?.string else { return plain }
    guard !path.isEmpty else { throw QMPError("'logfile' is empty") }
    return .logged(plain, path: path, appends: data["logappend"]?.bool ?? false)
  }

  private static func plainSpecification(_ kind: String, _ data: JSONValue, _ passed: Int32?)
    throws(QMPError) -> CharacterPortSpecification
  {
    switch kind {
    case "pty": return .pty
    case "file": return .file(path: data["out"]?.string ?? "", appends: data["append"]?.bool ?? false)
    case "pipe": return .pipe(path: data["device"]?.string ?? "")
    case "ringbuf":
      let size = data["size"]?.integer ?? 65536
      guard size > 0, size <= 64 << 20, size & (size - 1) == 0 else {
        throw QMPError("size of ringbuf chardev must be power of two")
      }
      return .ringBuffer(byteCount: Int(size))
    case "socket": return .socket(try socket(data, passed))
    default: return .null
    }
  }

  private static func socket(_ data: JSONValue, _ passed: Int32?) throws(QMPError) -> SocketSettings {
    let place = data["addr"]?["data"] ?? .null
    let address: SocketSettings.Address
    switch data["addr"]?["type"]?.string {
    case "unix":
      address = .unix(path: place["path"]?.string ?? "", isAbstract: place["abstract"]?.bool ?? false)
    case "fd":
      let text = place["str"]?.string ?? ""
      guard let number = passed ?? Int32(text), number > 2 else {
        throw QMPError("File descriptor named '\(text)' has not been found")
      }
      address = .descriptor(number)
    default:
      guard let port = UInt16(place["port"]?.string ?? "") else {
        throw QMPError("'\(place["port"]?.string ?? "")' is no port's number")
      }
      address = .tcp(host: place["host"]?.string ?? "", port: port)
    }
    var settings = SocketSettings(address: address)
    settings.isServer = data["server"]?.bool ?? true
    // The guest and its monitors would stand still.
    guard !settings.isServer || data["wait"]?.bool != true else {
      throw QMPError("'wait' option is incompatible with a running machine")
    }
    settings.waitsForClient = false
    settings.isTelnet = data["telnet"]?.bool ?? false
    settings.hasNoDelay = data["nodelay"]?.bool ?? false
    let seconds = data["reconnect"]?.integer ?? 0
    guard (0...3600).contains(seconds) else { throw QMPError("'reconnect' must be 0 to 3600 seconds") }
    settings.reconnectSeconds = settings.isServer ? 0 : Int(seconds)
    return settings
  }
}
