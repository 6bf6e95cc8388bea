// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  /// The human monitor for programs.
  static let human: [QMPCommand] = [
    QMPCommand(
      "human-monitor-command", [.required("command-line", .string), .optional("cpu-index", .integer)],
      returns: .string
    ) { (arguments, context) throws(QMPError) in
      let interpreter = HumanInterpreter(machine: context.machine)
      if let index: Int = try arguments.integer("cpu-index") {
        guard context.machine.cpus.indices.contains(index) else {
          throw QMPError("Parameter 'cpu-index' expects a CPU number")
        }
        interpreter.currentCPU = index
      }
      return .string(interpreter.run(arguments.text("command-line")))
    }
  ]
}
