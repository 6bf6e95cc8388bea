// SPDX-License-Identifier: GPL-2.0-or-later

import Network
import OptionSyntax
import PCI

/// The network as monitors see it. Called with the machine's lock held.
extension Machine {
  /// A network card.
  public struct NetworkCardFacts: Sendable, Equatable {
    /// `id=`, or the model and a number.
    public let name: String
    public let model: String
    public let address: MACAddress
    /// The back end it is plugged into.
    public let backEnd: String?
    /// Whether the guest sees a link.
    public let isLinkUp: Bool
    /// What went through its cable.
    public let sent: PacketWire.Traffic
    public let received: PacketWire.Traffic
  }

  /// A back end.
  public struct NetworkBackEndFacts: Sendable, Equatable {
    public let id: String
    /// `type=`.
    public let type: String
    /// What is to be known of it: "net=10.0.2.0,restrict=off".
    public let details: String
  }

  /// `id=` of the card at an address on the PCI bus.
  public func deviceID(at address: PCIAddress) -> String? {
    board.networkCards.first { $0.address == address }?.configuration.id
  }

  /// The cards.
  public var networkCards: [NetworkCardFacts] {
    board.networkCards.map { card in
      NetworkCardFacts(
        name: card.name, model: "\(card.configuration.model)", address: card.configuration.address,
        backEnd: card.wire.backEndName, isLinkUp: card.wire.isLinkUp, sent: card.wire.sent,
        received: card.wire.received)
    }
  }

  /// The back ends.
  public var networkBackEnds: [NetworkBackEndFacts] {
    board.networks.backEnds.map { backEnd in
      NetworkBackEndFacts(
        id: backEnd.configuration.id, type: backEnd.configuration.typeName, details: backEnd.details)
    }
  }

  /// Which frames a card lets in, by the card's name; of all cards without one. The next change is told again
  /// (``MachineEvent/receiveFilterChanged(card:id:)``).
  public func receiveFilters(of name: String?) throws(MachineError) -> [(name: String, filter: ReceiveFilter)]
  {
    if let name, !board.networkCards.contains(where: { $0.name == name }) {
      throw MachineError("invalid net client name: \(name)")
    }
    return board.networkCards.filter { name == nil || $0.name == name }.map { card in
      card.wire.filterWasRead()
      return (card.name, card.device.receiveFilter)
    }
  }

  /// Pulls out the cable of a card, or of a back end, or plugs it in.
  public func setNetworkLink(_ name: String, isUp: Bool) throws(MachineError) {
    guard board.networks.setLink(name, isUp: isUp) else {
      let known = board.networks.wires.flatMap { [$0.cardName, $0.backEndName].compactMap { $0 } }
      throw MachineError("Device '\(name)' not found\(didYouMean(name, in: known))")
    }
  }

  /// Opens one more back end.
  public func addNetworkBackEnd(_ configuration: NetworkBackEndConfiguration) throws(MachineError) {
    do { try board.networks.add(configuration) } catch { throw MachineError(error) }
  }

  /// Closes a back end; a card that was plugged into it loses its link.
  public func removeNetworkBackEnd(_ id: String) throws(MachineError) {
    guard board.networks.remove(id) else { throw MachineError("Device '\(id)' not found") }
  }

  /// The user networks, by id; the first if none is named.
  public func userNetwork(_ id: String?) throws(MachineError) -> UserNetwork {
    let networks = board.networks.backEnds.compactMap { $0.port as? UserNetwork }
    guard let network = networks.first(where: { id == nil || $0.id == id }) else {
      throw MachineError(id.map { "there is no user network '\($0)'" } ?? "there is no user network")
    }
    return network
  }

  /// All user networks.
  public var userNetworks: [UserNetwork] { board.networks.backEnds.compactMap { $0.port as? UserNetwork } }
}

extension Networks.BackEnd {
  /// What monitors say of it.
  fileprivate var details: String {
    switch configuration.kind {
    case .user(let user): "net=\(user.network),restrict=\(user.isRestricted ? "on" : "off")"
    case .tap(let tap) where tap.helper != nil:
      "helper=\(tap.helper?.command ?? ""),br=\(tap.helper?.bridge ?? "")"
    case .tap(let tap):
      "ifname=\((port as? TapNetwork)?.interfaceName ?? ""),script=\(tap.upScript ?? "no"),"
        + "downscript=\(tap.downScript ?? "no")"
    case .stream(let settings): "\(settings.isServer ? "listen" : "connect")=\(settings.address)"
    case .datagram(let settings): "remote=\(settings.remote)"
    case .hubPort(let hub, let backEnd): "hubid=\(hub)" + (backEnd.map { ",netdev=\($0)" } ?? "")
    }
  }
}
