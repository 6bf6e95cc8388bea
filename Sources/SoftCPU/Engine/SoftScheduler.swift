// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Glibc
import Synchronization

/// Lets the virtual CPUs of a machine take turns on one host thread, that of the first.
///
/// One thread and not one for each: the guest's atomic instructions are then atomic by themselves, memory is
/// ordered as on x86 by itself, a TLB shoot-down needs no hand-shake, and a run can be repeated exactly. The
/// price is that two virtual CPUs are no faster than one.
final class SoftScheduler: @unchecked Sendable {
  // Unchecked: `processors` is complete before the first runs; the rest is atomic or guarded by `mutex`.
  private var processors: [SoftVirtualCPU] = []
  private let waiting = Atomic<Int>(0)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Instructions before the next processor has its turn: long enough that turns cost nothing, short enough
  /// that spinning for another is no loss.
  private static let slice: UInt64 = 50_000

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func add(_ processor: SoftVirtualCPU) { processors.append(processor) }

  /// The run loop of a processor's thread: the first's executes all, the others' wait to be kicked.
  func run(_ processor: SoftVirtualCPU) -> VirtualCPUExit {
    guard processor.index == 0 else {
      wait { processor.isKicked }
      processor.takeKick()
      return .interrupted
    }
    processor.cpu.activateSIMD()
    var active = processor
    defer { active.cpu.deactivateSIMD() }
    while true {
      if processor.isKicked {
        processor.takeKick()
        return .interrupted
      }
      var isIdle = true
      for next in processors where next.isRunnable {
        isIdle = false
        if next !== active {
          active.cpu.deactivateSIMD()
          active = next
          active.cpu.activateSIMD()
        }
        if let exit = next.runSlice(Self.slice) { return exit }
        if processor.isKicked { break }
      }
      if isIdle { wait { processor.isKicked || processors.contains { $0.isRunnable } } }
    }
  }

  /// Has whoever waits look again.
  func wake() {
    guard waiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until `condition` holds.
  private func wait(until isDone: () -> Bool) {
    pthread_mutex_lock(mutex)
    waiting.add(1, ordering: .sequentiallyConsistent)
    while !isDone() { pthread_cond_wait(condition, mutex) }
    waiting.subtract(1, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }
}
