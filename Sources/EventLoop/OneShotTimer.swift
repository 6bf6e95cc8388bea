// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Calls back once on the event loop, after some of the host's time. Guest time is `Bus.Clock`'s.
public final class OneShotTimer {
  private let descriptor: Int32
  private var watch: EventLoop.Watch?
  /// When it fires, in milliseconds of CLOCK_MONOTONIC; nil if it is not armed.
  private var deadline: Int?

  /// A timer on `loop`, not armed, that calls `handler` with the machine's lock held.
  public init(on loop: EventLoop, handler: @escaping () -> Void) throws(HostError) {
    let descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    guard descriptor >= 0 else { throw HostError("cannot create a timerfd") }
    self.descriptor = descriptor
    do throws(HostError) {
      watch = try loop.watch(descriptor, for: .readable) { [unowned self] _ in
        var count: UInt64 = 0
        // Nothing to be read: it was armed anew in the meantime.
        guard read(descriptor, &count, 8) == 8 else { return }
        deadline = nil
        handler()
      }
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  /// Has the handler called after `milliseconds`, instead of when it was to be called before.
  public func arm(afterMilliseconds milliseconds: Int) {
    set(deadline: Self.now &+ max(milliseconds, 0))
  }

  /// Has the handler called after `milliseconds` at the latest: an earlier call stays, and costs nothing. For handlers
  /// that find out for themselves what is due.
  public func arm(withinMilliseconds milliseconds: Int) {
    let wanted = Self.now &+ max(milliseconds, 0)
    if deadline ?? .max > wanted { set(deadline: wanted) }
  }

  /// Takes the call back.
  public func disarm() { if deadline != nil { set(deadline: nil) } }

  private func set(deadline: Int?) {
    self.deadline = deadline
    var spec = itimerspec()
    if let deadline {
      spec.it_value.tv_sec = deadline / 1000
      spec.it_value.tv_nsec = deadline % 1000 * 1_000_000
    }
    timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &spec, nil)
  }

  private static var now: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    // Begun milliseconds count, so that no call comes too early.
    return time.tv_sec * 1000 + (time.tv_nsec + 999_999) / 1_000_000
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
