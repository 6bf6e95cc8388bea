// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Glibc
import Synchronization
import Testing

@testable import Machine

/// A CPU that counts its rounds and, as told, stops by itself.
private final class FakeCPU: VirtualCPU {
  let index = 0
  let isKicked = Atomic(false)
  let rounds = Atomic(0)
  let shutsDown = Atomic(false)

  func run() -> VirtualCPUExit {
    rounds.add(1, ordering: .sequentiallyConsistent)
    while !isKicked.exchange(false, ordering: .sequentiallyConsistent) {
      if shutsDown.exchange(false, ordering: .sequentiallyConsistent) { return .shutdown }
      usleep(100)
    }
    return .interrupted
  }
  func kick() { isKicked.store(true, ordering: .sequentiallyConsistent) }
  func registers() throws(EngineError) -> CPUState { CPUState() }
  func setRegisters(_ state: CPUState) throws(EngineError) {}
  func reset() throws(EngineError) {}
  func injectNMI() throws(EngineError) {}
}

@Suite struct VirtualCPUThreadTests {
  @Test func startsParkedAndRunsWhenAllowed() {
    let cpu = FakeCPU()
    let thread = VirtualCPUThread(cpu: cpu) { _, _ in }
    #expect(thread.start() == 0)
    thread.waitUntilParked()
    #expect(cpu.rounds.load(ordering: .sequentiallyConsistent) == 0)
    thread.leave()
    while cpu.rounds.load(ordering: .sequentiallyConsistent) == 0 { usleep(100) }
    thread.park()
    thread.waitUntilParked()
    let rounds = cpu.rounds.load(ordering: .sequentiallyConsistent)
    usleep(2000)
    #expect(cpu.rounds.load(ordering: .sequentiallyConsistent) == rounds)
    thread.end()
  }

  @Test func parksBeforeItTellsThatItStopped() {
    let cpu = FakeCPU()
    let told = Atomic(0)
    withExtendedLifetime(cpu) {
      let thread = VirtualCPUThread(cpu: cpu) { _, exit in
        if case .shutdown = exit { told.add(1, ordering: .sequentiallyConsistent) }
      }
      #expect(thread.start() == 0)
      cpu.shutsDown.store(true, ordering: .sequentiallyConsistent)
      thread.leave()
      while told.load(ordering: .sequentiallyConsistent) == 0 { usleep(100) }
      thread.waitUntilParked()
      #expect(cpu.rounds.load(ordering: .sequentiallyConsistent) >= 1)
      thread.end()
    }
    #expect(told.load(ordering: .sequentiallyConsistent) == 1)
  }

  @Test func survivesAStormOfParkAndLeave() {
    let cpu = FakeCPU()
    let thread = VirtualCPUThread(cpu: cpu) { _, _ in }
    #expect(thread.start() == 0)
    for _ in 0..<500 {
      thread.leave()
      thread.park()
      thread.waitUntilParked()
    }
    thread.end()
  }
}
