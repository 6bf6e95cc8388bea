// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The cable between a card and a back end: it can be pulled out (`set_link`) and listened to (`filter-dump`).
public final class PacketWire: PacketPort, PacketReceiver {
  public weak var receiver: (any PacketReceiver)?
  /// The name of the card's end: its id, or its kind.
  public var cardName: String
  /// `id=` of the back end; nil if nothing is at the other end.
  public private(set) var backEndName: String?
  private var end: any PacketPort
  /// Files that get a copy of each frame.
  public private(set) var captures: [PacketCapture] = []
  /// Told that the card's filter has changed: once, and then not until ``filterWasRead()``, so that a guest cannot flood
  /// whoever listens.
  public var onFilterChange: (() -> Void)?
  private var isFilterChangeTold = false
  /// Frames and bytes that went through, from the card and to it, since the start.
  public private(set) var sent = Traffic()
  public private(set) var received = Traffic()

  /// How much went one way.
  public struct Traffic: Sendable, Equatable {
    public var frames: UInt64 = 0
    public var bytes: UInt64 = 0

    /// So many frames with so many bytes together.
    public init(frames: UInt64 = 0, bytes: UInt64 = 0) { (self.frames, self.bytes) = (frames, bytes) }
  }

  /// Whether the cable is plugged in at the card's end.
  public var isPluggedIn = true {
    didSet { if isPluggedIn != oldValue { receiver?.linkChanged() } }
  }

  /// A cable to a back end.
  public init(cardName: String, to end: (any PacketPort)?, backEndName: String?) {
    self.cardName = cardName
    self.end = end ?? UnpluggedPacketPort()
    self.backEndName = end == nil ? nil : backEndName
    self.end.receiver = self
  }

  /// Has a file get a copy of each frame from now on.
  public func add(_ capture: PacketCapture) { captures.append(capture) }

  /// Has the file get no more.
  public func removeCapture(named name: String) -> Bool {
    let before = captures.count
    captures.removeAll { $0.name == name }
    return captures.count < before
  }

  /// Takes the back end away: the cable ends nowhere.
  public func detach() {
    end.receiver = nil
    end = UnpluggedPacketPort()
    backEndName = nil
    receiver?.linkChanged()
  }

  // MARK: From the card

  public var isLinkUp: Bool { isPluggedIn && end.isLinkUp }
  /// A capture is to show frames as they would be on a cable.
  public var offloads: PacketOffloads { captures.isEmpty ? end.offloads : [] }

  public func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard isPluggedIn else { return true }
    guard end.send(pieces, offload) else { return false }
    sent.frames &+= 1
    for piece in pieces { sent.bytes &+= UInt64(piece.iov_len) }
    if !captures.isEmpty { for capture in captures { capture.write(pieces) } }
    return true
  }

  public func endOfBatch() { end.endOfBatch() }
  public func receiverBecameReady() { end.receiverBecameReady() }
  public func receiveFilterChanged() {
    guard !isFilterChangeTold, let onFilterChange else { return }
    isFilterChangeTold = true
    onFilterChange()
  }
  /// Somebody has looked at the card's filter: the next change is told again.
  public func filterWasRead() { isFilterChangeTold = false }
  public func close() { end.close() }

  // MARK: To the card

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard isPluggedIn, let receiver else { return true }
    guard receiver.receive(frame) else { return false }
    received.frames &+= 1
    received.bytes &+= UInt64(frame.count)
    if !captures.isEmpty { for capture in captures { capture.write(frame) } }
    return true
  }

  public func packetPortBecameReady() { receiver?.packetPortBecameReady() }
  public func linkChanged() { receiver?.linkChanged() }
  public var receiveFilter: ReceiveFilter {
    receiver?.receiveFilter ?? ReceiveFilter(address: MACAddress(bits: 0))
  }
}
