// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// The network.
  static let networkTopics: [HumanCommand] = [
    HumanCommand("network", help: "network cards and what they are plugged into") { _, monitor, output in
      let machine = monitor.machine
      var ends = machine.networkBackEnds
      func line(_ end: Machine.NetworkBackEndFacts) -> String {
        "\(end.id): index=0,type=\(end.type),\(end.details)"
      }
      for card in machine.networkCards {
        try output.line(
          "\(card.name): index=0,type=nic,model=\(card.model),macaddr=\(card.address)"
            + (card.isLinkUp ? "" : ",link=down"))
        if let end = ends.first(where: { $0.id == card.backEnd }) {
          try output.line(" \\ \(line(end))")
          ends.removeAll { $0.id == end.id }
        }
        try output.line(
          "    sent \(card.sent.frames) frames, \(card.sent.bytes) bytes;"
            + " received \(card.received.frames) frames, \(card.received.bytes) bytes")
      }
      for end in ends { try output.line(line(end)) }
      if machine.networkCards.isEmpty { try output.line("There are no network cards") }
    },
    HumanCommand("usernet", help: "the connections of user networks") { _, monitor, output in
      if monitor.machine.userNetworks.isEmpty { try output.line("There are no user networks") }
      for network in monitor.machine.userNetworks {
        try output.line("\(network.id):")
        try output.line(network.connections.trimmingSuffixNewline)
      }
    },
  ]
}

extension String {
  fileprivate var trimmingSuffixNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
