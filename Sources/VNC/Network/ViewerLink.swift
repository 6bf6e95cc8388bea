// SPDX-License-Identifier: GPL-2.0-or-later

import Synchronization

/// What the network thread and the screen thread share about one viewer, besides a pair of sockets.
final class ViewerLink: Sendable {
  /// Above this many bytes on their way to a viewer, it gets no further update.
  static let limit = 64 << 10

  /// Who it is, for messages.
  let peer: String
  /// What others are told of it.
  let facts: ViewerFacts
  private struct State {
    var backlog = 0
    var isAwaited = false
    var hasFailedPassword = false
  }
  private let state = Mutex(State())

  /// A link to the viewer `peer`.
  init(peer: String, number: Int = 0, isBrowser: Bool = false) {
    self.peer = peer
    facts = ViewerFacts(number: number, peer: peer, isBrowser: isBrowser)
  }

  /// Network thread: this many bytes wait for the viewer's socket.
  /// - Returns: whether the screen thread wants to know.
  func setBacklog(_ count: Int) -> Bool {
    state.withLock { state in
      state.backlog = count
      guard state.isAwaited, count <= Self.limit else { return false }
      state.isAwaited = false
      return true
    }
  }

  /// Screen thread: whether an update may be sent, if `inFlight` bytes are between the threads. If not, the
  /// network thread will tell when it may.
  func mayUpdate(inFlight: Int) -> Bool {
    state.withLock { state in
      state.isAwaited = state.backlog + inFlight > Self.limit
      return !state.isAwaited
    }
  }

  /// Whether the viewer gave a wrong password.
  var hasFailedPassword: Bool {
    get { state.withLock { $0.hasFailedPassword } }
    set { state.withLock { $0.hasFailedPassword = newValue } }
  }
}
