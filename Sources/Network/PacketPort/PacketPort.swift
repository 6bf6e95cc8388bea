// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The socket a network card is plugged into: frames out, frames in.
///
/// A frame is an Ethernet frame from its destination address to the end of its data, without preamble and
/// frame check sequence. Called with the machine's lock held.
///
/// To keep devices from being entered again from their own calls, a port hands frames to its receiver only
/// from the event loop, and from within ``endOfBatch()`` and ``receiverBecameReady()``, which a card calls as
/// the last thing it does.
public protocol PacketPort: AnyObject {
  /// The card that gets what comes in; set once by the card.
  var receiver: (any PacketReceiver)? { get set }
  /// Whether the other side is there: the cable is plugged in at both ends.
  var isLinkUp: Bool { get }
  /// What the other side does itself, so that a card need not.
  var offloads: PacketOffloads { get }
  /// Takes one frame, made of pieces, at most ``PacketLimits/largestFrame`` bytes together, whose memory is
  /// not used any more after the call.
  ///
  /// Without a link frames are taken and lost. `offload` says what is left to do, of what ``offloads`` names.
  /// - Returns: false if there is no room now: the frame was not taken, and the receiver's
  ///   ``PacketReceiver/packetPortBecameReady()`` is called when there is room again.
  func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool
  /// Whether a frame would be taken now; if not, ``PacketReceiver/packetPortBecameReady()`` is called when there is room again.
  func hasRoom() -> Bool
  /// The card has sent what it had: what was put off until now is to be done. Frames may come in during the
  /// call.
  func endOfBatch()
  /// The card has room again after it refused a frame. Frames may come in during the call.
  func receiverBecameReady()
  /// Which frames the card lets in has changed.
  func receiveFilterChanged()
  /// Lets the host's end go; nothing comes in or goes out any more.
  func close()
}

extension PacketPort {
  public func hasRoom() -> Bool { true }
  public func endOfBatch() {}
  public func receiveFilterChanged() {}
  public func close() {}
}

/// A network card, as seen from its cable.
public protocol PacketReceiver: AnyObject {
  /// A frame came in, at most ``PacketLimits/largestFrame`` bytes; it may be shorter than Ethernet's 60 bytes.
  /// - Returns: false if the card has no room for it now: it is kept and offered again after
  ///   ``PacketPort/receiverBecameReady()``. A frame that the card does not want counts as taken.
  func receive(_ frame: UnsafeRawBufferPointer) -> Bool
  /// The port has room again after it refused a frame.
  func packetPortBecameReady()
  /// ``PacketPort/isLinkUp`` has changed.
  func linkChanged()
  /// Which frames the card lets in, for monitors.
  var receiveFilter: ReceiveFilter { get }
}

/// Bounds that hold for every port.
public enum PacketLimits {
  /// The longest frame in bytes: a TCP segment to be cut, with its headers.
  public static let largestFrame = 65536 + 4096
  /// The most pieces a frame is handed over in.
  public static let mostPieces = 64
}

/// A socket without a cable.
public final class UnpluggedPacketPort: PacketPort {
  public weak var receiver: (any PacketReceiver)?
  /// A socket without a cable.
  public init() {}
  public var isLinkUp: Bool { false }
  public var offloads: PacketOffloads { [] }
  public func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool { true }
  public func receiverBecameReady() {}
}
