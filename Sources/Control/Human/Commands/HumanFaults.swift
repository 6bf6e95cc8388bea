// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// Breakpoints in drives with `file=blkdebug:…`.
  static let faults: [HumanCommand] = [
    HumanCommand(
      "qemu-io", [HumanArgument("device", .drive), HumanArgument("command", .text)], "device \"command\"",
      help: "hold requests of a drive: break EVENT TAG, resume TAG, remove_break TAG, wait_break TAG"
    ) { arguments, monitor, _ in
      try monitor.machine.controlFaults(ofDrive: arguments.text("device"), arguments.text("command"))
    }
  ]
}
