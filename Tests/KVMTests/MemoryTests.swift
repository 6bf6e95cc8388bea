// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Glibc
import GuestMemory
import Testing

@testable import GuestSupport
@testable import KVM

/// KVM's memory slots behind the memory map.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct MemoryTests {
  @Test func theGuestsWritesAreFoundByPage() throws {
    let board = try GuestBoard("write-pages")
    board.lock.withLock {
      board.bus.memory.setDirtyTracking(of: board.ram, true)
      board.ram.dirty.drain { _, _ in }
    }
    try board.run()
    #expect(board.verdict == 0)
    #expect(dirtyPages(of: board) == [0x20, 0x23, 0x7F])
    #expect(dirtyPages(of: board) == [])
  }

  @Test func theLogOutlivesTheSlot() throws {
    let board = try GuestBoard("write-pages")
    board.lock.withLock {
      board.bus.memory.setDirtyTracking(of: board.ram, true)
      board.ram.dirty.drain { _, _ in }
    }
    try board.run()
    // Splits the slot of the RAM in two: what was logged for it must not go with it.
    board.lock.withLock {
      board.bus.memory.add(
        MemoryRegion(
          name: "hole", base: GuestAddress(UInt64(0x40000)), count: 0x1000,
          backing: .rom(board.rom, offset: 0),
          priority: 1))
    }
    #expect(dirtyPages(of: board) == [0x20, 0x23, 0x7F])
    board.lock.withLock { board.bus.memory.setDirtyTracking(of: board.ram, false) }
  }

  @Test func aRegionInTheMiddleOfABlockIsFoundAtItsPages() throws {
    // RAM shown a second time, shifted by 0x13 pages: the log's bits are not at the bitmap's words.
    let board = try GuestBoard("write-pages")
    let block = try RAMBlock(name: "shifted", byteCount: 256 * 4096)
    board.lock.withLock {
      board.bus.memory.add(
        MemoryRegion(
          name: "shifted", base: GuestAddress(UInt64(0x20000)), count: 0x70000,
          backing: .ram(block, offset: 0x7D * 4096), priority: 2))
      board.bus.memory.setDirtyTracking(of: block, true)
      block.dirty.drain { _, _ in }
    }
    try board.run()
    board.lock.withLock { board.bus.memory.collectDirtyPages(of: block) }
    let pages = (0..<256).filter { block.dirty.isDirty(page: $0) }
    #expect(pages == [0x7D, 0x80, 0xDC])
    #expect(block.allBytes[0x7D * 4096 + 0x123] == 1)
  }

  private func dirtyPages(of board: GuestBoard) -> [Int] {
    board.lock.withLock {
      board.bus.memory.collectDirtyPages(of: board.ram)
      var pages: [Int] = []
      board.ram.dirty.drain { first, count in pages += first..<first + count }
      return pages
    }
  }

  @Test func codeMayRunInARegionThatIsRemapped() throws {
    let board = try GuestBoard("moving", topology: CPUTopology(cores: 1))
    board.notes.keepsNotes = false
    try board.resume()
    try board.wait { board.dword(0x1000) > 10 }
    // As PAM does: the same memory, writable and not, with the slots around it split and merged.
    let shadow = MemoryRegion(
      name: "shadow", base: GuestAddress(UInt64(0xC0000)), count: 0x4000,
      backing: .rom(board.ram, offset: 0xC0000),
      priority: 3, isEnabled: false)
    board.lock.withLock { board.bus.memory.add(shadow) }
    for round in 0..<1000 {
      board.lock.withLock { board.bus.memory.update(shadow, isEnabled: round % 2 == 0) }
      if round % 100 == 0 {
        let count = board.dword(0x1000)
        try board.wait { board.dword(0x1000) != count || !board.exits.isEmpty }
      }
    }
    board.pause()
    #expect(board.exits.isEmpty, "\(board.exits)")
  }

  @Test func othersRunOnWhileOneChangesTheMap() throws {
    // The others wait for their start-up IPI in KVM_RUN: they are taken out and go back like the first.
    let board = try GuestBoard("smp", topology: CPUTopology(cores: 4))
    board.ram.allBytes[0x500] = 4
    let shadow = MemoryRegion(
      name: "shadow", base: GuestAddress(UInt64(0xF0000)), count: 0x10000,
      backing: .ram(board.ram, offset: 0xF0000),
      priority: 3, isEnabled: false)
    board.ram.allBytes.baseAddress.map {
      ($0 + 0xF0000).copyMemory(from: board.rom.hostAddress, byteCount: 0x10000)
    }
    board.lock.withLock { board.bus.memory.add(shadow) }
    try board.resume()
    for round in 0..<400 {
      board.lock.withLock { board.bus.memory.update(shadow, isEnabled: round % 2 == 0) }
    }
    try board.wait { board.verdict != nil || !board.exits.isEmpty }
    board.pause()
    #expect(board.exits.isEmpty, "\(board.exits)")
    #expect(board.byte(0x1000) == 4)
  }

  @Test func aGuestDoesNotRunOnHalfAMap() throws {
    let board = try GuestBoard("count")
    try board.resume()
    try board.wait { board.dword(0x1000) > 0 }
    // Beyond any processor's physical addresses.
    board.lock.withLock {
      board.bus.memory.add(
        MemoryRegion(
          name: "far", base: GuestAddress(UInt64(1) << 63), count: 0x1000, backing: .ram(board.ram, offset: 0)
        ))
    }
    try board.wait { !board.exits.isEmpty }
    board.pause()
    guard case .failed(let failure) = board.exits.first else {
      Issue.record("\(board.exits)")
      return
    }
    #expect(failure.reason.contains("'ram' at 0x8000000000000000"))
  }

  @Test func aRegionThatIsNotWholePagesIsReachedThroughTheBus() throws {
    let board = try GuestBoard("write-pages")
    let block = try RAMBlock(name: "odd", byteCount: 4096 * 2)
    // Only the second page of it lies on a page of the guest's.
    board.lock.withLock {
      board.bus.memory.add(
        MemoryRegion(
          name: "odd", base: GuestAddress(UInt64(0x20100)), count: 0x1F00,
          backing: .ram(block, offset: 0x100),
          priority: 2))
    }
    try board.run()
    #expect(board.verdict == 0)
    #expect(block.allBytes[0x123] == 1)
    #expect(board.byte(0x20123) == 0)
  }
}
