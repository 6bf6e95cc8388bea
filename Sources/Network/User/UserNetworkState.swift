// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import Glibc

extension UserNetwork {
  /// What a user network keeps across save and restore: the addresses that DHCP has given, and the connections to
  /// character ports (`guestfwd=`). Other connections end in sockets of the host's, which belong to a process: the guest's
  /// ends of them are reset when they send something next.
  public struct State: Codable, Equatable, Sendable {
    /// Of the layout.
    public static let version = 1
    /// Of libslirp's part.
    var libraryVersion: Int32
    /// libslirp's part, in its own form.
    var library: [UInt8]
    /// What the ports did not take yet of what the guest sent, by rule.
    var unsent: [Unsent]

    struct Unsent: Codable, Equatable, Sendable {
      let rule: String
      let bytes: [UInt8]
    }
  }

  /// The state, taken while the machine is paused.
  public func save() -> State {
    let stream = SlirpStream([])
    if let slirp { library.stateSave(slirp, SlirpStream.write, stream.opaque) }
    return State(
      libraryVersion: library.stateVersion(), library: stream.bytes,
      unsent: forwards.map { State.Unsent(rule: $0.rule.description, bytes: $0.unsentBytes) }
        .filter { !$0.bytes.isEmpty })
  }

  /// Takes a state over, on a network made with the same options, before the guest runs.
  public func restore(_ state: State) throws(NetworkError) {
    guard let slirp else { return }
    guard state.libraryVersion == SavedSlirp.version, library.stateVersion() == SavedSlirp.version else {
      throw .state(id: id, reason: "it is of another version of libslirp")
    }
    guard SavedSlirp.isSound(state.library, mostConnections: forwards.count) else {
      throw .state(id: id, reason: "it is damaged, or of a network with other options")
    }
    for unsent in state.unsent {
      guard let forward = forwards.first(where: { $0.rule.description == unsent.rule }),
        forward.takeUnsent(unsent.bytes)
      else { throw .state(id: id, reason: "there is no such 'guestfwd=\(unsent.rule)'") }
    }
    let stream = SlirpStream(state.library)
    let result = withExtendedLifetime(stream) {
      library.stateLoad(slirp, state.libraryVersion, SlirpStream.read, stream.opaque)
    }
    guard result == 0 else {
      throw .state(id: id, reason: "libslirp does not take it: \(String(cString: strerror(-result)))")
    }
    settle()
  }
}

/// The bytes of a state on their way out of libslirp or into it.
private final class SlirpStream {
  private(set) var bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// What the library hands to ``read`` and ``write``; it keeps nothing alive.
  var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  private static func of(_ context: UnsafeMutableRawPointer?) -> SlirpStream? {
    context.map { Unmanaged<SlirpStream>.fromOpaque($0).takeUnretainedValue() }
  }

  static let write: SlirpWriteCb = { piece, count, context in
    SlirpStream.of(context)?.bytes.append(contentsOf: UnsafeRawBufferPointer(start: piece, count: count))
    return count
  }

  static let read: SlirpReadCb = { place, count, context in
    guard let stream = SlirpStream.of(context) else { return -1 }
    let piece = stream.bytes[stream.position...].prefix(count)
    UnsafeMutableRawBufferPointer(start: place, count: count).copyBytes(from: piece)
    stream.position += piece.count
    return piece.count
  }
}
