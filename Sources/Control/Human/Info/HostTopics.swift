// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import VNC

extension HumanCommands {
  /// The host's ends of things.
  static let hostTopics: [HumanCommand] = [
    HumanCommand("config", help: "the options, as a file for -readconfig") { _, monitor, output in
      for line in (monitor.machine.optionsText?() ?? "").split(
        separator: "\n", omittingEmptySubsequences: false)
      {
        try output.line(String(line))
      }
    },
    HumanCommand("chardev", help: "the character devices") { _, monitor, output in
      for device in monitor.machine.characterDevices {
        try output.line("\(device.label): filename=\(device.description)")
      }
    },
    HumanCommand("vnc", help: "the VNC server") { _, monitor, output in
      guard let server = monitor.machine.vncServer else { return try output.line("None") }
      let place: String =
        switch server.configuration.address {
        case .tcp(let host, let port):
          "\(host ?? "127.0.0.1"):\(server.port ?? port) (\(host?.contains(":") == true ? "ipv6" : "ipv4"))"
        case .unix(let path): "\(path): (unix)"
        case .descriptor(let number): "fd:\(number): (unknown)"
        }
      let authentication = server.configuration.needsPassword ? "vnc" : "none"
      try output.line("default:\n  Server: \(place)\n    Auth: \(authentication) (Sub: none)")
    },
  ]
}
