// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Machine

extension HumanCommands {
  /// Keyboard and mouse.
  static let input: [HumanCommand] = [
    HumanCommand(
      "sendkey", [HumanArgument("keys", .keys), HumanArgument("hold", .integer, optional: true)],
      "keys [hold_ms]", help: "press keys, as in 'sendkey ctrl-alt-delete', for 100 ms or as long as told"
    ) { arguments, monitor, _ in
      let keys = try keys(arguments.text("keys"))
      let milliseconds = arguments.numbers["hold"] == nil ? 100 : max(0, arguments.integer("hold"))
      monitor.machine.type(keys, holdMilliseconds: UInt64(milliseconds))
    },
    HumanCommand(
      "mouse_move",
      [
        HumanArgument("dx", .text), HumanArgument("dy", .text), HumanArgument("dz", .text, optional: true),
      ], "dx dy [dz]", help: "move the mouse, and its wheel by dz notches"
    ) { arguments, monitor, _ in
      let input = monitor.machine.input
      input.movePointer(
        dx: try step(arguments.text("dx")), dy: try step(arguments.text("dy")),
        wheel: try step(arguments.texts["dz"] ?? "0"), buttons: input.buttons)
    },
    HumanCommand(
      "mouse_button", [HumanArgument("state", .integer)], "state",
      help: "press and release the mouse's buttons: the sum of 1 for the left, 2 the right, 4 the middle"
    ) { arguments, monitor, _ in
      let state = arguments.integer("state")
      var buttons = monitor.machine.input.buttons
      for (bit, button) in [(1, PointerButtons.left), (2, .right), (4, .middle)] {
        if state & bit != 0 { buttons.insert(button) } else { buttons.remove(button) }
      }
      monitor.machine.input.movePointer(dx: 0, dy: 0, buttons: buttons)
    },
    HumanCommand(
      "mouse_set", [HumanArgument("index", .integer)], "index",
      help: "choose the mouse that moves: 'info mice' lists them"
    ) { arguments, _, _ in
      guard arguments.integer("index") == mouseIndex else {
        throw HumanError.plain("Mouse at index '\(arguments.integer("index"))' not found")
      }
    },
  ]

  /// The mouse's number in `info mice`.
  static let mouseIndex = 2

  /// A movement: a whole number that a mouse can tell in a few messages.
  private static func step(_ text: String) throws -> Int {
    guard let value = Int(text), abs(value.clamped(to: -0xFFFF...0xFFFF)) == value.magnitude else {
      throw HumanError.failed("'\(text)' is no distance: -65535 to 65535")
    }
    return value
  }

  /// Keys by their names or numbers, joined by hyphens.
  private static func keys(_ text: String) throws -> [KeyCode] {
    var keys: [KeyCode] = []
    for part in text.split(separator: "-", omittingEmptySubsequences: false) {
      let name = part == "<" ? "less" : String(part)
      if let key = KeyNames.code(named: name) {
        keys.append(key)
      } else if name.hasPrefix("0x"), let number = UInt8(name.dropFirst(2), radix: 16), number != 0 {
        keys.append(KeyCode(rawValue: number))
      } else {
        throw HumanError.plain("invalid parameter: \(name)")
      }
    }
    guard keys.count <= 16 else { throw HumanError.plain("too many keys: 16 can be held at once") }
    return keys
  }
}

extension Int {
  fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
