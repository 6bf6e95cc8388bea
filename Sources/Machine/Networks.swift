// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import EventLoop
import Logging
import Network
import OptionSyntax

/// The machine's back ends and cables, by name. Called with the lock held.
final class Networks {
  /// One back end.
  final class BackEnd {
    let configuration: NetworkBackEndConfiguration
    let port: any PacketPort
    /// What is plugged in: a card's cable, or a hub's port.
    fileprivate(set) var wire: PacketWire?
    fileprivate(set) var hub: PacketHub?

    fileprivate init(_ configuration: NetworkBackEndConfiguration, port: any PacketPort) {
      (self.configuration, self.port) = (configuration, port)
    }
  }

  private(set) var backEnds: [BackEnd] = []
  private(set) var wires: [PacketWire] = []
  private var hubs: [Int: PacketHub] = [:]
  /// Told that somebody came to a stream's other end, or went.
  var onConnection: ((StreamNetwork) -> Void)?
  private let characterPorts: CharacterPorts
  /// The character ports that back ends use (`guestfwd=`), by `id=`.
  private var lent: [String: [any CharacterPort]] = [:]
  private let loop: EventLoop
  private let log: Logger

  init(
    _ configuration: NetworkConfiguration, characterPorts: CharacterPorts, loop: EventLoop, isTraced: Bool
  ) throws {
    (self.characterPorts, self.loop) = (characterPorts, loop)
    var log = Logger(label: "martlet.net")
    log.logLevel = isTraced ? .debug : .warning
    self.log = log
    do {
      for backEnd in configuration.backEnds { try add(backEnd) }
    } catch {
      close()
      throw error
    }
  }

  /// Lets everything of the host's go.
  func close() {
    for backEnd in backEnds { backEnd.port.close() }
  }

  func backEnd(_ id: String) -> BackEnd? { backEnds.first { $0.configuration.id == id } }

  // MARK: Back ends

  /// Opens a back end.
  func add(_ configuration: NetworkBackEndConfiguration) throws {
    guard backEnd(configuration.id) == nil else {
      throw MachineError("there are two network back ends with id=\(configuration.id)")
    }
    var plugged: BackEnd?
    if case .hubPort(_, let id?) = configuration.kind {
      guard let other = backEnd(id) else {
        throw MachineError("there is no network back end '\(id)'\(didYouMean(id, in: names))")
      }
      guard other.wire == nil, other.hub == nil else {
        throw MachineError("the network back end '\(id)' is in use")
      }
      plugged = other
    }
    let added = BackEnd(configuration, port: try open(configuration, plugged))
    backEnds.append(added)
  }

  private func open(_ configuration: NetworkBackEndConfiguration, _ plugged: BackEnd?) throws(NetworkError)
    -> any PacketPort
  {
    let id = configuration.id
    switch configuration.kind {
    case .user(let settings):
      do throws(NetworkError) {
        return try UserNetwork(settings, id: id, loop: loop, log: log) {
          (text, label) throws(CharacterPortError) in
          let port = try characterPorts.open(text, label: label)
          if let port { lent[id, default: []].append(port) }
          return port
        }
      } catch {
        giveBackPorts(of: id)
        throw error
      }
    case .tap(let settings): return try TapNetwork(settings, id: id, loop: loop, log: log)
    case .stream(let settings):
      let stream = try StreamNetwork(settings, id: id, loop: loop, log: log)
      stream.onConnection = { [unowned self, unowned stream] in onConnection?(stream) }
      if stream.isConnected { onConnection?(stream) }
      return stream
    case .datagram(let settings): return try DatagramNetwork(settings, id: id, loop: loop)
    case .hubPort(let number, _):
      let hub = hubs[number] ?? PacketHub(id: number)
      hubs[number] = hub
      let port = hub.makePort()
      if let plugged {
        port.plug(plugged.port)
        plugged.hub = hub
      }
      return port
    }
  }

  /// Takes a back end away, also from a card that is plugged into it; false if there is none of that name.
  func remove(_ id: String) -> Bool {
    guard let index = backEnds.firstIndex(where: { $0.configuration.id == id }) else { return false }
    let removed = backEnds.remove(at: index)
    removed.wire?.detach()
    removed.port.close()
    giveBackPorts(of: id)
    return true
  }

  private func giveBackPorts(of id: String) {
    for port in lent.removeValue(forKey: id) ?? [] { characterPorts.giveBack(port) }
  }

  private var names: [String] { backEnds.map(\.configuration.id) }

  // MARK: Cables

  /// The cable of a card, plugged into the back end that it names.
  func wire(cardName: String, to id: String?) throws -> PacketWire {
    var end: BackEnd?
    if let id {
      guard let known = backEnd(id) else {
        throw MachineError("there is no network back end '\(id)'\(didYouMean(id, in: names))")
      }
      guard known.wire == nil, known.hub == nil else {
        throw MachineError("the network back end '\(id)' is in use")
      }
      end = known
    }
    let wire = PacketWire(cardName: cardName, to: end?.port, backEndName: id)
    end?.wire = wire
    wires.append(wire)
    return wire
  }

  /// Pulls out a cable or plugs it in; false if neither a card nor a back end has that name.
  func setLink(_ name: String, isUp: Bool) -> Bool {
    guard let wire = wires.first(where: { $0.cardName == name || $0.backEndName == name }) else {
      return false
    }
    wire.isPluggedIn = isUp
    return true
  }

  /// Has a file get what goes over the cable of a back end.
  func capture(_ configuration: CaptureConfiguration) throws {
    guard let wire = backEnd(configuration.backEnd)?.wire else {
      throw MachineError(
        "filter-dump '\(configuration.id)': there is no network back end '\(configuration.backEnd)' with a card"
          + didYouMean(configuration.backEnd, in: names))
    }
    wire.add(
      try PacketCapture(name: configuration.id, path: configuration.path, longest: configuration.longest))
  }
}
