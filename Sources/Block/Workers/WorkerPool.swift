// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// A few threads that make the system calls that may block.
///
/// Threads are started when there is work and none is idle, and end after ten idle seconds, so that a guest
/// that does no I/O costs no thread.
final class WorkerPool: @unchecked Sendable {
  // Unchecked: everything mutable is guarded by `mutex`.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let workQueued: UnsafeMutablePointer<pthread_cond_t>
  private let workDone: UnsafeMutablePointer<pthread_cond_t>
  private let maximumWorkerCount: Int
  private let onCompletion: @Sendable () -> Void
  private var queued = WorkList()
  private var completed = WorkList()
  private var workerCount = 0
  private var idleCount = 0
  private var queuedCount = 0
  private var isClosed = false

  private static let idleSeconds = 10
  private static let stackByteCount = 256 << 10

  /// A pool with no threads yet. `onCompletion` is called on a worker when the list of completed items was
  /// empty and no longer is.
  init(maximumWorkerCount: Int, onCompletion: @escaping @Sendable () -> Void) {
    self.maximumWorkerCount = maximumWorkerCount
    self.onCompletion = onCompletion
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    workQueued = .allocate(capacity: 1)
    workDone = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    for condition in [workQueued, workDone] {
      condition.initialize(to: pthread_cond_t())
      pthread_cond_init(condition, &attributes)
    }
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    for condition in [workQueued, workDone] {
      pthread_cond_destroy(condition)
      condition.deallocate()
    }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Has `item` run by a worker.
  func submit(_ item: WorkItem) {
    pthread_mutex_lock(mutex)
    queued.append(item)
    queuedCount += 1
    var mustRunHere = false
    if idleCount >= queuedCount {
      pthread_cond_signal(workQueued)
    } else if workerCount < maximumWorkerCount {
      if startWorker() {
        workerCount += 1
      } else if workerCount == 0 {
        mustRunHere = true
      }
    }
    pthread_mutex_unlock(mutex)
    // The host gives us no thread at all: slow is better than never.
    if mustRunHere && cancel(item) {
      item.run()
      finish(item)
    }
  }

  /// Takes an item back that no worker has begun.
  func cancel(_ item: WorkItem) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard queued.remove(item) else { return false }
    queuedCount -= 1
    return true
  }

  /// The items done since the last call.
  func takeCompleted() -> WorkList {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let list = completed
    completed = WorkList()
    return list
  }

  /// Waits until at least one item is done. There must be one under way.
  func waitForCompleted() -> WorkList {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while completed.isEmpty { pthread_cond_wait(workDone, mutex) }
    let list = completed
    completed = WorkList()
    return list
  }

  /// Lets the workers end. Nothing may be submitted afterwards.
  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_cond_broadcast(workQueued)
    pthread_mutex_unlock(mutex)
  }

  private func finish(_ item: WorkItem) {
    pthread_mutex_lock(mutex)
    let wasEmpty = completed.isEmpty
    completed.append(item)
    pthread_cond_signal(workDone)
    pthread_mutex_unlock(mutex)
    if wasEmpty { onCompletion() }
  }

  /// Starts a thread with all signals blocked: signals are for the threads that expect them.
  private func startWorker() -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, Self.stackByteCount)
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let context = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        _ = martlet_setname("martlet-block")
        Unmanaged<WorkerPool>.fromOpaque(context).takeRetainedValue().work()
        return nil
      }, context.toOpaque())
    if code != 0 { context.release() }
    return code == 0
  }

  private func work() {
    pthread_mutex_lock(mutex)
    while let item = nextItem() {
      pthread_mutex_unlock(mutex)
      item.run()
      finish(item)
      pthread_mutex_lock(mutex)
    }
    workerCount -= 1
    pthread_mutex_unlock(mutex)
  }

  /// The next item, waited for at most the idle time; nil: the worker is to end. Called with the mutex held.
  private func nextItem() -> WorkItem? {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    deadline.tv_sec += Self.idleSeconds
    while true {
      if let item = queued.popFirst() {
        queuedCount -= 1
        return item
      }
      if isClosed { return nil }
      idleCount += 1
      let code = pthread_cond_timedwait(workQueued, mutex, &deadline)
      idleCount -= 1
      if code == ETIMEDOUT && queued.isEmpty { return nil }
    }
  }
}
