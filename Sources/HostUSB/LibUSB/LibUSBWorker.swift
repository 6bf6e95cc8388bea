// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

/// A thread for what waits in the host's kernel: resets take a tenth of a second, drivers that let go of a device may
/// take longer. It is made when there is work for it.
final class LibUSBWorker: @unchecked Sendable {
  // Unchecked: `queue`, `isBusy` and `isEnding` are guarded by `lock`; `thread` by the machine's.
  private let lock = ConditionLock()
  private var queue: [@Sendable () -> Void] = []
  private var isBusy = false
  private var isEnding = false
  private var thread: ServiceThread?

  /// Has `work` done after all before it. Called with the machine's lock held.
  func perform(_ work: @escaping @Sendable () -> Void) {
    if thread == nil {
      thread = try? ServiceThread(name: "usb-host") { [self] in serve() }
      // The host has no thread for us: slow is better than never.
      guard thread != nil else { return work() }
    }
    lock.withLock {
      queue.append(work)
      lock.announce()
    }
  }

  private func serve() {
    while let work = next() { work() }
  }

  private func next() -> (@Sendable () -> Void)? {
    lock.withLock {
      isBusy = false
      lock.announce()
      while queue.isEmpty {
        if isEnding { return nil }
        lock.wait()
      }
      isBusy = true
      return queue.removeFirst()
    }
  }

  /// Waits until all is done.
  func drain() {
    lock.withLock { while isBusy || !queue.isEmpty { lock.wait() } }
  }

  /// Waits until all is done, and ends the thread.
  func end() {
    lock.withLock {
      isEnding = true
      lock.announce()
    }
    thread?.join()
    thread = nil
  }
}
