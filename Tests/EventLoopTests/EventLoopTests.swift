// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Testing

@testable import EventLoop

/// A value that threads change under a lock of their own.
private final class Shared<Value>: @unchecked Sendable {
  // Unchecked: `value` is guarded by `lock`.
  private let lock = MachineLock()
  private var value: Value
  init(_ value: Value) { self.value = value }
  func with<Result>(_ body: (inout Value) -> Result) -> Result { lock.withLock { body(&value) } }
}

/// Runs `body` on a thread of its own and returns the thread.
private func spawn(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { context in
      if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  return thread
}

@Suite struct EventLoopTests {
  private let lock = MachineLock()

  @Test func runsPostedWorkInOrderWithTheLockHeld() throws {
    let loop = try EventLoop(lock: lock)
    let seen = Shared<[Int]>([])
    let lock = lock
    for number in 0..<3 {
      loop.post {
        #expect(lock.isHeldByCurrentThread)
        seen.with { $0.append(number) }
        // Posted from within: has its turn later.
        loop.post { seen.with { $0.append(number + 10) } }
      }
    }
    #expect(loop.runOnce(timeoutMilliseconds: 1000))
    #expect(seen.with { $0 } == [0, 1, 2])
    #expect(loop.runOnce(timeoutMilliseconds: 1000))
    #expect(seen.with { $0 } == [0, 1, 2, 10, 11, 12])
    #expect(!lock.isHeldByCurrentThread)
  }

  @Test func preparesBeforeHandlersAndGivesTheLockBackWithinThem() throws {
    let loop = try EventLoop(lock: lock)
    let seen = Shared<[String]>([])
    let lock = lock
    loop.beforeHandlers {
      #expect(lock.isHeldByCurrentThread)
      seen.with { $0.append("prepared") }
    }
    for _ in 0..<2 {
      loop.post {
        loop.withoutLock {
          #expect(!lock.isHeldByCurrentThread)
          let thread = spawn { lock.withLock { seen.with { $0.append("another") } } }
          pthread_join(thread, nil)
        }
        #expect(lock.isHeldByCurrentThread)
        seen.with { $0.append("handled") }
      }
    }
    loop.runOnce(timeoutMilliseconds: 1000)
    #expect(seen.with { $0 } == ["prepared", "another", "handled", "another", "handled"])
  }

  @Test func losesNothingThatManyThreadsPost() throws {
    let loop = try EventLoop(lock: lock)
    let count = Shared(0)
    let threads = (0..<4).map { _ in
      spawn { for _ in 0..<500 { loop.post { count.with { $0 += 1 } } } }
    }
    while count.with({ $0 }) < 2000 { loop.runOnce(timeoutMilliseconds: 1000) }
    for thread in threads { pthread_join(thread, nil) }
    #expect(count.with { $0 } == 2000)
  }

  @Test func stopsFromAnotherThreadAndStaysStopped() throws {
    let loop = try EventLoop(lock: lock)
    let thread = spawn {
      usleep(1000)
      loop.stop()
    }
    loop.run()
    pthread_join(thread, nil)
    #expect(!loop.runOnce(timeoutMilliseconds: -1))
    loop.run()
  }

  @Test func stopsBeforeItRuns() throws {
    let loop = try EventLoop(lock: lock)
    loop.stop()
    loop.run()
  }

  @Test func aWatchCancelledByAnotherHandlerIsNotCalled() throws {
    let loop = try EventLoop(lock: lock)
    let bells = try (0..<8).map { _ in eventfd(1, 0) }.map { descriptor -> Int32 in
      try #require(descriptor >= 0)
      return descriptor
    }
    var watches: [EventLoop.Watch] = []
    var calls = 0
    try lock.withLock {
      for bell in bells {
        watches.append(
          try loop.watch(bell, for: .readable) { _ in
            calls += 1
            for watch in watches { watch.cancel() }
          })
      }
    }
    loop.runOnce(timeoutMilliseconds: 1000)
    loop.runOnce(timeoutMilliseconds: 0)
    #expect(calls == 1)
    for bell in bells { close(bell) }
  }

  @Test func aCancelledWatchTouchesNobodyElses() throws {
    let loop = try EventLoop(lock: lock)
    let descriptor = eventfd(1, 0)
    var calls = 0
    try lock.withLock {
      let old = try loop.watch(descriptor, for: []) { _ in Issue.record("cancelled") }
      old.cancel()
      old.cancel()
      let new = try loop.watch(descriptor, for: .readable) { _ in calls += 1 }
      old.interest = .writable
      #expect(new.interest == .readable)
    }
    loop.runOnce(timeoutMilliseconds: 1000)
    #expect(calls == 1)
    close(descriptor)
  }

  @Test func waitsOnlyForWhatIsWanted() throws {
    let loop = try EventLoop(lock: lock)
    var ends: [Int32] = [-1, -1]
    pipe(&ends)
    var found: [EventLoop.Interest] = []
    let watch = try lock.withLock { try loop.watch(ends[0], for: []) { found.append($0) } }
    write(ends[1], "x", 1)
    loop.runOnce(timeoutMilliseconds: 0)
    #expect(found.isEmpty)
    lock.withLock { watch.interest = .readable }
    loop.runOnce(timeoutMilliseconds: 1000)
    #expect(found == [.readable])
    close(ends[1])
    loop.runOnce(timeoutMilliseconds: 1000)
    #expect(found.last == [.readable, .closed])
    lock.withLock { watch.cancel() }
    close(ends[0])
  }

  @Test func saysWhatCannotBeWatched() throws {
    let loop = try EventLoop(lock: lock)
    let error = #expect(throws: HostError.self) {
      try lock.withLock { try loop.watch(9999, for: .readable) { _ in } }
    }
    #expect(error == HostError("cannot wait for file descriptor 9999", code: EBADF))
    #expect(error?.description == "cannot wait for file descriptor 9999: Bad file descriptor")
  }

  @Test func callsTheDeadlineHandler() throws {
    let loop = try EventLoop(lock: lock)
    var calls = 0
    lock.withLock {
      loop.onDeadline { calls += 1 }
      // In the past already.
      loop.setDeadline(0)
    }
    loop.runOnce(timeoutMilliseconds: 1000)
    #expect(calls == 1)
    lock.withLock {
      loop.setDeadline(0)
      loop.setDeadline(nil)
    }
    loop.runOnce(timeoutMilliseconds: 0)
    lock.withLock { loop.setDeadline(.max) }
    loop.runOnce(timeoutMilliseconds: 0)
    #expect(calls == 1)
  }

  @Test func aNotifierJoinsSignalsAndEndsCleanly() throws {
    let loop = try EventLoop(lock: lock)
    var calls = 0
    let notifier = try Notifier(on: loop) { calls += 1 }
    for _ in 0..<5 { notifier.signal() }
    loop.runOnce(timeoutMilliseconds: 1000)
    loop.runOnce(timeoutMilliseconds: 0)
    #expect(calls == 1)
    notifier.signal()
    lock.withLock {
      notifier.close()
      notifier.close()
    }
    // A straggler's signal hits nobody else's descriptor.
    notifier.signal()
    loop.runOnce(timeoutMilliseconds: 0)
    #expect(calls == 1)
    #expect(fcntl(notifier.descriptor, F_GETFD) >= 0)
  }

  @Test func signalsBecomeCalls() throws {
    // On a thread of its own: the test runner's threads keep their masks.
    let lock = lock
    let seen = Shared<[Int32]>([])
    let thread = spawn {
      do {
        let loop = try EventLoop(lock: lock)
        let watcher = try SignalWatcher(loop: loop, signals: [SIGUSR1, SIGUSR2]) { number in
          #expect(lock.isHeldByCurrentThread)
          seen.with { $0.append(number) }
        }
        pthread_kill(pthread_self(), SIGUSR2)
        loop.runOnce(timeoutMilliseconds: 1000)
        pthread_kill(pthread_self(), SIGUSR1)
        loop.runOnce(timeoutMilliseconds: 1000)
        lock.withLock { watcher.close() }
      } catch {
        Issue.record(error)
      }
    }
    pthread_join(thread, nil)
    #expect(seen.with { $0 } == [SIGUSR2, SIGUSR1])
  }

  @Test func anIgnoredSignalStaysIgnored() throws {
    signal(SIGURG, SIG_IGN)
    defer { signal(SIGURG, SIG_DFL) }
    let lock = lock
    let thread = spawn {
      do {
        let loop = try EventLoop(lock: lock)
        let watcher = try SignalWatcher(loop: loop, signals: [SIGURG]) { _ in Issue.record("not ignored") }
        pthread_kill(pthread_self(), SIGURG)
        loop.runOnce(timeoutMilliseconds: 0)
        lock.withLock { watcher.close() }
      } catch {
        Issue.record(error)
      }
    }
    pthread_join(thread, nil)
  }

  @Test func theLockKnowsItsHolder() {
    let lock = lock
    #expect(!lock.isHeldByCurrentThread)
    lock.withLock {
      #expect(lock.isHeldByCurrentThread)
      let thread = spawn { #expect(!lock.isHeldByCurrentThread) }
      pthread_join(thread, nil)
    }
    #expect(!lock.isHeldByCurrentThread)
  }
}
