// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import Glibc
import GuestMemory

/// What a vCPU that cannot go on leaves for people to read.
extension KVMVirtualCPU {
  /// The registers and the code with a sentence.
  func describe(_ reason: String, instruction: [UInt8] = []) -> EngineFailure {
    guard let state = try? executionState() else {
      return EngineFailure(reason: reason, registers: "(KVM does not tell the registers)", code: instruction)
    }
    let code = instruction.isEmpty ? codeBytes(at: state.linearInstructionPointer) : instruction
    return EngineFailure(reason: "CPU \(index): \(reason)", registers: state.registerText, code: code)
  }

  /// KVM_RUN itself failed.
  func describeRunError(_ code: Int32) -> EngineFailure {
    switch code {
    case EFAULT: describe("KVM could not reach the memory the guest uses; the host may be out of memory")
    case ENOMEM: describe("the host has no memory left to run the guest")
    default: describe("KVM_RUN failed: \(String(cString: strerror(code)))")
    }
  }

  /// KVM_RUN came back with a reason the guest cannot go on after.
  func describeExit() -> EngineFailure {
    let run = control.run
    switch Int32(bitPattern: run.pointee.exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
      return describeInternalError()
    case KVM_EXIT_FAIL_ENTRY:
      let reason = hex(run.pointee.fail_entry.hardware_entry_failure_reason)
      return describe(
        "the processor refused to enter the guest (hardware reason \(reason)): the guest's registers are in a "
          + "state this processor's virtualization cannot run, such as big real mode on an old Intel CPU")
    case KVM_EXIT_UNKNOWN:
      return describe(
        "KVM did not understand the processor's exit \(hex(run.pointee.hw.hardware_exit_reason))")
    case KVM_EXIT_EXCEPTION:
      return describe("KVM could not handle exception \(run.pointee.ex.exception) of the guest")
    case KVM_EXIT_SYSTEM_EVENT:
      return describe("the guest's own system crashed (KVM system event \(run.pointee.system_event.type))")
    case KVM_EXIT_DEBUG:
      return describe("the guest stopped at a breakpoint nobody set")
    default:
      return describe("KVM stopped with exit reason \(run.pointee.exit_reason), which nothing here asked for")
    }
  }

  private func describeInternalError() -> EngineFailure {
    let run = control.run
    let kind = Int32(bitPattern: run.pointee.internal.suberror)
    switch kind {
    case KVM_INTERNAL_ERROR_EMULATION:
      let (bytes, flags) = (run.pointee.emulation_failure.ndata, run.pointee.emulation_failure.flags)
      var instruction: [UInt8] = []
      if bytes >= 3, flags & martlet_KVM_EMULATION_HAS_BYTES != 0 {
        let count = min(15, Int(martlet_kvm_failed_instruction_size(run)))
        instruction = Array(UnsafeBufferPointer(start: martlet_kvm_failed_instruction(run), count: count))
      }
      return describe(
        "KVM could not emulate the guest's instruction: either KVM does not know it, or the guest runs where "
          + "there is no memory", instruction: instruction)
    case KVM_INTERNAL_ERROR_SIMUL_EX:
      return describe("KVM could not deliver an exception of the guest while another was being delivered")
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return describe(
        "KVM could not deliver an event to the guest: its interrupt table or stack is in no memory")
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
      return describe("KVM met an exit of the processor that it does not expect")
    default:
      return describe("KVM stopped with internal error \(kind)")
    }
  }

  /// Up to 16 bytes of code.
  private func codeBytes(at linear: UInt64) -> [UInt8] {
    var translation = kvm_translation()
    translation.linear_address = linear
    let isMapped = ioctl(descriptor, martlet_KVM_TRANSLATE, &translation) == 0 && translation.valid != 0
    guard isMapped else { return [] }
    return bus.lock.withLock {
      let address = GuestAddress(translation.physical_address)
      // Not across the page, whose neighbour may be elsewhere.
      let count = min(16, RAMBlock.pageSize - Int(address.rawValue % UInt64(RAMBlock.pageSize)))
      return bus.memory.memory.hostBytes(at: address, count: count, for: .read).map { Array($0) } ?? []
    }
  }
}
