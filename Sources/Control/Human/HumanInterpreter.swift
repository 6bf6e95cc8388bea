// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

/// Does the commands of the human monitor, a line each. Called on the event loop with the machine's lock held.
final class HumanInterpreter {
  let machine: Machine
  /// The CPU that `x`, `p` and `info registers` are about.
  var currentCPU = 0

  init(machine: Machine) { self.machine = machine }

  /// Does what a line says.
  /// - Returns: what there is to tell, each line ended by CR LF; nothing if all went well and nothing was asked.
  func run(_ line: String) -> String {
    let words = line.split(separator: " ", maxSplits: 1)
    guard let name = words.first else { return "" }
    guard let command = HumanCommands.byName[String(name)] else {
      return "unknown command: '\(name)'\r\n"
    }
    do {
      let text = try command.run(words.count > 1 ? String(words[1]) : "", self)
      return text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    } catch {
      return "Error: \(error)\r\n"
    }
  }
}
