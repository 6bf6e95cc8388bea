// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Synchronization

/// Collects what changed on the screen, for as long as somebody looks.
final class ChangeTracker: DisplayListener {
  /// More rectangles than this become one.
  private static let capacity = 64

  /// What changed since the last look.
  struct Changes {
    /// Everything, or the size.
    var isEverything = false
    /// Otherwise these; they may overlap.
    var rectangles: [PixelRectangle] = []
  }

  private struct State {
    var isActive = false
    var isSignalled = false
    var changes = Changes()
  }
  private let state = Mutex(State())
  private let signal: @Sendable () -> Void

  /// A tracker that calls `signal`, on any thread, when there is something to see.
  init(signal: @escaping @Sendable () -> Void) { self.signal = signal }

  /// Begins or ends collecting. At the beginning everything has changed.
  func setActive(_ isActive: Bool) {
    state.withLock { $0 = State(isActive: isActive, changes: Changes(isEverything: isActive)) }
  }

  /// What changed since the last call.
  func take() -> Changes {
    state.withLock { state in
      defer {
        state.changes.isEverything = false
        state.changes.rectangles.removeAll(keepingCapacity: true)
        state.isSignalled = false
      }
      return state.changes
    }
  }

  func displayResized(width: Int, height: Int) { add { $0.isEverything = true } }

  func displayUpdated(_ rectangle: PixelRectangle) {
    add { changes in
      guard !changes.isEverything else { return }
      if changes.rectangles.count < Self.capacity {
        changes.rectangles.append(rectangle)
      } else {
        let all = changes.rectangles.reduce(rectangle) { $0.union($1) }
        changes.rectangles.removeAll(keepingCapacity: true)
        changes.rectangles.append(all)
      }
    }
  }

  private func add(_ change: (inout Changes) -> Void) {
    let mustSignal = state.withLock { state in
      guard state.isActive else { return false }
      change(&state.changes)
      defer { state.isSignalled = true }
      return !state.isSignalled
    }
    if mustSignal { signal() }
  }
}

extension PixelRectangle {
  /// The smallest rectangle around both.
  func union(_ other: PixelRectangle) -> PixelRectangle {
    let left = min(x, other.x)
    let top = min(y, other.y)
    return PixelRectangle(
      x: left, y: top, width: max(x + width, other.x + other.width) - left,
      height: max(y + height, other.y + other.height) - top)
  }

  /// The part that lies in a screen of this size.
  func clipped(width limitX: Int, height limitY: Int) -> PixelRectangle {
    let left = min(max(x, 0), limitX)
    let top = min(max(y, 0), limitY)
    return PixelRectangle(
      x: left, y: top, width: max(min(x + width, limitX) - left, 0),
      height: max(min(y + height, limitY) - top, 0))
  }
}
