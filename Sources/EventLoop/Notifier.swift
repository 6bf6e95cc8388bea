// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// A doorbell between threads: ``signal()`` on any thread, and a handler is called on the event loop.
/// Several signals may become one call. Costs no allocation per signal.
public final class Notifier: @unchecked Sendable {
  // Unchecked: `watch` is set once in `init` and used by the loop's thread only.
  /// The eventfd behind it, for interfaces that signal one themselves (libaio, irqfd).
  public let descriptor: Int32
  private var watch: EventLoop.Watch?

  /// A doorbell on `loop` that calls `handler` with the machine's lock held.
  public init(on loop: EventLoop, handler: @escaping () -> Void) throws(HostError) {
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw HostError("cannot create an eventfd") }
    self.descriptor = descriptor
    watch = try loop.watch(descriptor, for: .readable) { _ in
      var count: UInt64 = 0
      _ = read(descriptor, &count, 8)
      handler()
    }
  }

  /// Rings. May be called from any thread.
  public func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Stops calling the handler. Called with the machine's lock held. A signal that another thread is about to give
  /// still finds the eventfd, which is closed with the object.
  public func close() {
    watch?.cancel()
    watch = nil
  }

  deinit { Glibc.close(descriptor) }
}
