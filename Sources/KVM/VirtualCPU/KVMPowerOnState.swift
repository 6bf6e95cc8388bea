// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The state after RESET# (SDM volume 3, table 10-1; APM volume 2, section 14.1).
extension KVMVirtualCPU {
  /// The state for this vCPU, just made: what the architecture does not fix (the local APIC, the registers
  /// of KVM's own) is what KVM starts with.
  func makePowerOnState(signature: UInt32) throws(EngineError) -> CPUState {
    let fresh = try registers()
    var state = CPUState()
    state.rip = 0xFFF0
    state.general[2] = UInt64(signature)
    for number in state.segments.indices {
      state.segments[number].limit = 0xFFFF
      state.segments[number].attributes = 0x93  // present, data, writable, accessed
    }
    state.segments[1].selector = 0xF000
    state.segments[1].base = 0xFFFF_0000
    state.segments[1].attributes = 0x9B  // present, code, readable, accessed
    state.ldtr.limit = 0xFFFF
    state.ldtr.attributes = 0x82
    state.tr.limit = 0xFFFF
    state.tr.attributes = 0x8B
    state.gdtr.limit = 0xFFFF
    state.idtr.limit = 0xFFFF
    state.cr0 = 0x6000_0010  // CD, NW, ET
    state.xsave = resetExtendedState
    state.msrs = fresh.msrs
    state.msrs[0x10] = 0  // IA32_TIME_STAMP_COUNTER
    state.msrs[tscDeadlineMSR] = fresh.msrs[tscDeadlineMSR] == nil ? nil : 0
    state.msrs[0x277] = 0x0007_0406_0007_0406  // IA32_PAT
    // IA32_APIC_BASE: enabled, at its usual place; bit 8 marks the bootstrap processor.
    state.msrs[apicBaseMSR] = index == 0 ? 0xFEE0_0900 : 0xFEE0_0800
    state.localAPIC = fresh.localAPIC
    state.activity = index == 0 ? .running : .waitingForInit
    return state
  }

  /// The x87 and SSE state after RESET#, which is not that after FNINIT: control word 0x40, tags of valid
  /// zeroes, MXCSR 0x1F80. Bits 0 and 1 of XSTATE_BV say that both are here.
  private var resetExtendedState: [UInt8] {
    var area = [UInt8](repeating: 0, count: xsaveByteCount)
    area[0] = 0x40
    area[4] = 0xFF
    (area[24], area[25]) = (0x80, 0x1F)
    area[512] = 3
    return area
  }

  func reset() throws(EngineError) { try setRegisters(powerOnState) }
}
