// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CPU
import EventLoop
import Glibc

/// The host thread that runs one virtual CPU, and how the rest of the machine stops it and lets it go on.
///
/// The thread is either in the engine's run loop or parked. ``park()`` asks, ``waitUntilParked()`` waits;
/// while parked, other threads may touch the CPU's registers.
final class VirtualCPUThread: @unchecked Sendable {
  // Unchecked: everything mutable is guarded by `condition`, except `cpu`, whose own rules the parking keeps.

  let cpu: any VirtualCPU
  private let condition = ConditionLock()
  private var thread = pthread_t()
  private var isStarted = false
  private var mayRun = false
  private var isEnding = false
  private var isParked = true
  private var kernelThread: Int32 = 0
  /// Called on the CPU's thread, without locks, when the CPU came back with something to decide; the thread
  /// parks first if the answer is true.
  private let onExit: @Sendable (VirtualCPUThread, VirtualCPUExit) -> Void

  init(cpu: any VirtualCPU, onExit: @escaping @Sendable (VirtualCPUThread, VirtualCPUExit) -> Void) {
    self.cpu = cpu
    self.onExit = onExit
  }

  /// Starts the thread, parked.
  /// - Returns: 0, or the `errno` of the thread that could not be made.
  func start() -> Int32 {
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<VirtualCPUThread>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, context.toOpaque())
    if code != 0 { context.release() }
    isStarted = code == 0
    return code
  }

  /// The kernel's number of the thread; 0 before it has begun to run.
  var hostThread: Int32 { condition.withLock { kernelThread } }

  private func body() {
    martlet_setname("vcpu\(cpu.index)")
    condition.withLock { kernelThread = martlet_gettid() }
    while waitForLeave() {
      let exit = cpu.run()
      if case .interrupted = exit { continue }
      // Whatever it is, the CPU does not go on until the machine has decided.
      park()
      onExit(self, exit)
    }
  }

  /// Parks while the CPU may not run; returns false when the thread is to end.
  private func waitForLeave() -> Bool {
    condition.withLock {
      while !mayRun && !isEnding {
        isParked = true
        condition.announce()
        condition.wait()
      }
      isParked = isEnding
      condition.announce()
      return !isEnding
    }
  }

  /// Lets the CPU run.
  func leave() {
    condition.withLock {
      mayRun = true
      isParked = false
      condition.announce()
    }
  }

  /// Asks the CPU to park; it executes no further instruction after the one under way.
  func park() {
    condition.withLock { mayRun = false }
    cpu.kick()
  }

  /// Waits until the CPU is parked. The machine's lock must not be held: the CPU may need it to finish an
  /// access.
  func waitUntilParked() {
    condition.withLock { while isStarted && !isParked { condition.wait() } }
  }

  /// Ends the thread and waits for it. The machine's lock must not be held.
  func end() {
    guard isStarted else { return }
    condition.withLock {
      isEnding = true
      mayRun = false
      condition.announce()
    }
    cpu.kick()
    pthread_join(thread, nil)
    isStarted = false
  }
}
