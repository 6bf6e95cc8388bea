// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import Synchronization

/// Keeps all vCPUs out of the guest while memory slots are taken away and put back: a slot cannot be changed
/// in one step, and a vCPU that executed from it meanwhile would find nothing there.
///
/// Closed and opened with the machine's lock held. A vCPU handling an exit may wait for that lock; it is not
/// in the guest then.
final class KVMRunGate: @unchecked Sendable {
  // Unchecked: `controls` is guarded by the machine's lock; `closed` is atomic.
  private let closed = Atomic<Bool>(false)
  private let condition = ConditionLock()
  private var controls: [KVMRunControl] = []

  /// One more vCPU to keep out.
  func add(_ control: KVMRunControl) { controls.append(control) }

  /// Has every vCPU's run loop return.
  func kickAll() { for control in controls { control.kick() } }

  @inline(__always)
  var isClosed: Bool { closed.load(ordering: .sequentiallyConsistent) }

  /// Calls `body` with no vCPU in the guest.
  func whileClosed(_ body: () -> Void) {
    closed.store(true, ordering: .sequentiallyConsistent)
    for control in controls where control.mayBeInGuest { control.interrupt() }
    for control in controls {
      // An exit takes microseconds, so does this; there is no one to wake the waiter, to keep entry cheap.
      while control.mayBeInGuest { usleep(10) }
    }
    body()
    condition.withLock {
      closed.store(false, ordering: .sequentiallyConsistent)
      condition.announce()
    }
  }

  /// Waits while the gate is closed.
  func waitUntilOpen() {
    condition.withLock { while isClosed { condition.wait() } }
  }
}
