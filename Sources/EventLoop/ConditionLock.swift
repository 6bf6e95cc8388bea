// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A lock with a condition that its holders announce and wait for: what a thread sleeps on until another has something
/// for it. It is not recursive.
public final class ConditionLock: @unchecked Sendable {
  // Unchecked: a pthread mutex and condition, made for sharing.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Makes an unlocked lock that nobody waits for.
  public init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  /// Runs `body` while holding the lock.
  @inline(__always)
  public func withLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result
  {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Gives the lock, which the caller holds, back until the condition is announced. May return without that: ask again
  /// for what is waited for.
  public func wait() { pthread_cond_wait(condition, mutex) }

  /// The same, until a time at the latest.
  /// - Parameter deadline: nanoseconds of CLOCK_MONOTONIC.
  /// - Returns: false if it is over.
  public func wait(until deadline: UInt64) -> Bool {
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
  }

  /// Wakes all who wait. Whoever waits for what the caller has changed misses nothing if the lock is held.
  public func announce() { pthread_cond_broadcast(condition) }
}
