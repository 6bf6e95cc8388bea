// SPDX-License-Identifier: GPL-2.0-or-later

/// The timer (SDM volume 3, section 10.5.4). It counts nanoseconds of guest time.
extension LocalAPIC {
  /// 0 one-shot, 1 periodic, 2 TSC deadline.
  var timerMode: UInt32 { self[Register.timer] >> 17 & 3 }

  /// The divider as a shift: 1, 2 … 128.
  var divideShift: UInt64 {
    let value = self[Register.divide] & 3 | self[Register.divide] >> 1 & 4
    return UInt64((value + 1) & 7)
  }

  var currentCount: UInt32 {
    let initial = UInt64(self[Register.initialCount])
    guard initial != 0, timerMode != 2 else { return 0 }
    let ticks = (clock.now &- countStart) >> divideShift
    if timerMode == 1 { return UInt32(truncatingIfNeeded: initial - ticks % initial) }
    return ticks >= initial ? 0 : UInt32(truncatingIfNeeded: initial - ticks)
  }

  /// Has the counter show `remaining` now.
  func startCount(from remaining: UInt32) {
    let counted = UInt64(self[Register.initialCount] &- min(remaining, self[Register.initialCount]))
    countStart = clock.now &- counted << divideShift
  }

  /// Interrupts of a periodic timer nearer together than this, in nanoseconds, are left out: no guest can serve them, and
  /// they would keep the host busy.
  private static let shortestPeriod: UInt64 = 10_000

  /// Arms the host's side for the next interrupt, if there will be one. A deadline is waited for even while it is masked: it
  /// passes, and is cleared, all the same.
  func scheduleTimer() {
    guard timerMode == 2 || self[Register.timer] & Self.masked == 0, let next = nextTimerInterrupt() else {
      countTimer?.disarm()
      return
    }
    countTimer?.arm(at: next)
  }

  public func timeStampChanged() { if timerMode == 2 { scheduleTimer() } }

  /// When the timer ends next; nil if it does not, or later than the clock can tell.
  private func nextTimerInterrupt() -> UInt64? {
    let now = clock.now
    if timerMode == 2 {
      guard deadline != 0, let processor else { return nil }
      let timeStamp = processor.timeStamp
      return deadline > timeStamp ? Self.time(now, plus: min(deadline &- timeStamp, 1 << 62)) : now
    }
    let period = UInt64(self[Register.initialCount]) << divideShift
    guard period != 0 else { return nil }
    let elapsed = now &- countStart
    guard timerMode == 1 else { return elapsed < period ? Self.time(now, plus: period &- elapsed) : nil }
    let stride = period >= Self.shortestPeriod ? period : (Self.shortestPeriod / period + 1) * period
    return Self.time(now, plus: stride &- elapsed % stride)
  }

  private static func time(_ now: UInt64, plus rest: UInt64) -> UInt64? {
    let (sum, isTooLate) = now.addingReportingOverflow(rest)
    return isTooLate ? nil : sum
  }

  func timerElapsed() {
    if timerMode == 2 { deadline = 0 }
    fire(Register.timer)
    scheduleTimer()
  }
}
