// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import Testing

@testable import GuestSupport
@testable import KVM

/// Exits that no guest of ours can provoke on every host, as KVM would leave them in the run area.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct FailureReportTests {
  private func cpu() throws -> (GuestBoard, KVMVirtualCPU) {
    let board = try GuestBoard("count")
    return (board, try #require(board.cpus[0] as? KVMVirtualCPU))
  }

  private func failure(_ cpu: KVMVirtualCPU, _ reason: Int32) throws -> EngineFailure {
    cpu.control.run.pointee.exit_reason = UInt32(bitPattern: reason)
    guard case .failed(let failure) = cpu.handleRareExit() else { throw CancellationError() }
    return failure
  }

  @Test func anInstructionKVMCannotEmulateIsShown() throws {
    let (board, cpu) = try cpu()
    cpu.control.run.pointee.emulation_failure.suberror = UInt32(KVM_INTERNAL_ERROR_EMULATION)
    cpu.control.run.pointee.emulation_failure.ndata = 3
    cpu.control.run.pointee.emulation_failure.flags = 1
    cpu.control.run.pointee.emulation_failure.insn_size = 3
    let bytes = try #require(martlet_kvm_failed_instruction(cpu.control.run))
    (bytes[0], bytes[1], bytes[2]) = (0xD9, 0x6E, 0xFE)
    let failure = try failure(cpu, KVM_EXIT_INTERNAL_ERROR)
    #expect(failure.code == [0xD9, 0x6E, 0xFE])
    #expect(failure.reason.contains("emulate"))
    #expect(failure.registers.contains("EIP=0000fff0"))
    #expect(failure.description.contains("code at rip: d9 6e fe"))
    withExtendedLifetime(board) {}
  }

  @Test func withoutTheBytesTheyAreReadFromMemory() throws {
    let (board, cpu) = try cpu()
    cpu.control.run.pointee.internal.suberror = UInt32(KVM_INTERNAL_ERROR_DELIVERY_EV)
    let failure = try failure(cpu, KVM_EXIT_INTERNAL_ERROR)
    // The reset vector: a far jump to 0xF000:0.
    #expect(failure.code.prefix(5) == [0xEA, 0, 0, 0, 0xF0])
    #expect(failure.reason.contains("interrupt table"))
    withExtendedLifetime(board) {}
  }

  @Test func eachReasonHasItsSentence() throws {
    let (board, cpu) = try cpu()
    cpu.control.run.pointee.fail_entry.hardware_entry_failure_reason = 0x8000_0021
    #expect(try failure(cpu, KVM_EXIT_FAIL_ENTRY).reason.contains("0x80000021"))
    #expect(try failure(cpu, KVM_EXIT_DEBUG).reason.contains("breakpoint"))
    #expect(try failure(cpu, 9999).reason.contains("9999"))
    cpu.control.run.pointee.system_event.type = UInt32(KVM_SYSTEM_EVENT_CRASH)
    #expect(try failure(cpu, KVM_EXIT_SYSTEM_EVENT).reason.contains("crashed"))
    withExtendedLifetime(board) {}
  }

  @Test func powerEventsAndHarmlessExitsAreTold() throws {
    let (board, cpu) = try cpu()
    let run = cpu.control.run
    run.pointee.exit_reason = UInt32(KVM_EXIT_SYSTEM_EVENT)
    run.pointee.system_event.type = UInt32(KVM_SYSTEM_EVENT_RESET)
    guard case .systemReset = cpu.handleRareExit() else { throw CancellationError() }
    run.pointee.system_event.type = UInt32(KVM_SYSTEM_EVENT_SHUTDOWN)
    guard case .systemShutdown = cpu.handleRareExit() else { throw CancellationError() }
    run.pointee.exit_reason = UInt32(KVM_EXIT_HLT)
    guard case .halted = cpu.handleRareExit() else { throw CancellationError() }
    for reason in [KVM_EXIT_INTR, KVM_EXIT_SET_TPR, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_NMI] {
      run.pointee.exit_reason = UInt32(reason)
      if let exit = cpu.handleRareExit() { Issue.record("\(exit)") }
    }
    withExtendedLifetime(board) {}
  }
}
