// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import CPU

@Suite struct CPUStateTextTests {
  @Test func realModeShows32Bits() {
    var state = CPUState()
    state.general[0] = 0x1234
    state.rip = 0xFFF0
    state.segments[1].selector = 0xF000
    state.segments[1].base = 0xFFFF_0000
    state.rflags = 0x246
    #expect(state.registerText.contains("EAX=00001234"))
    #expect(state.registerText.contains("EIP=0000fff0 EFL=00000246 [--Z-P-] CPL=0 running"))
    #expect(state.registerText.contains("CS =f000 ffff0000"))
    #expect(state.linearInstructionPointer == 0xFFFF_FFF0)
  }

  @Test func longModeShows64Bits() {
    var state = CPUState()
    state.efer = 0x500
    state.segments[1].attributes = 0x29B
    state.rip = 0xFFFF_8000_0000_1000
    state.general[15] = .max
    #expect(state.registerText.contains("R15=ffffffffffffffff"))
    #expect(state.registerText.contains("RIP=ffff800000001000"))
    #expect(state.linearInstructionPointer == 0xFFFF_8000_0000_1000)
  }

  @Test func aStateWithoutRegistersIsPrintedToo() {
    var state = CPUState()
    state.general = []
    state.segments = []
    #expect(!state.registerText.isEmpty)
  }
}
