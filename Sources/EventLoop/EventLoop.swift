// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Waits for file descriptors, timers and work posted by other threads, and calls their handlers on
/// one thread, one after the other, with the machine's lock held.
///
/// Handlers must not block. Everything except ``post(_:)``, ``stop()`` and ``Notifier/signal()`` is called
/// with the lock held (or before ``run()``).
public final class EventLoop: @unchecked Sendable {
  // Unchecked: `watches`, `nextToken`, `deadlineHandler`, `preparation` and `underWay` are guarded by `lock`; `posted` and
  // `stopping` by `postLock`.

  /// What a file descriptor is waited for, and what was found.
  public struct Interest: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Data can be read, or a connection accepted.
    public static let readable = Interest(rawValue: 1)
    /// Data can be written.
    public static let writable = Interest(rawValue: 4)
    /// An error or hang-up; always reported, need not be asked for.
    public static let closed = Interest(rawValue: 0x10)
    /// Only changes are reported: for what would otherwise be reported without end.
    public static let edgeTriggered = Interest(rawValue: 1 << 31)
  }

  /// The machine's lock, held while handlers run.
  public let lock: MachineLock

  private let epoll: Int32
  private let wake: Int32
  private let timer: Int32
  private var watches: [UInt64: Watch] = [:]
  private var nextToken: UInt64 = 2
  private var deadlineHandler: (() -> Void)?
  private var preparation: (() -> Void)?
  private let postLock = MachineLock()
  private var posted: [@Sendable () -> Void] = []
  /// The work being done, kept for its memory.
  private var underWay: [@Sendable () -> Void] = []
  private var stopping = false

  private static let wakeToken: UInt64 = 0
  private static let timerToken: UInt64 = 1

  /// Makes a loop whose handlers run under `lock`.
  public init(lock: MachineLock) throws(HostError) {
    self.lock = lock
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw HostError("cannot create an epoll descriptor") }
    wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard wake >= 0 else { throw HostError("cannot create an eventfd") }
    timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    guard timer >= 0 else { throw HostError("cannot create a timerfd") }
    try register(wake, token: Self.wakeToken, interest: .readable)
    try register(timer, token: Self.timerToken, interest: .readable)
  }

  deinit {
    close(timer)
    close(wake)
    close(epoll)
  }

  /// Readable when there is something to handle: for loops within loops, and for tests.
  public var pollDescriptor: Int32 { epoll }

  // MARK: Work from other threads

  /// Has `work` called on the loop's thread with the lock held. May be called from any thread.
  public func post(_ work: @escaping @Sendable () -> Void) {
    postLock.withLock { posted.append(work) }
    wakeUp()
  }

  /// Ends ``run()`` after the handlers under way. May be called from any thread.
  public func stop() {
    postLock.withLock { stopping = true }
    wakeUp()
  }

  private func wakeUp() {
    var one: UInt64 = 1
    _ = write(wake, &one, 8)
  }

  // MARK: File descriptors

  /// A file descriptor that is being waited for; ends with ``cancel()``, not with its last reference.
  public final class Watch {
    fileprivate unowned let loop: EventLoop
    fileprivate let token: UInt64
    /// The descriptor; it stays the caller's to close, after ``cancel()``.
    public let descriptor: Int32
    fileprivate let handler: (Interest) -> Void
    private var current: Interest

    fileprivate init(
      loop: EventLoop, token: UInt64, descriptor: Int32, interest: Interest,
      handler: @escaping (Interest) -> Void
    ) {
      self.loop = loop
      self.token = token
      self.descriptor = descriptor
      self.current = interest
      self.handler = handler
    }

    /// What is waited for. An empty set reports errors and hang-ups only.
    public var interest: Interest {
      get { current }
      set {
        guard newValue != current, loop.watches[token] != nil else { return }
        current = newValue
        var event = epoll_event(events: newValue.rawValue, data: epoll_data_t(u64: token))
        epoll_ctl(loop.epoll, EPOLL_CTL_MOD, descriptor, &event)
      }
    }

    /// Ends the watch. The handler is not called again, not even for events already found.
    public func cancel() {
      guard loop.watches.removeValue(forKey: token) != nil else { return }
      epoll_ctl(loop.epoll, EPOLL_CTL_DEL, descriptor, nil)
    }
  }

  /// Calls `handler` whenever one of `interest` is true of `descriptor` (level-triggered).
  public func watch(
    _ descriptor: Int32, for interest: Interest, handler: @escaping (Interest) -> Void
  ) throws(HostError) -> Watch {
    let token = nextToken
    nextToken += 1
    try register(descriptor, token: token, interest: interest)
    let watch = Watch(
      loop: self, token: token, descriptor: descriptor, interest: interest, handler: handler)
    watches[token] = watch
    return watch
  }

  private func register(_ descriptor: Int32, token: UInt64, interest: Interest) throws(HostError) {
    var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
    guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
      throw HostError("cannot wait for file descriptor \(descriptor)")
    }
  }

  // MARK: The deadline

  /// Sets what is called when the deadline of ``setDeadline(_:)`` has passed: the host clock's timers.
  public func onDeadline(_ handler: @escaping () -> Void) { deadlineHandler = handler }

  /// Sets the one deadline, in nanoseconds of `CLOCK_MONOTONIC`; nil for none.
  public func setDeadline(_ nanoseconds: UInt64?) {
    var spec = itimerspec()
    if let nanoseconds {
      // A deadline of zero would disarm the timer.
      let time = max(nanoseconds, 1)
      spec.it_value.tv_sec = Int(clamping: time / 1_000_000_000)
      spec.it_value.tv_nsec = Int(time % 1_000_000_000)
    }
    timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &spec, nil)
  }

  // MARK: Running

  /// Sets what is called, with the lock held, whenever the loop has woken up and is about to call handlers.
  public func beforeHandlers(_ preparation: @escaping () -> Void) { self.preparation = preparation }

  /// Handles events on the calling thread until ``stop()``.
  public func run() {
    while runOnce(timeoutMilliseconds: -1) {}
  }

  /// Waits at most `timeoutMilliseconds` (-1: without limit) for events and handles those found.
  /// - Returns: false once ``stop()`` was called; then nothing is waited for any more.
  @discardableResult
  public func runOnce(timeoutMilliseconds: Int32) -> Bool {
    guard !postLock.withLock({ stopping }) else { return false }
    let capacity = 32
    return withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
      let count = epoll_wait(epoll, events.baseAddress, Int32(capacity), timeoutMilliseconds)
      lock.lock()
      defer { lock.unlock() }
      preparation?()
      var index = 0
      while index < Int(count) {
        dispatch(events[index])
        index += 1
      }
      return !postLock.withLock { stopping }
    }
  }

  /// For a handler, on the loop's thread: does host I/O that takes longer than the guest's processors should wait for the
  /// lock. They may change everything that it guards in the meantime; other handlers do not run.
  @inline(__always)
  public func withoutLock<Result>(_ body: () -> Result) -> Result {
    lock.unlock()
    defer { lock.lock() }
    return body()
  }

  /// Does what was posted up to now; what that posts in turn has its turn after other events.
  private func runPosted() {
    var work = underWay
    underWay = []
    postLock.withLock { swap(&work, &posted) }
    for item in work { item() }
    work.removeAll(keepingCapacity: true)
    underWay = work
  }

  private func dispatch(_ event: epoll_event) {
    switch event.data.u64 {
    case Self.wakeToken:
      var count: UInt64 = 0
      _ = read(wake, &count, 8)
      runPosted()
    case Self.timerToken:
      var count: UInt64 = 0
      _ = read(timer, &count, 8)
      deadlineHandler?()
    case let token:
      // A handler called before this one may have cancelled the watch.
      guard let watch = watches[token] else { return }
      var found = Interest(rawValue: event.events & (Interest.readable.rawValue | Interest.writable.rawValue))
      if event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { found.insert(.closed) }
      watch.handler(found)
    }
  }
}
