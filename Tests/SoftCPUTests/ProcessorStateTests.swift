// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Testing

@testable import SoftCPU

/// The time stamp counter, the local APIC and interrupts as the processor deals with them.
@Suite struct ProcessorStateTests {
  private func wrmsr(_ number: UInt32, _ value: UInt32) -> [UInt8] {
    func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    return [0xB9] + bytes(number) + [0xB8] + bytes(value) + [0x31, 0xD2, 0x0F, 0x30]
  }

  @Test func restoringMovesNothing() throws {
    let guest = try LongModeGuest()
    guest.clock.advance(by: 1000)
    var state = guest.state(wrmsr(0x3B, 500) + wrmsr(0x10, 70_000) + [0xF4])
    try guest.cpu.setRegisters(state)
    #expect(guest.run() == nil && guest.cpu.activity == .halted)
    state = guest.cpu.registers()
    #expect(state.msrs[0x10] == 70_000 && state.msrs[0x3B] == 69_000)
    // The lower half of the task priority is not in CR8.
    state.localAPIC[8] = 0x35
    state.cr8 = 3
    let other = try LongModeGuest()
    other.clock.advance(by: 123_456)
    try other.cpu.setRegisters(state)
    let restored = other.cpu.registers()
    #expect(restored.msrs[0x10] == 70_000 && restored.msrs[0x3B] == 69_000)
    #expect(restored.localAPIC[8] == 0x35 && restored.cr8 == 3)
    // A state without the adjustment.
    state.msrs[0x3B] = nil
    try other.cpu.setRegisters(state)
    #expect(other.cpu.registers().msrs[0x10] == 70_000 && other.cpu.registers().msrs[0x3B] == 69_000)
    state.cr8 = 7
    try other.cpu.setRegisters(state)
    #expect(other.cpu.registers().localAPIC[8] == 0x70)
  }

  @Test(arguments: [0x10, 0x3B] as [UInt32])
  func settingTheTimeStampMovesADeadline(number: UInt32) throws {
    let guest = try LongModeGuest()
    let apic = guest.platform.localInterruptController(0)
    guest.clock.advance(by: 1000)
    try guest.cpu.setRegisters(guest.state(wrmsr(number, 500) + [0xF4]))
    apic.writeRegister(0xF0, 0x1FF)
    apic.writeRegister(0x320, 0x4_0040)
    #expect(apic.writeMSR(0x6E0, guest.cpu.timeStamp + 5000))
    let before = guest.cpu.timeStamp
    _ = guest.run()
    let moved = guest.cpu.timeStamp &- before
    #expect(moved != 0 && guest.clock.nextDeadline == 6000 &- moved)
  }

  /// SYSRET opens the door for interrupts: one that waits comes before the first instruction it returns to.
  @Test func sysretLetsAnInterruptIn() throws {
    let guest = try LongModeGuest()
    let apic = guest.platform.localInterruptController(0)
    var state = guest.state([0x48, 0x0F, 0x07])
    // INC RAX and back.
    let user: UInt64 = 0x2_0000
    for (index, byte) in ([0x48, 0xFF, 0xC0, 0xEB, 0xFB] as [UInt8]).enumerated() {
      guest.ram.hostAddress.storeBytes(of: byte, toByteOffset: Int(user) + index, as: UInt8.self)
    }
    (state.general[0], state.general[1], state.general[11]) = (0, user, 0x202)
    try guest.cpu.setRegisters(state)
    apic.writeRegister(0xF0, 0x1FF)
    guest.platform.sendMessage(address: 0xFEE0_0000, data: 0x40)
    #expect(guest.run() == 0x40 && guest.cpu.registers().general[0] == 0)
    #expect(guest.cpu.cpu.pointee.cpl == 0)
    // The frame: RIP and CS of the user's code.
    let frame = guest.ram.hostAddress + Int(guest.cpu.registers().general[4])
    #expect(frame.load(as: UInt64.self) == user && frame.load(fromByteOffset: 8, as: UInt64.self) & 3 == 3)
  }

  /// SYSCALL clears just what its mask says.
  @Test func syscallMasksFlags() throws {
    let guest = try LongModeGuest()
    var state = guest.state([0x0F, 0x05])
    guest.ram.hostAddress.storeBytes(of: 0xF4, toByteOffset: 0x3_0000, as: UInt8.self)
    state.rflags = 0x4_7ED7
    state.rflags &= ~0x100
    state.msrs[0xC000_0081] = 0x10 << 48 | 0x08 << 32
    state.msrs[0xC000_0082] = 0x3_0000
    state.msrs[0xC000_0084] = 0x4_4241
    try guest.cpu.setRegisters(state)
    _ = guest.run()
    let after = guest.cpu.registers()
    #expect(after.general[11] == state.rflags && after.general[1] == LongModeGuest.code + 2)
    #expect(after.rip == 0x3_0001 && after.rflags == state.rflags & ~0x4_4241)
  }
}
