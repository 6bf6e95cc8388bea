// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

/// A guest's connections to an address of its network that are joined to a character port
/// (`guestfwd=tcp:10.0.2.100:7-chardev:ID`).
///
/// Bytes of all connections go to the port; what comes from it goes to the connection made last, and waits while there
/// is none. Nobody but the guest ends a connection, and the port does not hear of it; beyond 16 the oldest is ended.
///
/// libslirp hands over what it has acknowledged and cannot be told to wait. So while a port takes nothing, the guest's data
/// for it does not reach the library: TCP sends it again.
final class CharacterForward: CharacterReceiver {
  let rule: GuestForward
  let port: any CharacterPort
  /// What the port did not take yet. A guest's window is 64 KiB at most (the library scales none), and may all be handed
  /// over at once when a missing part arrives.
  private let unsent = OutputBuffer(capacity: 256 << 10)
  private static let fullFrom = 128 << 10
  /// The segments that opened the guest's connections, oldest first.
  private var openings: [GuestSegment] = []
  private static let mostConnections = 16
  /// Bytes wait in the port for room in the guest's connection.
  private var isPortWaiting = false
  /// The network, while it is open.
  weak var network: UserNetwork?

  init(_ rule: GuestForward, port: any CharacterPort) {
    (self.rule, self.port) = (rule, port)
    port.receiver = self
  }

  /// Nothing is exchanged any more; the port stays open, for it may have another owner.
  func close() {
    network = nil
    port.receiver = nil
  }

  /// Whether data of the guest's must wait.
  var isFull: Bool { unsent.count >= Self.fullFrom }

  /// Whether a segment of the guest's goes to this port.
  func isFor(_ segment: GuestSegment) -> Bool {
    segment.destination == rule.address.bits && segment.destinationPort == rule.port
  }

  /// A connection is being opened: remembers it, and returns a frame that ends another one in libslirp's eyes, if one must
  /// end for it. The library keeps 256 KiB for each, and none ends but by the guest's reset.
  func makeRoom(for segment: GuestSegment, like frame: UnsafeRawBufferPointer) -> [UInt8]? {
    var old: GuestSegment?
    if let index = openings.firstIndex(where: {
      $0.source == segment.source && $0.sourcePort == segment.sourcePort
    }) {
      // Sent once more, or a new one from the same port, of which the library must not see two.
      old = openings.remove(at: index)
      if old?.sequence == segment.sequence { old = nil }
    } else if openings.count == Self.mostConnections {
      old = openings.removeFirst()
    }
    openings.append(segment)
    // A sequence number of before the window does (RFC 793): the library is of that age.
    return old.map { $0.reset(sequence: $0.sequence &+ 1, like: frame) }
  }

  /// Bytes of the guest's; false if some were lost.
  func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    if unsent.isEmpty {
      let count = port.write(rest)
      guard count < rest.count else { return true }
      rest = UnsafeRawBufferPointer(rebasing: rest[max(0, count)...])
    }
    return unsent.append(rest) == rest.count
  }

  /// What the port did not take yet, for a saved state.
  var unsentBytes: [UInt8] {
    var bytes: [UInt8] = []
    unsent.forEachPiece { bytes += $0 }
    return bytes
  }

  /// Takes over what another's port did not take; false if it is too much.
  func takeUnsent(_ bytes: [UInt8]) -> Bool {
    unsent.removeAll()
    return bytes.withUnsafeBytes { send($0) }
  }

  /// Has the port say again what the guest's connection may have room for now.
  func offerAgain() {
    guard isPortWaiting, let network, network.room(in: self) > 0 else { return }
    isPortWaiting = false
    port.receiverBecameReady()
  }

  // MARK: The port's side

  func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let network else { return bytes.count }
    // Not asked again during the call.
    isPortWaiting = false
    let count = min(bytes.count, network.room(in: self))
    if count > 0 { network.forward(UnsafeRawBufferPointer(rebasing: bytes[..<count]), of: self) }
    isPortWaiting = count < bytes.count
    return count
  }

  func characterPortBecameWritable() {
    while !unsent.isEmpty, unsent.offer(port.write) > 0 {}
  }
}
