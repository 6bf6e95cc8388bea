// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import Network
import OptionSyntax

extension ConfigurationBuilder {
  /// `-netdev -nic -net`, and what is there without any of them. After `-device`, whose cards count.
  mutating func configureNetwork() throws(OptionError) {
    let options = options.network
    for text in options.netdev {
      var list = try PropertyList(anySpelling: text, option: "-netdev", implied: "type")
      let type = list.take("type") ?? ""
      guard let id = list.take("id"), !id.isEmpty else {
        throw OptionError("-netdev \(type): id= is missing")
      }
      try addBackEnd(NetworkBackEndConfiguration(type: type, id: id, &list))
      try list.finish()
    }
    for text in options.nic where text != "none" { try addCardWithNetwork(text) }
    for text in options.net where text != "none" { try addToHub(text) }
    let isAsked =
      !options.netdev.isEmpty || !options.nic.isEmpty || !options.net.isEmpty
      || !configuration.network.cards.isEmpty
    if !isAsked, !self.options.machine.noDefaults { try addCardWithNetwork("user") }
    try checkNetwork()
  }

  private mutating func addBackEnd(_ backEnd: NetworkBackEndConfiguration) throws(OptionError) {
    guard !configuration.network.backEnds.contains(where: { $0.id == backEnd.id }) else {
      throw OptionError("-netdev: there are two with id=\(backEnd.id)")
    }
    configuration.network.backEnds.append(backEnd)
  }

  /// `-nic`: a card and its back end.
  private mutating func addCardWithNetwork(_ text: String) throws(OptionError) {
    var list = try PropertyList(anySpelling: text, option: "-nic", implied: "type")
    let type = list.take("type") ?? ""
    var card = try card(&list, model: list.take("model"), address: list.take("mac"))
    let id = list.take("id") ?? "#net\(configuration.network.backEnds.count)"
    card.backEnd = id
    try addBackEnd(NetworkBackEndConfiguration(type: type, id: id, &list))
    configuration.network.cards.append(card)
    try list.finish()
  }

  /// `-net`: cards and back ends on hub 0.
  private mutating func addToHub(_ text: String) throws(OptionError) {
    var list = try PropertyList(text, option: "-net", implied: "type")
    let type = list.take("type") ?? ""
    let number = configuration.network.backEnds.count
    if type == "nic" {
      var card = try card(&list, model: list.take("model"), address: list.take("macaddr"))
      card.id = list.take("name")
      if let id = list.take("netdev") {
        card.backEnd = id
      } else {
        let port = NetworkBackEndConfiguration(id: "#hub0port\(number)", kind: .hubPort(hub: 0, backEnd: nil))
        try addBackEnd(port)
        card.backEnd = port.id
      }
      configuration.network.cards.append(card)
    } else {
      let id = list.take("name") ?? list.take("id") ?? "#net\(number)"
      try addBackEnd(NetworkBackEndConfiguration(type: type, id: id, &list))
      try addBackEnd(
        NetworkBackEndConfiguration(id: "#hub0port\(number)", kind: .hubPort(hub: 0, backEnd: id)))
    }
    try list.finish()
  }

  // MARK: Cards

  /// What all spellings of a card share.
  private mutating func card(_ list: inout PropertyList, model: String?, address: String?) throws(OptionError)
    -> NetworkCardConfiguration
  {
    let name = model ?? NetworkCardConfiguration.Model.e1000.rawValue
    guard let model = NetworkCardConfiguration.Model(named: name) else {
      let known = NetworkCardConfiguration.Model.allCases.map(\.rawValue)
      throw OptionError(
        "\(list.option): there is no network card '\(name)'\(didYouMean(name, in: known)); known are "
          + known.joined(separator: ", "))
    }
    var card = NetworkCardConfiguration(
      model: model, address: .defaultForCard(configuration.network.cards.count))
    if let address { card.address = try self.address(address, option: list.option) }
    card.slot = try slot(list.take("addr"), option: list.option)
    return card
  }

  /// `-device e1000,…`.
  mutating func addNetworkCard(
    _ model: NetworkCardConfiguration.Model, id: String?, _ list: inout PropertyList
  )
    throws(OptionError)
  {
    var card = try card(&list, model: model.rawValue, address: list.take("mac"))
    card.id = id
    card.backEnd = list.take("netdev")
    if let bus = list.take("bus"), bus != "pci.0" {
      throw OptionError("\(list.option): there is no bus '\(bus)'\(didYouMean(bus, in: ["pci.0"]))")
    }
    card.bootIndex = try list.takeInteger("bootindex", in: 0...65535)
    card.romFile = list.take("romfile")
    // No ROM register, no ROM: what is asked for by rombar=0.
    if try list.takeInteger("rombar", in: 0...1) == 0 { card.romFile = "" }
    if model == .rtl8139 { card.chip = try list.takeChoice("chip") ?? card.chip }
    configuration.network.cards.append(card)
  }

  private func address(_ text: String, option: String) throws(OptionError) -> MACAddress {
    guard let address = MACAddress(text) else {
      throw OptionError("\(option): mac=\(text) must be six bytes, such as 52:54:00:12:34:56")
    }
    guard !address.isGroup else {
      throw OptionError("\(option): mac=\(text) is the address of a group; the first byte must be even")
    }
    return address
  }

  /// `addr=SLOT` or `addr=SLOT.0`, in hexadecimal digits.
  private func slot(_ text: String?, option: String) throws(OptionError) -> Int? {
    guard let text else { return nil }
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let digits = parts[0].hasPrefix("0x") ? parts[0].dropFirst(2) : parts[0]
    guard let slot = Int(digits, radix: 16), (1...31).contains(slot), parts.count == 1 || parts[1] == "0"
    else {
      throw OptionError(
        "\(option): addr=\(text) must be a slot from 1 to 1f (hexadecimal), such as 3 or 03.0")
    }
    return slot
  }

  private func checkNetwork() throws(OptionError) {
    let network = configuration.network
    let names = network.backEnds.map(\.id)
    var users: [String: Int] = [:]
    for card in network.cards {
      guard let id = card.backEnd else { continue }
      guard names.contains(id) else {
        throw OptionError(
          "-device \(card.model): there is no -netdev with id=\(id)\(didYouMean(id, in: names))")
      }
      users[id, default: 0] += 1
    }
    for case .hubPort(_, let id?) in network.backEnds.map(\.kind) {
      guard names.contains(id) else {
        throw OptionError("-netdev hubport: there is no -netdev with id=\(id)\(didYouMean(id, in: names))")
      }
      users[id, default: 0] += 1
    }
    if let (id, _) = users.first(where: { $0.value > 1 }) {
      throw OptionError("the network '\(id)' is used twice; a hub (-netdev hubport) joins several cards")
    }
    var slots: Set<Int> = configuration.vga == nil ? [0, 1] : [0, 1, 2]
    slots.formUnion(configuration.usb.controllers.compactMap(\.address?.device))
    for card in network.cards {
      guard let slot = card.slot else { continue }
      guard slots.insert(slot).inserted else {
        throw OptionError("-device \(card.model): the slot addr=\(String(slot, radix: 16)) is taken")
      }
    }
  }
}
