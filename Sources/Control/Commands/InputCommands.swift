// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import JSON
import Machine

extension QMPCommands {
  private static let keyNames = KeyNames.codes.keys.sorted()

  /// A key by its name or its scan code.
  private static let key = SchemaType.object(
    Structure(
      [.required("type", .enumeration(["number", "qcode"]))], tag: "type",
      variants: [
        .init(value: "number", members: [.required("data", .integer)]),
        .init(value: "qcode", members: [.required("data", .enumeration(keyNames))]),
      ]))

  private static let buttonNames = [
    "left", "middle", "right", "wheel-up", "wheel-down", "side", "extra", "wheel-left", "wheel-right",
  ]

  private static let movement = SchemaType.members(
    .required("axis", .enumeration(["x", "y"])), .required("value", .integer))

  private static let event = SchemaType.object(
    Structure(
      [.required("type", .enumeration(["key", "btn", "rel", "abs"]))], tag: "type",
      variants: [
        .init(
          value: "key",
          members: [.required("data", .members(.required("key", key), .required("down", .boolean)))]),
        .init(
          value: "btn",
          members: [
            .required(
              "data",
              .members(.required("button", .enumeration(buttonNames)), .required("down", .boolean)))
          ]),
        .init(value: "rel", members: [.required("data", movement)]),
        .init(value: "abs", members: [.required("data", movement)]),
      ]))

  /// Keyboard and pointer.
  static let input: [QMPCommand] = [
    .action("send-key", [.required("keys", .array(key)), .optional("hold-time", .integer)]) {
      (arguments, context) throws(QMPError) in
      var keys: [KeyCode] = []
      for value in arguments["keys"]?.array ?? [] { keys.append(try code(of: value)) }
      guard keys.count <= 16 else { throw QMPError("Parameter 'keys' has more than 16 keys") }
      context.machine.type(keys, holdMilliseconds: try arguments.integer("hold-time") ?? 100)
    },
    .action(
      "input-send-event",
      [.optional("device", .string), .optional("head", .integer), .required("events", .array(event))]
    ) { (arguments, context) throws(QMPError) in
      guard context.machine.state == .running else { throw QMPError("VM not running") }
      var gesture = PointerGesture(context.machine.input)
      // All are understood before the first has an effect.
      var keys: [(KeyCode, Bool)] = []
      for event in arguments["events"]?.array ?? [] {
        guard let data = event["data"] else { continue }
        if event["type"]?.string == "key" {
          keys.append((try code(of: data["key"] ?? .null), data["down"]?.bool ?? false))
        } else {
          try gesture.add(data, kind: event["type"]?.string ?? "")
        }
      }
      for (key, isDown) in keys { context.machine.input.key(key, isDown: isDown) }
      gesture.perform()
    },
  ]

  private static func code(of key: JSONValue) throws(QMPError) -> KeyCode {
    if let name = key["data"]?.string, let code = KeyNames.code(named: name) { return code }
    // QEMU's numbers are scan codes of set 1 with bit 7 for the extended ones.
    guard let number = key["data"]?.integer, (1...0xFF).contains(number) else {
      throw QMPError("there is no key '\(key["data"]?.text() ?? "")'")
    }
    return KeyCode(rawValue: UInt8(number))
  }
}

/// The pointer events of one command, seen by the guest as one movement.
private struct PointerGesture {
  private let input: InputRouter
  private var buttons: PointerButtons
  private var wheel = 0
  private var (dx, dy) = (0, 0)
  private var (x, y): (Int?, Int?) = (nil, nil)
  private var isEmpty = true

  init(_ input: InputRouter) {
    self.input = input
    buttons = input.buttons
  }

  mutating func add(_ data: JSONValue, kind: String) throws(QMPError) {
    isEmpty = false
    guard kind == "btn" else {
      let value = Int(data["value"]?.integer ?? 0)
      let isX = data["axis"]?.string == "x"
      if kind == "abs" {
        if isX { x = value } else { y = value }
      } else {
        let step = min(max(value, -0xFFFF), 0xFFFF)
        if isX { dx = step } else { dy = step }
      }
      return
    }
    let isDown = data["down"]?.bool ?? false
    switch data["button"]?.string {
    case "wheel-up": wheel -= isDown ? 1 : 0
    case "wheel-down": wheel += isDown ? 1 : 0
    case let name?:
      guard let button = Self.buttons[name] else { throw QMPError("the pointer has no button '\(name)'") }
      if isDown { buttons.insert(button) } else { buttons.remove(button) }
    case nil: break
    }
  }

  static let buttons: [String: PointerButtons] = [
    "left": .left, "right": .right, "middle": .middle, "side": .side, "extra": .extra,
  ]

  func perform() {
    guard !isEmpty else { return }
    if x != nil || y != nil {
      let last = input.position
      input.movePointer(toX: x ?? last.x, y: y ?? last.y, wheel: wheel, buttons: buttons)
    } else {
      input.movePointer(dx: dx, dy: dy, wheel: wheel, buttons: buttons)
    }
  }
}
