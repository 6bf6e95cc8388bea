// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import EventLoop

// libslirp at the host's sockets, on the event loop. It takes microseconds a datagram, for which the guest's processors do
// not wait: they have the lock, what the card sends meanwhile or in a burst waits in a queue, and what comes in takes the lock
// for as long as the card needs.

extension UserNetwork {
  /// The library reads one datagram a socket in a call: a burst of them costs one turn of the event loop, not one each. A
  /// bounded number, so that others have their turn.
  private static let mostCallsATurn = 8
  private static let mostDatagramsATurn = 64

  /// Something happened at a socket, or the library's time has come.
  func poll() {
    _ = sockets.collect()
    var calls = 0
    var datagrams = Self.mostDatagramsATurn
    repeat {
      guard let slirp, !isStarved else { return }
      if forwards.isEmpty {
        pollWithoutLock(slirp, &datagrams)
      } else {
        // What goes to character ports does so within the call.
        callLibrary(slirp)
      }
      settle()
      calls += 1
    } while calls < Self.mostCallsATurn && datagrams > 0 && sockets.collect()
  }

  private func pollWithoutLock(_ slirp: SlirpFunctions.Slirp, _ datagrams: inout Int) {
    isPolling = true
    loop.withoutLock {
      var found = 0
      repeat {
        let before = deliveredCount
        callLibrary(slirp)
        // What the card does not take, or what waits in the library (for the guest's hardware address), waits better outside.
        guard !isFilling, deliveredCount != before else { break }
        found = sockets.collectDatagrams()
        datagrams -= found
      } while found > 0 && datagrams > 0
    }
    sending?.flush()
    isPolling = false
  }

  /// Has the library take what the card sent in a burst.
  func flush() {
    isPolling = true
    sending?.flush()
    isPolling = false
    settle()
  }

  /// Frames for the library; it is never full.
  func take(_ frames: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Int {
    guard let slirp else { return frames.count }
    for frame in frames {
      guard let bytes = frame.baseAddress?.assumingMemoryBound(to: UInt8.self) else { continue }
      library.input(slirp, bytes, Int32(clamping: frame.count))
    }
    return frames.count
  }

  private func callLibrary(_ slirp: SlirpFunctions.Slirp) {
    library.pollfdsPoll(
      slirp, 0,
      { index, context in
        Unmanaged<UserNetwork>.fromOpaque(context!).takeUnretainedValue().sockets.events(at: index)
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}
