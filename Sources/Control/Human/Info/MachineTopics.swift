// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// What machine it is, and what it is doing.
  static let machineTopics: [HumanCommand] = [
    HumanCommand("status", help: "whether the guest runs") { _, monitor, output in
      let state = monitor.machine.state
      var text = "VM status: \(state == .running ? "running" : "paused")"
      if state != .running && state != .paused { text += " (\(state.rawValue))" }
      try output.line(text)
    },
    HumanCommand("version", help: "the version of QEMU whose commands these are, and Martlet's") {
      _, _, output in try output.line("7.2.0 (Martlet \(MachineConfiguration.version))")
    },
    HumanCommand("name", help: "the guest's name") { _, monitor, output in
      if let name = monitor.machine.configuration.name { try output.line(name) }
    },
    HumanCommand("uuid", help: "the guest's UUID") { _, monitor, output in
      try output.line(monitor.machine.configuration.uuid ?? "00000000-0000-0000-0000-000000000000")
    },
    HumanCommand("kvm", help: "whether KVM runs the guest") { _, monitor, output in
      try output.line("kvm support: \(monitor.machine.engineName == "kvm" ? "enabled" : "disabled")")
    },
    HumanCommand("history", help: "the lines that were typed") { _, monitor, output in
      for (index, line) in monitor.history().enumerated() { try output.line("\(index): '\(line)'") }
    },
    HumanCommand("trace-events", help: "categories of messages, and which are on") { _, monitor, output in
      for category in monitor.machine.tracing {
        try output.line("\(category.name) : state \(category.isOn ? 1 : 0)")
      }
    },
    HumanCommand("snapshots", help: "saved machines in disk images: raw images cannot hold one") {
      _, _, output in try output.line("no block device can store vmstate for snapshot")
    },
    HumanCommand("migrate", help: "where the machine is being moved to: nowhere") { _, _, _ in },
    HumanCommand("block-jobs", help: "long operations on drives: there are none") { _, _, output in
      try output.line("No active jobs")
    },
  ]
}
