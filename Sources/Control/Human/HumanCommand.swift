// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

/// A command of the human monitor.
struct HumanCommand: Sendable {
  let name: String
  /// Other names, such as "q" for "quit".
  let aliases: [String]
  /// What it takes, as `help` shows it.
  let parameters: String
  /// What it does, for `help`.
  let help: String
  /// Does it with the rest of the line; returns what there is to tell, with line feeds.
  let run: @Sendable (String, HumanInterpreter) throws -> String

  init(
    _ name: String, aliases: [String] = [], _ parameters: String = "", help: String,
    run: @escaping @Sendable (String, HumanInterpreter) throws -> String
  ) {
    (self.name, self.aliases, self.parameters, self.help, self.run) = (name, aliases, parameters, help, run)
  }
}

/// Every command of the human monitor.
enum HumanCommands {
  static let all: [HumanCommand] = running

  static let byName: [String: HumanCommand] = Dictionary(
    all.flatMap { command in ([command.name] + command.aliases).map { ($0, command) } }
  ) { first, _ in first }

  private static let running: [HumanCommand] = [
    HumanCommand("stop", aliases: ["s"], help: "stop the guest") { _, monitor in
      monitor.machine.stopRunning()
      return ""
    },
    HumanCommand("cont", aliases: ["c"], help: "let the guest go on") { _, monitor in
      try monitor.machine.continueRunning()
      return ""
    },
    HumanCommand("quit", aliases: ["q"], help: "end Martlet") { _, monitor in
      monitor.machine.quit()
      return ""
    },
    HumanCommand("system_reset", help: "reset the guest") { _, monitor in
      monitor.machine.pressResetButton()
      return ""
    },
    HumanCommand("system_powerdown", help: "press the power button") { _, monitor in
      monitor.machine.pressPowerButton()
      return ""
    },
  ]
}
