// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CKVM
import CPU
import Glibc
import Synchronization

/// The area a vCPU shares with the kernel, and how other threads take the vCPU out of the guest.
///
/// No kick is lost: the flag `immediate_exit` is set before the signal is sent. A vCPU about to enter the
/// guest sees the flag, one in the guest gets the signal, one handling an exit sees the flag when it goes
/// back.
final class KVMRunControl: @unchecked Sendable {
  // Unchecked: `run` points to memory shared with the kernel; its exit data belong to the vCPU's thread, and
  // `immediate_exit` is accessed atomically. The rest is atomic.
  let run: UnsafeMutablePointer<kvm_run>
  let byteCount: Int
  /// The host thread in ``KVMVirtualCPU/run()``, or 0.
  private let thread = Atomic<Int32>(0)
  /// Someone wants the run loop to return.
  private let isKicked = Atomic<Bool>(false)
  /// The thread is in KVM_RUN, or about to be.
  private let isInKernel = Atomic<Bool>(false)

  init(vcpu: Int32, byteCount: Int) throws(EngineError) {
    guard let area = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0), area != MAP_FAILED
    else { throw EngineError(refused: "share a vCPU's run area") }
    run = area.assumingMemoryBound(to: kvm_run.self)
    self.byteCount = byteCount
  }

  deinit { munmap(run, byteCount) }

  /// Installs the handler of the signal that ends KVM_RUN. Once is enough; more do no harm.
  static func installSignalHandler() throws(EngineError) {
    guard martlet_kvm_install_kick_handler() == 0 else {
      throw EngineError(
        "cannot install the signal handler that stops virtual CPUs: \(String(cString: strerror(errno)))")
    }
  }

  // MARK: The vCPU's thread

  /// The calling thread is the one to signal, until ``leaveLoop()``.
  func enterLoop() {
    // A thread that blocks the signal would not be stopped by it.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, martlet_kvm_kick_signal())
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    thread.store(martlet_gettid(), ordering: .sequentiallyConsistent)
  }

  func leaveLoop() { thread.store(0, ordering: .sequentiallyConsistent) }

  /// Runs the guest, unless the gate is closed.
  /// - Returns: 0, or the negated `errno`; EAGAIN if the gate was closed and is open again.
  @inline(__always)
  func enterGuest(vcpu: Int32, gate: KVMRunGate) -> Int32 {
    isInKernel.store(true, ordering: .sequentiallyConsistent)
    if gate.isClosed {
      isInKernel.store(false, ordering: .sequentiallyConsistent)
      gate.waitUntilOpen()
      return -EAGAIN
    }
    let result = martlet_kvm_run(vcpu)
    isInKernel.store(false, ordering: .releasing)
    return result
  }

  /// After an interrupted KVM_RUN: whether it was by a kick, which is thereby answered.
  func takeKick() -> Bool {
    martlet_kvm_set_immediate_exit(run, 0)
    return isKicked.exchange(false, ordering: .sequentiallyConsistent)
  }

  // MARK: Other threads

  /// Has the run loop return, now or when it is next entered.
  func kick() {
    // A second kick before the first is answered changes nothing.
    if isKicked.exchange(true, ordering: .sequentiallyConsistent) { return }
    interrupt()
  }

  /// Ends a present or the next KVM_RUN.
  func interrupt() {
    martlet_kvm_set_immediate_exit(run, 1)
    let target = thread.load(ordering: .sequentiallyConsistent)
    if target != 0 { _ = martlet_tgkill(target, martlet_kvm_kick_signal()) }
  }

  /// Whether the vCPU may be executing guest instructions.
  var mayBeInGuest: Bool { isInKernel.load(ordering: .sequentiallyConsistent) }
}
