// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import TestSupport
import Testing

@testable import GuestSupport

/// A state saved under one engine runs on under the other.
@Suite(.serialized)
struct StateExchangeTests {
  static let pairs: [(GuestEngine, GuestEngine)] = GuestEngine.there.flatMap { from in
    GuestEngine.there.map { (from, $0) }
  }

  /// A board on another engine, in the state of the first, which is paused.
  private func moved(_ first: GuestBoard, _ name: String, to engine: GuestEngine) throws -> GuestBoard {
    let second = try GuestBoard(name, on: engine)
    second.ram.allBytes.copyMemory(from: UnsafeRawBufferPointer(first.ram.allBytes))
    let states = try first.cpus.map { try roundTrip($0.registers()) }
    let platform = try roundTrip(first.engine.savePlatform())
    for (cpu, state) in zip(second.cpus, states) { try cpu.setRegisters(state) }
    try second.lock.withLock { try second.engine.restorePlatform(platform) }
    return second
  }

  @Test(arguments: pairs)
  func aCountGoesOn(_ from: GuestEngine, _ to: GuestEngine) throws {
    let first = try GuestBoard("count", on: from)
    try first.resume()
    try first.wait { first.dword(0x1000) > 1000 }
    first.pause()
    let count = try first.cpus[0].registers().general[1]
    let second = try moved(first, "count", to: to)
    #expect(try second.cpus[0].registers().general[1] == count)
    try second.resume()
    try second.wait { (0..<256).contains { second.dword(0x1000 + $0 * 4) > count + 2000 } }
    second.pause()
    // Register, index and memory agree: nothing was executed twice or left out.
    let registers = try second.cpus[0].registers()
    let last = (0..<256).map { second.dword(0x1000 + $0 * 4) }.max() ?? 0
    #expect(UInt64(last) == registers.general[1] || UInt64(last) + 1 == registers.general[1])
  }

  @Test(arguments: pairs)
  func aTimerTicksOn(_ from: GuestEngine, _ to: GuestEngine) throws {
    let first = try GuestBoard("timer", on: from)
    try first.resume()
    try first.wait { first.word(0x1000) >= 3 }
    first.pause()
    let second = try moved(first, "timer", to: to)
    second.ram.allBytes.storeBytes(of: 3, toByteOffset: 0x1000, as: UInt16.self)
    try second.run()
    #expect(second.verdict == 0)
    #expect(second.word(0x1000) >= 10)
  }

  /// Long mode and its tables.
  @Test(arguments: pairs)
  func longModeGoesOn(_ from: GuestEngine, _ to: GuestEngine) throws {
    try goesOn("count-long", from, to)
  }

  /// The vector registers and the x87 stack; only on the soft engine, as a KVM that interprets the guest does not have
  /// their instructions.
  @Test(.enabled(if: GuestImage.assembler != nil, "needs nasm"))
  func vectorsGoOn() throws { try goesOn("vectors", .soft, .soft) }

  /// Moves a guest that counts for ever and ends when something is not as it was.
  private func goesOn(_ name: String, _ from: GuestEngine, _ to: GuestEngine) throws {
    let first = try GuestBoard(name, on: from)
    try first.resume()
    try first.wait { first.dword(0x1000) > 100 }
    first.pause()
    let second = try moved(first, name, to: to)
    let count = second.dword(0x1000)
    try second.resume()
    try second.wait { second.dword(0x1000) > count + 1000 || second.verdict != nil }
    second.pause()
    #expect(second.verdict == nil, "a register came out differently")
  }
}
