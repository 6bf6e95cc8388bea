// SPDX-License-Identifier: GPL-2.0-or-later

/// Guest time that stands still unless it is moved by hand: by a test, or by a client of qtest.
public final class SteppedClock: MachineClock {
  private var time: Nanoseconds = 0

  /// A clock at zero.
  public override init() {}
  public override var now: Nanoseconds { time }

  /// Moves the clock forward, stopping at each deadline on the way to fire its timer.
  public func advance(by nanoseconds: Nanoseconds) {
    let (end, isTooFar) = time.addingReportingOverflow(nanoseconds)
    advance(to: isTooFar ? .max : end)
  }

  /// Moves the clock forward to `end`, stopping at each deadline on the way to fire its timer; a moment already past
  /// changes nothing.
  /// - Parameter deadlineLimit: how many stops there may be.
  /// - Returns: whether the clock came to `end`; if not, it stands at the last deadline.
  @discardableResult
  public func advance(to end: Nanoseconds, deadlineLimit: Int = .max) -> Bool {
    var stops = 0
    while let deadline = nextDeadline, deadline <= end {
      guard stops < deadlineLimit else { return false }
      stops += 1
      time = max(time, deadline)
      fireTimers(dueBy: time)
    }
    time = max(time, end)
    return true
  }

  public override func set(_ time: Nanoseconds) { self.time = time }
}
