// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import Glibc

/// `IA32_TSC_DEADLINE`, set after the local APIC it belongs to.
let tscDeadlineMSR: UInt32 = 0x6E0

/// The model-specific registers that make up a vCPU's state: those KVM lists, and those it leaves out.
final class KVMStateMSRs: Sendable {
  private let numbers: [UInt32]

  init(system: KVMSystem) throws(EngineError) {
    numbers = Set(try system.stateMSRs() + Self.unlisted).sorted()
  }

  /// Registers KVM keeps but, depending on its version, does not list (SDM volume 4).
  private static let unlisted: [UInt32] =
    [0x10, 0x277, 0x1A0, 0x2FF, tscDeadlineMSR]
    + Array(0x200...0x20F)  // IA32_MTRR_PHYSBASEn, PHYSMASKn
    + [0x250, 0x258, 0x259] + Array(0x268...0x26F)  // IA32_MTRR_FIX…
    + [0x17A, 0x17B] + Array(0x400..<0x428)  // IA32_MCG_STATUS, MCG_CTL, the ten banks
    + [0xC000_0103]  // IA32_TSC_AUX

  /// All that this vCPU has.
  func read(from vcpu: Int32) throws(EngineError) -> [UInt32: UInt64] {
    var values: [UInt32: UInt64] = [:]
    var remaining = numbers[...]
    while !remaining.isEmpty {
      let list = VariableLengthList<kvm_msr_entry>(
        remaining.map { kvm_msr_entry(index: $0, reserved: 0, data: 0) })
      let done = Int(
        try request(vcpu, martlet_KVM_GET_MSRS, list.bytes, "tell a vCPU's model-specific registers"))
      for index in 0..<min(done, remaining.count) { values[list[index].index] = list[index].data }
      // KVM stops at the first this vCPU does not have.
      remaining = remaining.dropFirst(done + 1)
    }
    return values
  }

  /// Sets them. One that is refused is an error, unless it has that value already or is zero and is not
  /// there.
  func write(_ values: [UInt32: UInt64], to vcpu: Int32) throws(EngineError) {
    var remaining = values.sorted { $0.key < $1.key }[...]
    while !remaining.isEmpty {
      let list = VariableLengthList<kvm_msr_entry>(
        remaining.map { kvm_msr_entry(index: $0.key, reserved: 0, data: $0.value) })
      let done = Int(
        try request(vcpu, martlet_KVM_SET_MSRS, list.bytes, "set a vCPU's model-specific registers"))
      guard done < remaining.count else { return }
      remaining = remaining.dropFirst(done)
      guard let (number, wanted) = remaining.first else { return }
      let single = VariableLengthList([kvm_msr_entry(index: number, reserved: 0, data: 0)])
      let isThere = ioctl(vcpu, martlet_KVM_GET_MSRS, single.bytes) == 1
      guard isThere ? single[0].data == wanted : wanted == 0 else {
        throw EngineError("KVM refused to set the model-specific register \(hex(number)) to \(hex(wanted))")
      }
      remaining = remaining.dropFirst()
    }
  }
}
