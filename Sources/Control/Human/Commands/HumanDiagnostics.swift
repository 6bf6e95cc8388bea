// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// Messages about what the guest does.
  static let diagnostics: [HumanCommand] = [
    HumanCommand(
      "trace-event", [HumanArgument("name", .text), HumanArgument("state", .word(["on", "off"]))],
      "name on|off", help: "turn a category of messages on or off: 'info trace-events' lists them"
    ) { arguments, monitor, _ in
      let state = arguments.text("state")
      guard state == "on" || state == "off" else {
        throw HumanError.usage("trace-event: 'on' or 'off' expected")
      }
      guard monitor.machine.setTracing(arguments.text("name"), isOn: state == "on") else {
        throw HumanError.plain("unknown event \"\(arguments.text("name"))\"")
      }
    },
    HumanCommand(
      "log", [HumanArgument("items", .text)], "item1[,...]",
      help: "turn categories of messages on, and all others off; 'none' turns all off"
    ) { arguments, monitor, _ in
      let known = monitor.machine.tracing.map(\.name)
      let wanted = arguments.text("items").split(separator: ",").map(String.init).filter { $0 != "none" }
      for name in wanted where !known.contains(name) {
        throw HumanError.plain("there is no category '\(name)': \((["none"] + known).joined(separator: " "))")
      }
      for name in known { _ = monitor.machine.setTracing(name, isOn: wanted.contains(name)) }
    },
    .missing(
      "logfile", "filename", help: "not there: messages go to standard error",
      "messages go to standard error, from where the shell can send them to a file"),
  ]
}
