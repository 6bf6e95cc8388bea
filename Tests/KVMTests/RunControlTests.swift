// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Glibc
import GuestMemory
import TestSupport
import Testing

@testable import GuestSupport
@testable import KVM

/// Stopping, looking at and changing a guest that runs.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct RunControlTests {
  @Test func aKickBeforeRunIsNotLost() throws {
    let board = try GuestBoard("count")
    board.cpus[0].kick()
    guard case .interrupted = board.cpus[0].run() else {
      Issue.record("did not come back")
      return
    }
    #expect(try board.cpus[0].registers().rip == 0xFFF0)
  }

  @Test func aGuestIsPausedLookedAtAndGoesOn() throws {
    let board = try GuestBoard("count")
    var before: UInt64 = 0
    for round in 0..<20 {
      try board.resume()
      try board.wait { board.dword(0x1000) > before }
      board.pause()
      #expect(board.exits.isEmpty)
      let state = try board.cpus[0].registers()
      let count = state.general[1]
      #expect(count > before, "round \(round)")
      // The guest stands still: memory agrees with the registers, now and a moment later.
      expectConsistent(board, count: count)
      usleep(1000)
      #expect(try board.cpus[0].registers().general == state.general)
      before = count
    }
  }

  /// Each dword of the ring holds the last count that belongs there.
  private func expectConsistent(
    _ board: GuestBoard, count: UInt64, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for slot in 0..<256 where count > 512 {
      let value = UInt64(board.dword(0x1000 + slot * 4))
      let isRight = value % 256 == UInt64((slot + 1) % 256) && value <= count && count - value <= 256
      #expect(isRight, "slot \(slot) holds \(value) at \(count)", sourceLocation: sourceLocation)
    }
  }

  @Test func kicksFromManyThreadsAreAnswered() throws {
    let board = try GuestBoard("count")
    let cpu = board.cpus[0]
    var interruptions = 0
    for _ in 0..<200 {
      let kicker = KickThread(cpu, delay: UInt32.random(in: 0..<300))
      if case .interrupted = cpu.run() { interruptions += 1 }
      kicker.join()
    }
    #expect(interruptions == 200)
  }

  @Test func registersAreChanged() throws {
    let board = try GuestBoard("count")
    try board.resume()
    try board.wait { board.dword(0x1000) > 0 }
    board.pause()
    var state = try board.cpus[0].registers()
    state.general[1] = 0x7000_0000
    state.msrs[0xC000_0082] = 0x1234_5678  // IA32_LSTAR
    state.debug[0] = 0x4321
    try board.cpus[0].setRegisters(state)
    let seen = try board.cpus[0].registers()
    #expect(seen.general == state.general)
    #expect(seen.segments == state.segments)
    #expect(seen.msrs[0xC000_0082] == 0x1234_5678)
    #expect(seen.debug == state.debug)
    #expect(seen.localAPIC == state.localAPIC)
    try board.resume()
    try board.wait { (0..<256).contains { board.dword(0x1000 + $0 * 4) > 0x7000_0000 } }
    board.pause()
  }

  @Test func resetStartsAnew() throws {
    let board = try GuestBoard("count")
    try board.resume()
    try board.wait { board.dword(0x1000) > 0 }
    board.pause()
    try board.cpus[0].reset()
    try board.engine.resetPlatform()
    let state = try board.cpus[0].registers()
    #expect(state.rip == 0xFFF0)
    #expect(state.segments[1].base == 0xFFFF_0000)
    #expect(state.general.enumerated().allSatisfy { $0 == 2 || $1 == 0 })
    #expect(state.general[2] != 0)
    #expect(state.cr0 == 0x6000_0010)
    #expect(state.msrs[0x277] == 0x0007_0406_0007_0406)
    #expect(state.msrs[0x1B] == 0xFEE0_0900)
    #expect(state.xsave.prefix(2) == [0x40, 0])
    #expect(state.activity == .running)
    board.ram.allBytes.initializeMemory(as: UInt8.self, repeating: 0)
    try board.resume()
    try board.wait { board.dword(0x1000) > 0 }
    board.pause()
  }

  @Test func allStartAgainAfterAReset() throws {
    let board = try GuestBoard("smp", topology: CPUTopology(sockets: 3))
    for round in 1...3 {
      board.ram.allBytes.initializeMemory(as: UInt8.self, repeating: 0)
      board.ram.allBytes[0x500] = 3
      try board.run()
      #expect(board.byte(0x1000) == 3, "round \(round)")
      for cpu in board.cpus { try cpu.reset() }
      try board.engine.resetPlatform()
      #expect(
        try board.cpus.map { try $0.registers().activity } == [.running, .waitingForInit, .waitingForInit])
      board.forgetVerdict()
    }
  }

  @Test func aGuestThatShutDownStartsAgainAfterAReset() throws {
    let board = try GuestBoard("triple-fault")
    for _ in 0..<3 {
      guard case .shutdown = try board.run() else {
        Issue.record("no shutdown")
        return
      }
      try board.cpus[0].reset()
    }
  }

  @Test func aMessageReachesTheLocalAPIC() throws {
    let board = try GuestBoard("count")
    var state = try board.cpus[0].registers()
    state.localAPIC[0xF] = 0x1FF  // software-enabled
    try board.cpus[0].setRegisters(state)
    board.engine.sendMessage(address: 0xFEE0_0000, data: 0x45)
    // IRR, vectors 64 … 95.
    #expect(try board.cpus[0].registers().localAPIC[0x22] == 1 << 5)
    try board.cpus[0].reset()
    #expect(try board.cpus[0].registers().localAPIC[0x22] == 0)
  }

  @Test func aStateRunsOnInAnotherMachine() throws {
    let first = try GuestBoard("count")
    try first.resume()
    try first.wait { first.dword(0x1000) > 1000 }
    first.pause()
    let cpu = try roundTrip(first.cpus[0].registers())
    let platform = try roundTrip(first.engine.savePlatform())

    let second = try GuestBoard("count")
    second.ram.allBytes.copyMemory(from: UnsafeRawBufferPointer(first.ram.allBytes))
    try second.engine.restorePlatform(platform)
    try second.cpus[0].setRegisters(cpu)
    let taken = try second.engine.savePlatform()
    #expect(taken.pics == platform.pics)
    #expect(taken.ioapic == platform.ioapic)
    #expect(taken.paravirtualClock == platform.paravirtualClock)
    #expect(taken.pit == platform.pit)
    try second.resume()
    let goal = cpu.general[1] + 2000
    try second.wait { (0..<256).contains { second.dword(0x1000 + $0 * 4) > goal } }
    second.pause()
    expectConsistent(second, count: try second.cpus[0].registers().general[1])
  }

  @Test func aTimerStateRunsOnInAnotherMachine() throws {
    // Stopped in the middle of ten ticks, continued elsewhere: the PIC's masks and vectors, the counter's
    // mode and the HLT all have to be there.
    let first = try GuestBoard("timer")
    try first.resume()
    try first.wait { first.word(0x1000) >= 3 }
    first.pause()
    let second = try GuestBoard("timer")
    second.ram.allBytes.copyMemory(from: UnsafeRawBufferPointer(first.ram.allBytes))
    second.ram.allBytes.storeBytes(of: 3, toByteOffset: 0x1000, as: UInt16.self)
    try second.engine.restorePlatform(roundTrip(first.engine.savePlatform()))
    try second.cpus[0].setRegisters(roundTrip(first.cpus[0].registers()))
    try second.run()
    #expect(second.verdict == 0)
    #expect(second.word(0x1000) >= 10)
  }

  @Test func damagedStatesAreRefused() throws {
    let board = try GuestBoard("count")
    var cpu = try board.cpus[0].registers()
    cpu.general.removeLast()
    #expect(throws: EngineError.self) { try board.cpus[0].setRegisters(cpu) }
    cpu = try board.cpus[0].registers()
    cpu.localAPIC = []
    #expect(throws: EngineError.self) { try board.cpus[0].setRegisters(cpu) }
    cpu = try board.cpus[0].registers()
    cpu.msrs[0xDEAD_BEEF] = 1
    #expect(throws: EngineError.self) { try board.cpus[0].setRegisters(cpu) }
    var platform = try board.engine.savePlatform()
    platform.pics.removeLast()
    #expect(throws: EngineError.self) { try board.engine.restorePlatform(platform) }
    platform = try board.engine.savePlatform()
    platform.ioapic.redirection = []
    #expect(throws: EngineError.self) { try board.engine.restorePlatform(platform) }
    // Rubbish in the right shape is either taken or refused.
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      platform = try board.engine.savePlatform()
      platform.pics[0].initState = .random(in: 0...255, using: &generator)
      platform.pics[1].irqBase = .random(in: 0...255, using: &generator)
      platform.ioapic.redirection = platform.ioapic.redirection.map { _ in generator.next() }
      platform.pit.channels[1].count = UInt32.random(in: .min ... .max, using: &generator)
      platform.pit.channels[2].sinceLoad = Int64.random(in: .min ... .max, using: &generator)
      try? board.engine.restorePlatform(platform)
    }
    try board.engine.resetPlatform()
  }
}

/// A thread that kicks once.
final class KickThread: @unchecked Sendable {
  // Unchecked: `thread` is written before anyone else has the object.
  private var thread = pthread_t()

  init(_ cpu: any VirtualCPU, delay: UInt32) {
    final class Box {
      let cpu: any VirtualCPU
      let delay: UInt32
      init(_ cpu: any VirtualCPU, _ delay: UInt32) { (self.cpu, self.delay) = (cpu, delay) }
    }
    let box = Unmanaged.passRetained(Box(cpu, delay))
    pthread_create(
      &thread, nil,
      { context in
        let box = Unmanaged<Box>.fromOpaque(context!).takeRetainedValue()
        usleep(box.delay)
        box.cpu.kick()
        return nil
      }, box.toOpaque())
  }

  func join() { pthread_join(thread, nil) }
}
