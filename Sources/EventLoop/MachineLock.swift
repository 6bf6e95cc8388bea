// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
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
    pthread_mutex_init(mutex, nil)
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
    if pthread_mutex_trylock(mutex) != 0 { wait() }
    owner.pointee = pthread_self()
  }

  /// It is held for microseconds: who finds it taken looks again, for about as long as going to sleep and being woken would
  /// take, before doing so.
  @inline(never)
  private func wait() {
    for _ in 0..<Self.mostLooks {
      for _ in 0..<8 { martlet_pause() }
      if pthread_mutex_trylock(mutex) == 0 { return }
    }
    pthread_mutex_lock(mutex)
  }

  /// On a single processor the holder does not get on meanwhile.
  private static let mostLooks = martlet_usable_processors() > 1 ? 60 : 0

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
