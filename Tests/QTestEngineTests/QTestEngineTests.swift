// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Chipset
import EventLoop
import Foundation
import GuestMemory
import TestSupport
import Testing

@testable import QTestEngine

@Suite struct QTestEngineTests {
  let clock = SteppedClock()
  let bus = SystemBus(lock: MachineLock())
  let platform: PCInterruptPlatform
  let engine: QTestEngine

  init() {
    platform = PCInterruptPlatform(clock: clock, apicIDs: [0, 1])
    engine = QTestEngine(
      bus: bus, topology: CPUTopology(sockets: 2, cores: 1, threads: 1), platform: platform)
    platform.map(ports: bus.ports, memory: bus.memory)
  }

  @Test func processorsShowTheirResetState() throws {
    let first = try engine.makeVirtualCPU(index: 0)
    let second = try engine.makeVirtualCPU(index: 1)
    let state = try first.registers()
    #expect(state.segments[1].base &+ state.rip == 0xFFFF_FFF0)
    #expect(state.cr0 == 0x6000_0010)
    #expect(state.rflags == 2)
    #expect(state.activity == .running)
    #expect(try second.registers().activity == .waitingForStartup)
    var changed = state
    changed.general[0] = 7
    try first.setRegisters(changed)
    #expect(try first.registers().general[0] == 7)
    try first.reset()
    #expect(try first.registers().general[0] == 0)
  }

  @Test func thereAreNoOtherProcessors() {
    #expect(throws: EngineError.self) { try engine.makeVirtualCPU(index: 2) }
    #expect(throws: EngineError.self) { try engine.makeVirtualCPU(index: -1) }
  }

  /// The thread of a CPU waits in `run()`: a kick that came before counts, too.
  @Test func kicksEndTheWait() throws {
    let cpu = try engine.makeVirtualCPU(index: 0)
    cpu.kick()
    guard case .interrupted = cpu.run() else {
      Issue.record("the CPU came back with something else")
      return
    }
    let came = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      _ = cpu.run()
      came.signal()
    }
    cpu.kick()
    #expect(came.wait(timeout: .now() + 10) == .success)
  }

  @Test func theLocalAPICIsSeenWhileItIsOn() throws {
    let cpu = try engine.makeVirtualCPU(index: 0)
    try cpu.reset()
    #expect(bus.memory.read(GuestAddress(0xFEE0_0030 as UInt64), .dword) & 0xFF == 0x14)
    let localAPIC = platform.localInterruptController(0)
    #expect(localAPIC.writeMSR(0x1B, 0))
    #expect(bus.memory.read(GuestAddress(0xFEE0_0030 as UInt64), .dword) == 0xFFFF_FFFF)
  }

  /// The 8254's IRQ 0 comes when time is stepped, and not before.
  @Test func theTimerInterruptsWhenTimeIsStepped() {
    var changes: [String] = []
    platform.onLineChange = { changes.append("\($0)\($1 ? "+" : "-")") }
    // Counter 0, mode 2, every 1193 ticks: a millisecond.
    bus.ports.write(0x43, 0x34, .byte)
    bus.ports.write(0x40, 0xA9, .byte)
    bus.ports.write(0x40, 0x04, .byte)
    let before = changes.filter { $0 == "0+" }.count
    #expect(clock.advance(to: 3_500_000, deadlineLimit: 100))
    #expect(changes.filter { $0 == "0+" }.count - before == 3)
    #expect(!clock.advance(to: 1_000_000_000, deadlineLimit: 5))
    #expect(clock.now < 1_000_000_000)
  }

  @Test func aStateMovesToAnotherEngine() throws {
    bus.ports.write(0x21, 0xA5, .byte)
    let state = engine.savePlatform()
    engine.resetPlatform()
    #expect(bus.ports.read(0x21, .byte) != 0xA5)
    try engine.restorePlatform(state)
    #expect(bus.ports.read(0x21, .byte) == 0xA5)
    var damaged = state
    damaged.pics = []
    #expect(throws: EngineError.self) { try engine.restorePlatform(damaged) }
  }
}
