// SPDX-License-Identifier: GPL-2.0-or-later

/// Guest time: nanoseconds since the machine was made, standing still while it is paused.
///
/// Devices read it and set timers on it, and never look at the host's clock. ``HostClock`` follows the host,
/// ``SteppedClock`` is moved by tests. Called with the machine's lock held, except ``now``, which any
/// thread may read.
open class Clock {
  /// A time in nanoseconds of guest time.
  public typealias Nanoseconds = UInt64

  private var armed: [Timer] = []

  /// A clock with no timers.
  public init() {}

  /// The present time.
  open var now: Nanoseconds { 0 }

  /// Called when the earliest deadline changed; nil if no timer is armed.
  open func nextDeadlineChanged(to deadline: Nanoseconds?) {}

  /// The earliest deadline of all armed timers.
  public var nextDeadline: Nanoseconds? { armed.first?.deadline }

  /// Calls back once, at or soon after a moment of guest time. Made once by a device, armed many times.
  public final class Timer {
    private let clock: Clock
    fileprivate let handler: () -> Void
    /// When it will fire; nil if it is not armed.
    public fileprivate(set) var deadline: Nanoseconds?

    fileprivate init(clock: Clock, handler: @escaping () -> Void) {
      self.clock = clock
      self.handler = handler
    }

    /// Has the handler called at `deadline`, instead of when it was to be called before. A moment already
    /// past is as soon as possible, but not from within this call.
    public func arm(at deadline: Nanoseconds) { clock.arm(self, at: deadline) }
    /// Takes the call back.
    public func disarm() { clock.disarm(self) }
    /// Whether a call is due.
    public var isArmed: Bool { deadline != nil }
  }

  /// A timer that calls `handler`, not armed.
  public func makeTimer(_ handler: @escaping () -> Void) -> Timer { Timer(clock: self, handler: handler) }

  private func arm(_ timer: Timer, at deadline: Nanoseconds) {
    guard timer.deadline != deadline else { return }
    let before = nextDeadline
    if timer.deadline != nil { takeOut(timer) }
    timer.deadline = deadline
    // A handful of timers: a sorted array is the fastest queue.
    let index = armed.firstIndex { $0.deadline ?? .max > deadline } ?? armed.count
    armed.insert(timer, at: index)
    if nextDeadline != before { nextDeadlineChanged(to: nextDeadline) }
  }

  private func disarm(_ timer: Timer) {
    guard timer.deadline != nil else { return }
    let before = nextDeadline
    timer.deadline = nil
    takeOut(timer)
    if nextDeadline != before { nextDeadlineChanged(to: nextDeadline) }
  }

  /// Unlike `removeAll(where:)` this allocates nothing.
  private func takeOut(_ timer: Timer) {
    if let index = armed.firstIndex(where: { $0 === timer }) { armed.remove(at: index) }
  }

  /// Calls the handlers of the timers due by `time`, in order of their deadlines, one pass: a handler that
  /// arms its timer for a moment already past is called again at the next opportunity, not at once.
  public func fireTimers(dueBy time: Nanoseconds) {
    var budget = armed.count
    while budget > 0, let timer = armed.first, let deadline = timer.deadline, deadline <= time {
      budget -= 1
      armed.removeFirst()
      timer.deadline = nil
      timer.handler()
    }
    nextDeadlineChanged(to: nextDeadline)
  }
}
