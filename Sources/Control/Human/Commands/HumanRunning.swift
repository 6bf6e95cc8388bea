// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// Starting, stopping and ending the machine.
  static let running: [HumanCommand] = [
    HumanCommand("stop", aliases: ["s"], help: "stop the guest and its time") { _, monitor, _ in
      monitor.machine.stopRunning()
    },
    HumanCommand("cont", aliases: ["c"], help: "let the guest go on") { _, monitor, _ in
      try monitor.machine.continueRunning()
    },
    HumanCommand("quit", aliases: ["q"], help: "end Martlet") { _, monitor, _ in
      monitor.hasQuit = true
      monitor.machine.quit()
    },
    HumanCommand("system_reset", help: "reset the guest") { _, monitor, _ in
      monitor.machine.pressResetButton()
    },
    HumanCommand("system_powerdown", help: "press the power button") { _, monitor, _ in
      monitor.machine.pressPowerButton()
    },
    HumanCommand("system_wakeup", help: "wake the guest from suspension") { _, _, _ in
      throw HumanError.failed("Unable to wake up: guest is not in suspended state")
    },
    HumanCommand("nmi", help: "send every CPU a non-maskable interrupt") { _, monitor, _ in
      try monitor.machine.injectNMI()
    },
    HumanCommand(
      "cpu", [HumanArgument("index", .integer)], "index",
      help: "choose the CPU that x, p and info registers look at"
    ) { arguments, monitor, _ in
      let index = arguments.integer("index")
      guard monitor.machine.cpus.indices.contains(index) else { throw HumanError.plain("invalid CPU index") }
      monitor.currentCPU = index
    },
  ]

  private static let noSnapshots = "no block device can store vmstate for snapshot"

  /// The names are there because scripts use them; raw images cannot hold a machine's state.
  static let snapshots: [HumanCommand] = [
    .missing(
      "savevm", "tag", help: "save the machine into its disk image: raw images cannot hold it", noSnapshots),
    .missing(
      "loadvm", "tag", help: "take the machine from its disk image: raw images cannot hold it", noSnapshots),
    .missing("delvm", "tag", help: "remove a saved machine: raw images cannot hold one", noSnapshots),
  ]
}
