// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import EventLoop
import Synchronization

/// Lets the virtual CPUs of a machine take turns on one host thread, that of the first.
///
/// One thread and not one for each: the guest's atomic instructions are then atomic by themselves, memory is
/// ordered as on x86 by itself, a TLB shoot-down needs no hand-shake, and a run can be repeated exactly. The
/// price is that two virtual CPUs are no faster than one.
final class SoftScheduler: @unchecked Sendable {
  // Unchecked: `processors` is complete before the first runs; the rest is atomic or guarded by `condition`.
  private var processors: [SoftVirtualCPU] = []
  private let waiting = Atomic<Int>(0)
  private let condition = ConditionLock()

  /// Instructions before the next processor has its turn: long enough that turns cost nothing, short enough
  /// that spinning for another is no loss.
  private static let slice: UInt64 = 50_000

  /// The clock this scheduler moves, if there is one, and whose lock guards it.
  private var clock: InstructionClock?
  private var machine: SoftMachine?

  /// Moves `clock` by the instructions executed, and fires its timers.
  func follow(_ clock: InstructionClock, machine: SoftMachine) {
    (self.clock, self.machine) = (clock, machine)
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
        if let exit = next.runSlice(sliceLength) { return exit }
        fireTimers()
        if processor.isKicked { break }
      }
      if isIdle { idle { processor.isKicked || processors.contains { $0.isRunnable } } }
    }
  }

  // MARK: Time that follows the instructions

  /// Instructions until the next processor has its turn or a timer is due.
  private var sliceLength: UInt64 {
    guard let clock, let machine else { return Self.slice }
    guard let deadline = machine.bus.lock.withLock({ clock.nextDeadline }) else { return Self.slice }
    let now = clock.now
    let instructions = deadline > now ? (deadline - now) >> clock.shift : 0
    return min(Self.slice, max(instructions, UInt64(Decoder.maximumCount)))
  }

  private func fireTimers() {
    guard let clock, let machine else { return }
    machine.bus.lock.withLock {
      guard let deadline = clock.nextDeadline, deadline <= clock.now else { return }
      clock.fireTimers(dueBy: clock.now)
      machine.settle?()
    }
  }

  /// Nothing can be executed: waits until there is something, or until a timer is due.
  private func idle(until isDone: () -> Bool) {
    guard let clock, let machine, let deadline = machine.bus.lock.withLock({ clock.nextDeadline }) else {
      return wait(until: isDone)
    }
    let now = clock.now
    let remaining = deadline > now ? deadline - now : 0
    if clock.sleepsWhenIdle, remaining > 0 {
      let begin = HostClock.hostNow
      wait(atMost: remaining, until: isDone)
      // Woken from outside: only as much time has passed as it took.
      if isDone() { return clock.pass(min(remaining, HostClock.hostNow &- begin)) }
    }
    clock.pass(remaining)
    fireTimers()
  }

  /// Sleeps until `condition` holds or some time has passed.
  private func wait(atMost nanoseconds: UInt64, until isDone: () -> Bool) {
    let end = HostClock.hostNow &+ min(nanoseconds, 1 << 60)
    condition.withLock {
      waiting.add(1, ordering: .sequentiallyConsistent)
      while !isDone(), condition.wait(until: end) {}
      waiting.subtract(1, ordering: .sequentiallyConsistent)
    }
  }

  /// Has whoever waits look again.
  func wake() {
    guard waiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
    condition.withLock { condition.announce() }
  }

  /// Sleeps until `condition` holds.
  private func wait(until isDone: () -> Bool) {
    condition.withLock {
      waiting.add(1, ordering: .sequentiallyConsistent)
      while !isDone() { condition.wait() }
      waiting.subtract(1, ordering: .sequentiallyConsistent)
    }
  }
}
