// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import EventLoop

/// A virtual CPU that executes no instruction: it has the registers of its reset state, or those it was given.
final class IdleVirtualCPU: VirtualCPU, @unchecked Sendable {
  // Unchecked: `isKicked` is guarded by `condition`; the registers are touched while the CPU is stopped, the local APIC with
  // the machine's lock held.

  let index: Int
  private let localAPIC: any LocalInterruptController
  private var state: CPUState
  private var isKicked = false
  private let condition = ConditionLock()

  init(index: Int, localAPIC: any LocalInterruptController) {
    self.index = index
    self.localAPIC = localAPIC
    state = .afterReset(isBootstrap: index == 0)
  }

  /// Waits until it is kicked.
  func run() -> VirtualCPUExit {
    condition.withLock {
      while !isKicked { condition.wait() }
      isKicked = false
    }
    return .interrupted
  }

  func kick() {
    condition.withLock {
      isKicked = true
      condition.announce()
    }
  }

  func registers() throws(EngineError) -> CPUState {
    var state = state
    state.localAPIC = localAPIC.savedRegisters
    return state
  }

  func setRegisters(_ state: CPUState) throws(EngineError) { self.state = state }

  func reset() throws(EngineError) {
    localAPIC.reset()
    state = .afterReset(isBootstrap: index == 0)
  }

  func injectNMI() throws(EngineError) { state.pending.nmiPending = true }
}

extension CPUState {
  /// After RESET# (Intel SDM volume 3, table 10-1).
  static func afterReset(isBootstrap: Bool) -> CPUState {
    var state = CPUState()
    state.rip = 0xFFF0
    state.cr0 = 0x6000_0010
    for index in state.segments.indices {
      state.segments[index].limit = 0xFFFF
      // Present, a data segment that can be written.
      state.segments[index].attributes = 0x93
    }
    // CS: code, at the reset vector.
    state.segments[1].selector = 0xF000
    state.segments[1].base = 0xFFFF_0000
    state.segments[1].attributes = 0x9B
    state.ldtr.limit = 0xFFFF
    state.ldtr.attributes = 0x82
    state.tr.limit = 0xFFFF
    state.tr.attributes = 0x8B
    state.gdtr.limit = 0xFFFF
    state.idtr.limit = 0xFFFF
    state.xsave = Array(repeating: 0, count: 512)
    // FCW and MXCSR.
    state.xsave[0] = 0x40
    state.xsave[24] = 0x80
    state.xsave[25] = 0x1F
    state.activity = isBootstrap ? .running : .waitingForStartup
    return state
  }
}
