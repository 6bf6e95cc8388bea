// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import EventLoop
import Synchronization

/// Asks the machine to draw what changed, never twice at a time.
final class RefreshRequest: @unchecked Sendable {
  // Unchecked: `source` is only used with the machine's lock held.
  private let source: any DisplaySource
  private let loop: EventLoop
  private let isUnderWay = Atomic(false)

  /// Requests for `source`, which `loop` carries out.
  init(source: any DisplaySource, loop: EventLoop) { (self.source, self.loop) = (source, loop) }

  /// Has the source drawn soon, and `done` called afterwards, on the machine's loop. May be called from any thread; while a
  /// drawing is under way, its end is the one that is told.
  func post(done: @escaping @Sendable () -> Void) {
    guard !isUnderWay.exchange(true, ordering: .acquiringAndReleasing) else { return }
    loop.post {
      self.isUnderWay.store(false, ordering: .releasing)
      self.source.refresh(all: false)
      done()
    }
  }
}
