// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import Bus

/// Remembers accesses and answers with the offset.
private final class Probe: RegisterFile {
  var log: [String] = []
  func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    log.append("r\(offset).\(width.count)")
    return UInt64(offset)
  }
  func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    log.append("w\(offset).\(width.count)=\(value)")
  }
}

@Suite struct PortSpaceTests {
  @Test func absentPortsReadAllOnes() {
    let ports = PortSpace()
    #expect(ports.read(0x80, .byte) == 0xFF)
    #expect(ports.read(0x80, .word) == 0xFFFF)
    #expect(ports.read(0xFFFF, .dword) == 0xFFFF_FFFF)
    ports.write(0xFFFE, 1, .dword)
    #expect(ports.unclaimedAccesses > 0)
  }

  @Test func comingsAndGoingsAreTold() {
    let ports = PortSpace()
    var told: [String] = []
    ports.onMap = { told.append("\($0.name) \($1) \($2)") }
    let window = RegisterWindow(Probe(), (), name: "probe", count: 8)
    ports.map(window, at: 0x100)
    ports.map(window, at: 0x200)
    ports.unmap(window)
    ports.unmap(window)
    #expect(told == ["probe 256 true", "probe 512 true", "probe 256 false", "probe 512 false"])
  }

  @Test func wideAccessesToNarrowDevicesAreSplit() {
    let ports = PortSpace()
    let probe = Probe()
    ports.map(RegisterWindow(probe, (), name: "probe", count: 8), at: 0x100)
    #expect(ports.read(0x102, .dword) == 0x0504_0302)
    ports.write(0x106, 0xAABB, .word)
    #expect(probe.log == ["r2.1", "r3.1", "r4.1", "r5.1", "w6.1=187", "w7.1=170"])
    // Half of it beyond the window.
    #expect(ports.read(0x107, .word) == 0xFF07)
  }

  @Test func narrowAccessesToWideDevicesAreWidened() {
    let ports = PortSpace()
    let probe = Probe()
    ports.map(
      RegisterWindow(probe, (), name: "probe", count: 8, narrowest: .dword, widest: .dword), at: 0x100)
    #expect(ports.read(0x105, .byte) == 0)
    ports.write(0x105, 0x7F, .byte)
    #expect(probe.log == ["r4.4", "r4.4", "w4.4=32516"])
  }

  @Test func theLastWindowMappedAnswers() {
    let ports = PortSpace()
    let (first, second) = (Probe(), Probe())
    ports.map(RegisterWindow(first, (), name: "first", count: 8), at: 0x100)
    let window = RegisterWindow(second, (), name: "second", count: 2)
    ports.map(window, at: 0x104)
    _ = ports.read(0x105, .byte)
    ports.unmap(window)
    _ = ports.read(0x105, .byte)
    #expect(second.log == ["r1.1"])
    #expect(first.log == ["r5.1"])
  }
}
