// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import EventLoop
import Foundation
import GuestMemory
import TestSupport
import Testing

@testable import SoftCPU

/// Guests out to break the engine: random code, descriptor tables, page tables and registers, in every mode.
/// It must neither trap nor hang. `MARTLET_TORTURE` multiplies the rounds, `MARTLET_SEED` picks others.
@Suite struct HostileGuestTests {
  private static let byteCount = 1 << 20
  /// A device's registers, where no RAM is.
  private static let window: UInt64 = 0x20_0000

  private final class Registers: RegisterFile {
    var last: UInt64 = 0
    func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { last &+ UInt64(offset) }
    func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) { last = value }
  }

  private struct Board {
    let ram: RAMBlock
    let machine: SoftMachine
    let cpu: SoftVirtualCPU
    let bus: SystemBus

    init() throws {
      ram = try RAMBlock(name: "hostile.ram", byteCount: HostileGuestTests.byteCount)
      bus = SystemBus(lock: MachineLock())
      bus.memory.add(
        MemoryRegion(
          name: "ram", base: GuestAddress(UInt64(0)), count: UInt64(ram.byteCount),
          backing: .ram(ram, offset: 0)))
      bus.memory.add(
        MemoryRegion(
          window: RegisterWindow(Registers(), (), name: "registers", count: 0x1000, widest: .qword),
          base: GuestAddress(HostileGuestTests.window)))
      machine = SoftMachine(bus: bus)
      bus.memory.addListener(machine)
      cpu = SoftVirtualCPU(
        index: 0, cpuid: try SoftCPUID(CPUModelRequest(), topology: CPUTopology(), index: 0),
        localAPIC: NoLocalAPIC(), machine: machine, clock: SteppedClock(), scheduler: SoftScheduler())
      machine.owners.append(cpu)
      machine.changes.isMapNew = true
      machine.takeOverMemoryChanges()
    }
  }

  /// Fragments that random bytes seldom make.
  private static let fragments: [[UInt8]] = [
    [0x0F, 0x22, 0xC0], [0x0F, 0x22, 0xD8], [0x0F, 0x22, 0xE0], [0x0F, 0x20, 0xC0], [0x0F, 0x01, 0x16],
    [0x0F, 0x01, 0x1E], [0x0F, 0x00, 0xD8], [0x0F, 0x00, 0xD0], [0x8E, 0xD8], [0x8E, 0xD0], [0x8E, 0xE8],
    [0xCF],
    [0x48, 0xCF], [0xCB], [0x48, 0xCB], [0xFF, 0x2E], [0xFF, 0x1E], [0xEA, 0, 0, 0, 0, 8, 0],
    [0x9A, 0, 0, 0, 0, 8, 0],
    [0xCD, 0x80], [0xCC], [0xCE], [0xF1], [0x9D], [0xFB], [0xFA], [0x0F, 0x30], [0x0F, 0x32], [0x0F, 0x05],
    [0x0F, 0x07], [0x0F, 0x34], [0x0F, 0x35], [0xF3, 0xA4], [0xF3, 0xAB], [0xF2, 0xAE], [0xF3, 0xA6],
    [0xF3, 0x6C],
    [0xF3, 0x6E], [0xAA], [0xA5], [0x0F, 0x23, 0xF8], [0x0F, 0x23, 0xC0], [0x0F, 0x01, 0x3E],
    [0xC8, 4, 0, 31],
    [0x0F, 0xAE, 0x06], [0x0F, 0xAE, 0x0E], [0x0F, 0xAE, 0x26], [0x0F, 0xAE, 0x2E], [0xDD, 0x36],
    [0xDD, 0x26],
    [0xD9, 0x36], [0xD9, 0x26], [0xF4], [0x62, 6], [0x0F, 0xA2], [0x63, 6], [0x0F, 2, 6], [0x0F, 3, 6],
    [0xC4, 6],
  ]

  private static func fill(_ board: Board, _ random: inout SeededGenerator) {
    let memory = board.ram.hostAddress
    // Mostly numbers that are something to some table: small, page-aligned with flags, descriptors.
    for offset in stride(from: 0, to: 0x10000, by: 8) {
      var value = random.next()
      switch random.next() & 7 {
      case 0...3: value = value & 0xF_F000 | value >> 50 & 0xFFF | 1
      case 4: value = value & 0x8000_0000_000F_F0FF | 0x67
      case 5: value = value & 0x00CF_FFFF_000F_FFFF | 0x0000_9000_0000_FFFF
      case 6: value = value & 0x0000_FFFF_0008_FFFF | 0x0000_8E00_0008_0000
      default: break
      }
      memory.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }
    for offset in stride(from: 0x10000, to: 0x20000, by: 8) {
      memory.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
      if random.next() & 1 == 0, let fragment = fragments.randomElement(using: &random) {
        for (index, byte) in fragment.enumerated() where offset + index < 0x20000 {
          memory.storeBytes(of: byte, toByteOffset: offset + index, as: UInt8.self)
        }
      }
    }
  }

  private static func address(_ random: inout SeededGenerator) -> UInt64 {
    switch random.next() & 7 {
    case 0: random.next()
    case 1: window &+ random.next() & 0xFFF
    case 2: 0xFFFF_FFFF_FFFF_F000 | random.next() & 0xFFF
    case 3: 0x7FFF_FFFF_FFF0 &+ random.next() & 31
    case 4: 0xFFFF_FFF0 &+ random.next() & 31
    case 5: random.next() & 0xFFFF
    default: random.next() & 0x1FFFF
    }
  }

  private static func state(_ board: Board, _ random: inout SeededGenerator) throws {
    var state = board.cpu.registers()
    for register in 0..<16 { state.general[register] = address(&random) }
    // How long a repeated instruction takes is bounded elsewhere.
    if random.next() & 63 != 0 { state.general[1] &= 0xFF }
    state.rip = 0x10000 &+ random.next() & 0xFFFF
    state.rflags = random.next() & 0x3F_7FD7 | 2
    state.gdtr.base = random.next() & 0xFFF8
    state.gdtr.limit = UInt16(truncatingIfNeeded: random.next())
    state.idtr.base = random.next() & 0xFFF8
    state.idtr.limit = UInt16(truncatingIfNeeded: random.next())
    let isLong = random.next() & 1 == 0
    state.cr0 = 0x10 | random.next() & 0xE005_003F
    if isLong { state.cr0 |= 0x8000_0001 }
    state.cr3 = random.next() & 0xF000
    state.cr4 = random.next() & 0x35_0FFF | (isLong ? 0x20 : 0)
    state.efer = isLong ? 0xD01 : random.next() & 0x801
    for number in 0..<6 {
      state.segments[number].selector = UInt16(truncatingIfNeeded: random.next() & 0xFF)
      let isFlat = random.next() & 1 == 0
      state.segments[number].base = isFlat ? 0 : address(&random) & 0xFFFF_FFFF
      state.segments[number].limit =
        isFlat ? ~0 : UInt32(truncatingIfNeeded: random.next() >> (random.next() & 63))
      state.segments[number].attributes = number == 1 ? 0xC9B : 0xC93
      if random.next() & 3 == 0 {
        state.segments[number].attributes ^= UInt16(truncatingIfNeeded: random.next()) & 0x1F6F
      }
    }
    if isLong, random.next() & 3 != 0 { state.segments[1].attributes = 0xA9B }
    state.tr.base = random.next() & 0xFFFF
    state.tr.limit = UInt32(truncatingIfNeeded: random.next() & 0xFFF)
    state.tr.attributes = random.next() & 1 == 0 ? 0x8B : 0x83
    state.ldtr.base = random.next() & 0xFFFF
    state.ldtr.limit = UInt32(truncatingIfNeeded: random.next() & 0xFFF)
    state.ldtr.selector = UInt16(truncatingIfNeeded: random.next())
    for number in 0..<4 { state.debug[number] = address(&random) }
    state.debug[5] = random.next() & 3 == 0 ? random.next() & 0xFFFF_27FF : 0x400
    for index in 0..<512 { state.xsave[index] = UInt8(truncatingIfNeeded: random.next()) }
    for number in MSR.state { state.msrs[number] = address(&random) }
    try board.cpu.setRegisters(state)
  }

  @Test func randomGuestsNeitherTrapNorHang() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["MARTLET_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
    let rounds = 300 * (environment["MARTLET_TORTURE"].flatMap { Int($0) } ?? 1)
    print("Hostile guests: MARTLET_SEED=\(seed)")
    var random = SeededGenerator(seed: seed)
    let board = try Board()
    var executed: UInt64 = 0
    var shutdowns = 0
    for round in 0..<rounds {
      if round & 15 == 0 { Self.fill(board, &random) }
      try Self.state(board, &random)
      let before = board.cpu.cpu.pointee.executed
      for _ in 0..<8 {
        if random.next() & 3 == 0 { board.cpu.injectNMI() }
        if case .shutdown? = board.cpu.runSlice(500) {
          shutdowns += 1
          break
        }
        // A device writes where code may be.
        let bus = board.bus
        bus.lock.withLock {
          _ = bus.memory.memory.store(random.next(), at: GuestAddress(0x10000 &+ random.next() & 0xFFFF))
        }
      }
      executed &+= board.cpu.cpu.pointee.executed &- before
      board.bus.lock.withLock { board.cpu.reset() }
    }
    // That much happens shows that the guests are not all dead at once.
    #expect(executed > UInt64(rounds))
    #expect(shutdowns < rounds)
  }
}
