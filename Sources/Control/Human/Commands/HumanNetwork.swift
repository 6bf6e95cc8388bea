// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import Network
import OptionSyntax

extension HumanCommands {
  /// Network cards and back ends.
  static let network: [HumanCommand] = [
    HumanCommand(
      "set_link", [HumanArgument("name", .text), HumanArgument("up", .word(["on", "off"]))], "name on|off",
      help: "plug in or pull out the cable of a network card or back end"
    ) { arguments, monitor, _ in
      try monitor.machine.setNetworkLink(arguments.text("name"), isUp: arguments.text("up") == "on")
    },
    HumanCommand(
      "netdev_add", [HumanArgument("netdev", .rest)], "type,id=ID[,key=value...]",
      help: "add a network back end"
    ) { arguments, monitor, _ in
      var list = try PropertyList(arguments.text("netdev"), option: "netdev_add", implied: "type")
      let type = list.take("type") ?? ""
      guard let id = list.take("id") else { throw HumanError.failed("Parameter 'id' is missing") }
      let configuration = try NetworkBackEndConfiguration(type: type, id: id, &list)
      try list.finish()
      try monitor.machine.addNetworkBackEnd(configuration)
    },
    HumanCommand("netdev_del", [HumanArgument("id", .text)], "id", help: "remove a network back end") {
      arguments, monitor, _ in
      try monitor.machine.removeNetworkBackEnd(arguments.text("id"))
    },
    HumanCommand(
      "hostfwd_add", [HumanArgument("netdev", .text), HumanArgument("rule", .text, optional: true)],
      "[netdev] [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
      help: "forward a port of the host to the guest of a user network"
    ) { arguments, monitor, _ in
      let (network, rule) = try forward(arguments, monitor)
      try network.add(rule)
    },
    HumanCommand(
      "hostfwd_remove", [HumanArgument("netdev", .text), HumanArgument("rule", .text, optional: true)],
      "[netdev] [tcp|udp]:[hostaddr]:hostport", help: "end the forwarding of a port of the host"
    ) { arguments, monitor, output in
      let (network, rule) = try forward(arguments, monitor, suffix: "-:1")
      try output.line(
        "host forwarding rule for \(rule.source) \(network.remove(rule) ? "removed" : "not found")")
    },
  ]

  private static func forward(
    _ arguments: HumanArguments, _ monitor: HumanInterpreter, suffix: String = ""
  ) throws -> (UserNetwork, HostForward) {
    let second = arguments.texts["rule"]
    let text = second ?? arguments.text("netdev")
    let network = try monitor.machine.userNetwork(second == nil ? nil : arguments.text("netdev"))
    return (network, try HostForward(text + suffix, option: "hostfwd"))
  }
}
