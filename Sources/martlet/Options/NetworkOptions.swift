// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// Network cards and what they are plugged into.
struct NetworkOptions: ParsableArguments {
  static let topic = "network"

  @Option(
    name: option("nic"),
    help: ArgumentHelp(
      "A card and its network in one; none for no card. Without any such option: an e1000 on a user network.",
      valueName: "user|tap|…[,model=,mac=,…]"))
  var nic: [String] = []
  @Option(
    name: option("netdev"),
    help: ArgumentHelp(
      "A network for a -device card to name: user, tap, socket, stream, dgram, hubport.",
      valueName: "type,id=[,…]"))
  var netdev: [String] = []
  @Option(
    name: option("net"),
    help: ArgumentHelp(
      "QEMU's oldest spelling: cards (nic) and networks, all on one hub; none.", valueName: "nic|user|…|none")
  )
  var net: [String] = []
}
