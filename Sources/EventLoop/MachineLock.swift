// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The one lock that guards all device state of a machine.
///
/// A virtual CPU holds it while it handles an exit and drops it while the guest runs; the event loop
/// holds it while it calls handlers. It is not recursive.
public final class MachineLock: @unchecked Sendable {
  // Unchecked: `mutex` is a pthread mutex, made for sharing; `owner` is written only by the holder and
  // compared only with the reader's own thread id.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let owner: UnsafeMutablePointer<pthread_t>

  /// Makes an unlocked lock.
  public init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    // It is held for microseconds: who finds it taken looks again a few times before going to sleep.
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
    owner = .allocate(capacity: 1)
    owner.initialize(to: 0)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    owner.deallocate()
  }

  /// Waits until the lock is free and takes it.
  @inline(__always)
  public func lock() {
    pthread_mutex_lock(mutex)
    owner.pointee = pthread_self()
  }

  /// Gives the lock back.
  @inline(__always)
  public func unlock() {
    owner.pointee = 0
    pthread_mutex_unlock(mutex)
  }

  /// Runs `body` while holding the lock.
  @inline(__always)
  public func withLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result
  {
    lock()
    defer { unlock() }
    return try body()
  }

  /// Whether the calling thread holds the lock. For assertions.
  public var isHeldByCurrentThread: Bool { owner.pointee == pthread_self() }
}
