// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Network

/// A cable in a test: keeps what a card sends, and hands it what the test puts in.
public final class PacketRecorder: PacketPort {
  public weak var receiver: (any PacketReceiver)?
  public var isLinkUp = true { didSet { if isLinkUp != oldValue { receiver?.linkChanged() } } }
  public var offloads: PacketOffloads = []
  /// What was sent, in order.
  public private(set) var sent: [[UInt8]] = []
  /// What was left to do for each of them.
  public private(set) var sentOffloads: [PacketOffload] = []
  /// How many frames are taken before the port is full; nil for no limit.
  public var room: Int?
  /// Frames that the card refused.
  public private(set) var waiting: [[UInt8]] = []
  public private(set) var batches = 0
  public private(set) var filterChanges = 0

  /// A cable with nothing at its other end.
  public init() {}

  public func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard isLinkUp else { return true }
    if let room {
      guard room > 0 else { return false }
      self.room = room - 1
    }
    var frame: [UInt8] = []
    for piece in pieces { frame += UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len) }
    precondition(frame.count <= PacketLimits.largestFrame && pieces.count <= PacketLimits.mostPieces)
    sent.append(frame)
    sentOffloads.append(offload)
    return true
  }

  public func endOfBatch() { batches += 1 }
  public func receiveFilterChanged() { filterChanges += 1 }

  /// Forgets what was sent.
  public func clear() {
    sent = []
    sentOffloads = []
  }

  /// Has a frame come in, behind those that wait.
  public func deliver(_ frame: [UInt8]) {
    waiting.append(frame)
    receiverBecameReady()
  }

  public func receiverBecameReady() {
    while let frame = waiting.first {
      guard frame.withUnsafeBytes({ receiver?.receive($0) ?? true }) else { return }
      if !waiting.isEmpty { waiting.removeFirst() }
    }
  }
}
