// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Calls back once on the event loop, after some of the host's time. Guest time is `Bus.Clock`'s.
public final class OneShotTimer {
  private let descriptor: Int32
  private var watch: EventLoop.Watch?

  /// A timer on `loop`, not armed, that calls `handler` with the machine's lock held.
  public init(on loop: EventLoop, handler: @escaping () -> Void) throws(HostError) {
    let descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    guard descriptor >= 0 else { throw HostError("cannot create a timerfd") }
    self.descriptor = descriptor
    do throws(HostError) {
      watch = try loop.watch(descriptor, for: .readable) { _ in
        var count: UInt64 = 0
        // Nothing to be read: it was armed anew in the meantime.
        guard read(descriptor, &count, 8) == 8 else { return }
        handler()
      }
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  /// Has the handler called after `milliseconds`, instead of when it was to be called before.
  public func arm(afterMilliseconds milliseconds: Int) {
    // A time of zero would disarm it.
    set(seconds: max(milliseconds, 0) / 1000, nanoseconds: max(max(milliseconds, 0) % 1000 * 1_000_000, 1))
  }

  /// Takes the call back.
  public func disarm() { set(seconds: 0, nanoseconds: 0) }

  private func set(seconds: Int, nanoseconds: Int) {
    var spec = itimerspec()
    spec.it_value.tv_sec = seconds
    spec.it_value.tv_nsec = nanoseconds
    timerfd_settime(descriptor, 0, &spec, nil)
  }

  /// Ends it; the handler is not called any more.
  public func close() {
    watch?.cancel()
    watch = nil
  }

  deinit {
    watch?.cancel()
    Glibc.close(descriptor)
  }
}
