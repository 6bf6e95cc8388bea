// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// Guest time of a whole machine, which can be stopped and, when a saved machine is restored, set.
open class MachineClock: Clock {
  /// Lets time go on.
  open func start() {}
  /// Makes time stand still.
  open func stop() {}
  /// Sets guest time; only while stopped.
  open func set(_ time: Nanoseconds) {}
}

/// Guest time that follows the host's monotonic clock while the machine runs.
public final class HostClock: MachineClock {
  private let loop: EventLoop
  /// Host time at which guest time was zero, moved forward by each pause.
  private var origin: UInt64
  /// Guest time at which the clock was stopped; nil while it runs.
  private var stoppedAt: UInt64?

  /// A stopped clock at zero whose timers fire on `loop`.
  public init(loop: EventLoop) {
    self.loop = loop
    origin = Self.hostNow
    stoppedAt = 0
    super.init()
    loop.onDeadline { [unowned self] in
      guard stoppedAt == nil else { return }
      fireTimers(dueBy: now)
    }
  }

  /// Nanoseconds of `CLOCK_MONOTONIC`.
  public static var hostNow: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  public override var now: Nanoseconds { stoppedAt ?? Self.hostNow &- origin }

  public override func nextDeadlineChanged(to deadline: Nanoseconds?) {
    loop.setDeadline(stoppedAt == nil ? deadline.map { $0 &+ origin } : nil)
  }

  /// Lets time go on.
  public override func start() {
    guard let time = stoppedAt else { return }
    origin = Self.hostNow &- time
    stoppedAt = nil
    nextDeadlineChanged(to: nextDeadline)
  }

  /// Makes time stand still.
  public override func stop() {
    guard stoppedAt == nil else { return }
    stoppedAt = now
    nextDeadlineChanged(to: nil)
  }

  /// Sets guest time, when a saved machine is restored; only while stopped.
  public override func set(_ time: Nanoseconds) {
    if stoppedAt != nil { stoppedAt = time }
  }
}
