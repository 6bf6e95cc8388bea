// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A hub (`-netdev hubport`): what comes in at one of its ports goes out at all others.
public final class PacketHub {
  /// `hubid=`.
  public let id: Int
  /// The ports, by the order they were added in.
  public private(set) var ports: [HubPort] = []

  /// A hub without ports.
  public init(id: Int) { self.id = id }

  /// One more port.
  public func makePort() -> HubPort {
    let port = HubPort(self)
    ports.append(port)
    return port
  }

  fileprivate func distribute(_ pieces: UnsafeBufferPointer<iovec>, except origin: HubPort) {
    for port in ports where port !== origin { port.emit(pieces) }
  }

  /// Whether all back ends take a frame now.
  fileprivate func hasRoom(except origin: HubPort) -> Bool {
    // All are asked: each tells when it has room.
    ports.reduce(true) { $1 === origin || $1.uplinkHasRoom ? $0 : false }
  }

  /// A back end has room again.
  fileprivate func becameReady() {
    for port in ports { port.wakeCard() }
  }

  fileprivate func settle(except origin: HubPort?) {
    for port in ports where port !== origin { port.settle() }
  }
}

/// One port of a ``PacketHub``. A card is plugged in as into any back end, or a back end is its uplink.
public final class HubPort: PacketPort, PacketReceiver {
  public weak var receiver: (any PacketReceiver)?
  fileprivate unowned let hub: PacketHub
  /// The back end, which this port is the card of.
  private var uplink: (any PacketPort)? {
    didSet { uplink?.receiver = self }
  }
  /// Frames that the card has no room for yet.
  private let queue = PacketQueue(capacity: 1 << 18)
  private var isCardBusy = false

  fileprivate init(_ hub: PacketHub) { self.hub = hub }

  /// Plugs a back end in, instead of a card.
  public func plug(_ backEnd: any PacketPort) { uplink = backEnd }

  // MARK: A card's side

  public var isLinkUp: Bool { true }
  public var offloads: PacketOffloads { [] }

  public func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard hub.hasRoom(except: self) else { return false }
    hub.distribute(pieces, except: self)
    return true
  }

  public func hasRoom() -> Bool { hub.hasRoom(except: self) }
  public func endOfBatch() { hub.settle(except: nil) }
  public func receiverBecameReady() { settle() }

  fileprivate var uplinkHasRoom: Bool { uplink?.hasRoom() ?? true }
  fileprivate func wakeCard() { if uplink == nil { receiver?.packetPortBecameReady() } }

  /// Has a frame leave the hub here. Cards get it when the sender has done its work.
  fileprivate func emit(_ pieces: UnsafeBufferPointer<iovec>) {
    if let uplink {
      // Cards asked before; of what other back ends send, what it has no room for is lost, as on a cable.
      _ = uplink.send(pieces, .none)
    } else {
      _ = queue.append(pieces)
    }
  }

  fileprivate func settle() {
    if let uplink { return uplink.endOfBatch() }
    guard !isCardBusy else { return }
    isCardBusy = true
    while let frame = queue.first, receiver?.receive(frame) ?? true { queue.removeFirst() }
    isCardBusy = false
  }

  // MARK: A back end's side

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: frame.baseAddress), iov_len: frame.count)
    withUnsafePointer(to: &piece) { hub.distribute(UnsafeBufferPointer(start: $0, count: 1), except: self) }
    hub.settle(except: self)
    return true
  }

  public func packetPortBecameReady() { hub.becameReady() }
  public func linkChanged() {}
  public var receiveFilter: ReceiveFilter { ReceiveFilter(address: MACAddress(bits: 0)) }
}
