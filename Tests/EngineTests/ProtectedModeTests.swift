// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import GuestSupport

/// What programs and operating systems of 32 bits make of the processor.
///
/// On the soft engine only: a KVM that interprets the guest, as nested ones without hardware do, refuses paging, INT and
/// IRET of 32-bit protected mode. What is expected is what the manuals say.
@Suite(.enabled(if: GuestImage.assembler != nil, "needs nasm"))
struct ProtectedModeTests {
  private func run(_ name: String) throws -> GuestBoard {
    let board = try GuestBoard(name, on: .soft)
    let exit = try board.run()
    #expect(board.verdict == 0, "\(exit)")
    return board
  }

  @Test func tasksAreSwitchedAndLeftWhereTheyAre() throws {
    let board = try run("tasks")
    #expect(board.dword(0x1000) == 0x0101_0101)
    // NT, and the link to the caller, which stays busy.
    #expect(board.dword(0x1004) & 0x4000 == 0x4000)
    #expect(board.word(0x1008) == 0x28 && board.byte(0x100C) == 0x8B)
    #expect(board.dword(0x1010) == 0x1234_5678)
    #expect(board.byte(0x1014) == 0x8B && board.byte(0x1015) == 0x89)
    #expect(board.dword(0x1018) == 0x28)
  }

  @Test func breakpointsAndSteps() throws {
    let board = try run("breakpoints")
    func debug(_ index: Int) -> (UInt32, UInt32) {
      (board.dword(0x1200 + index * 4), board.dword(0x1300 + index * 4) & 0xE00F)
    }
    #expect(debug(0) == (board.dword(0x1000), 1))
    #expect(board.dword(0x1010) == 3)
    #expect(debug(1) == (board.dword(0x1004), 2))
    #expect(board.dword(0x1014) == 5)
    let step = board.dword(0x1008)
    // NOP, NOP, PUSHFD, AND (seven bytes), POPFD: that one's trap comes still, as TF was set when it began.
    #expect((2..<7).map { debug($0).0 } == [step, step + 1, step + 2, step + 9, step + 10])
    #expect((2..<7).allSatisfy { debug($0).1 == 0x4000 })
    #expect(board.dword(0x1018) == 7)
    #expect(debug(7) == (board.dword(0x101C), 4))
    // MOV AX, SS; MOV SS, AX (two bytes) and NOP in one; INT (two bytes) and PUSHFD in one; AND (seven); POPFD.
    let steps = board.dword(0x1020)
    #expect((8..<13).map { debug($0).0 } == [steps, steps + 3, steps + 6, steps + 13, steps + 14])
    #expect(board.dword(0x1024) == 13)
  }

  @Test func pagesOfFourKiBAndFourMiB() throws {
    let board = try run("paging-32")
    #expect(board.dword(0x1000) == 0x2023 && board.dword(0x1004) == 0x2063)
    #expect(board.dword(0x1008) == 0xCAFE && board.dword(0x100C) == 0xE3 && board.dword(0x1010) == 0xBEEF)
    #expect((0..<4).map { board.dword(0x1200 + $0 * 8) } == [0, 2, 3, 0])
    #expect((0..<4).map { board.dword(0x1204 + $0 * 8) } == [0x102004, 0x102008, 0x101FFC, 0x102000])
    #expect(board.dword(0x1014) == 0xF00D && board.dword(0x1018) == 4)
  }

  @Test func virtual8086() throws {
    let board = try run("virtual-8086")
    #expect(board.word(0x1000) == 0x1234)
    #expect(board.dword(0x1100) & 0xFFFF == 0x1234)
    // IP behind INT, CS, flags with VM and IOPL 3, DS of the program; the handler's own is null.
    #expect(board.dword(0x1104) == 0xF && board.dword(0x1108) == 0x400)
    #expect(board.dword(0x110C) & 0x23000 == 0x23000)
    #expect(board.dword(0x1110) == 0x100 && board.word(0x1114) == 0)
    #expect(board.word(0x1002) & 0x3200 == 0x3200)
    // HLT with IOPL 3, CLI with IOPL 0: both #GP(0).
    #expect(board.dword(0x1200) == 0 && board.dword(0x1204) == 0xF)
    #expect(board.dword(0x1208) == 0 && board.dword(0x120C) == 6)
  }

  @Test func ringsAndGates() throws {
    let board = try run("rings")
    #expect(board.word(0x1000) == 0x1B)
    // The call gate's parameters, in their order, and the outer stack pointer behind them.
    #expect(board.dword(0x1004) == 0x2222 && board.dword(0x1008) == 0x1111)
    #expect(board.dword(0x100C) == 0x6000 - 8 && board.word(0x1010) == 8)
    #expect(board.dword(0x1014) == 0x6000 && board.word(0x1018) == 0x1B)
    // The interrupt: ring 0's stack from the TSS holds five dwords.
    #expect(board.word(0x101C) == 8 && board.dword(0x1020) == 0x6000 && board.dword(0x1024) == 0x1B)
    #expect(board.dword(0x1028) == 0x6800 - 20 && board.dword(0x102C) == 0x6000)
    // SYSENTER and SYSEXIT.
    #expect(board.word(0x1030) == 8 && board.word(0x1034) == 0x10 && board.dword(0x1038) == 0x6400)
    #expect(board.word(0x1040) == 0x1B && board.word(0x1044) == 0x23)
    // INT 0x21 names the gate, MOV DS the selector, the others nothing.
    #expect(board.dword(0x1048) == 6)
    #expect((0..<6).map { board.dword(0x1200 + $0 * 4) } == [0x21 * 8 + 2, 0, 0, 0x10, 0, 0])
  }

  @Test func physicalAddressExtension() throws {
    let board = try run("paging-pae")
    #expect(board.dword(0x1000) == 0xABCD && board.dword(0x1004) == 0xE3)
    // Fetches are refused with bits 0 and 4, what has no pointer with none, a reserved bit with bits 0 and 3.
    #expect(board.dword(0x1008) == 7)
    #expect((0..<7).map { board.dword(0x1200 + $0 * 8) } == [0x11, 0x11, 0, 9, 0, 0, 0])
    #expect(
      (0..<5).map { board.dword(0x1204 + $0 * 8) } == [0x3000, 0x204000, 0x4000_0000, 0x5000, 0x4000_4000])
    // A pointer counts once CR3 is loaded; CR3, CR4 and the pointers stay when a reserved bit is set.
    #expect(board.dword(0x100C) == 0xFEED && board.dword(0x1010) == 0x10000)
    #expect(board.dword(0x1014) & 0xFF == 0x20 && board.dword(0x1018) == 0xFEED)
  }

  @Test func fastSystemCalls() throws {
    let board = try run("syscall")
    #expect(board.word(0x1100) == 0x2B && board.word(0x1104) == 0x23)
    // RCX is where it went on, R11 the flags, DF masked inside and back outside.
    #expect(board.qword(0x1108) >> 16 == 0xF && board.qword(0x1110) & 0x400 == 0x400)
    #expect(board.word(0x1120) == 8 && board.word(0x1124) == 0x10)
    #expect(board.qword(0x1128) & 0x400 == 0)
    #expect(board.qword(0x1130) & 0x400 == 0)
    #expect(board.dword(0x1138) == 0x66)
    // The interrupt stack: five quadwords, the fourth is ring 3's stack pointer.
    #expect(board.qword(0x1140) == 0x5800 - 40 && board.qword(0x1148) == 0x6000)
  }
}
