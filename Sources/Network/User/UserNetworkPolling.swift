// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import EventLoop

// libslirp at the host's sockets, on the event loop. It takes microseconds a datagram, for which the guest's processors do
// not wait: they have the lock, what the card sends meanwhile waits for the library, and what comes in takes the lock for
// as long as the card needs.

extension UserNetwork {
  /// The library reads one datagram a socket in a call: a burst of them costs one turn of the event loop, not one each. A
  /// bounded number, so that others have their turn.
  private static let mostCallsATurn = 8
  private static let mostDatagramsATurn = 64

  /// Something happened at a socket, or the library's time has come.
  func poll() {
    _ = sockets.collect()
    var calls = 0
    repeat {
      guard let slirp, !isStarved else { return }
      if forwards.isEmpty {
        pollWithoutLock(slirp)
      } else {
        // What goes to character ports does so within the call.
        callLibrary(slirp)
      }
      settle()
      calls += 1
    } while calls < Self.mostCallsATurn && sockets.collect()
  }

  private func pollWithoutLock(_ slirp: SlirpFunctions.Slirp) {
    isPolling = true
    loop.withoutLock {
      var calls = 0
      repeat {
        callLibrary(slirp)
        calls += 1
      } while calls < Self.mostDatagramsATurn && sockets.collectDatagrams()
    }
    var frames = 0
    while let frame = sentMeanwhile.first {
      // With the lock in the end, so that a card which sends and sends does not keep the loop.
      if frames < Self.mostDatagramsATurn {
        loop.withoutLock { take(frame, slirp) }
      } else {
        take(frame, slirp)
      }
      sentMeanwhile.removeFirst()
      frames += 1
    }
    isPolling = false
    if isCardWaiting {
      isCardWaiting = false
      receiver?.packetPortBecameReady()
    }
  }

  private func take(_ frame: UnsafeRawBufferPointer, _ slirp: SlirpFunctions.Slirp) {
    guard let bytes = frame.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    library.input(slirp, bytes, Int32(clamping: frame.count))
  }

  private func callLibrary(_ slirp: SlirpFunctions.Slirp) {
    library.pollfdsPoll(
      slirp, 0,
      { index, context in
        Unmanaged<UserNetwork>.fromOpaque(context!).takeUnretainedValue().sockets.events(at: index)
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}
