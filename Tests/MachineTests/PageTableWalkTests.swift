// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import GuestMemory
import Testing

@testable import Machine

@Suite struct PageTableWalkTests {
  private let memory: GuestMemory
  private var cpu = CPUState()

  init() throws {
    memory = GuestMemory(block: try RAMBlock(name: "ram", byteCount: 1 << 20))
    cpu.cr0 = 1 << 31 | 1
  }

  private func store(_ table: UInt64, _ index: UInt64, _ entry: UInt64) {
    #expect(memory.store(entry, at: GuestAddress(table + index * 8)))
  }

  private func pages(of cpu: CPUState, limit: Int = 100) -> (pages: [PageTableWalk.Page], isComplete: Bool) {
    var walk = PageTableWalk(cpu, memory: memory)
    var pages: [PageTableWalk.Page] = []
    let isComplete = walk.run { if pages.count < limit { pages.append($0) } }
    return (pages, isComplete)
  }

  @Test func fourLevels() {
    var cpu = cpu
    (cpu.cr3, cpu.cr4, cpu.efer) = (0x1000, 1 << 5, 1 << 10)
    store(0x1000, 0, 0x2007)
    store(0x1000, 511, 0x2003)
    store(0x2000, 0, 0x3007)
    store(0x2000, 1, 0x4000_0087)
    store(0x3000, 2, 0x0060_0085)
    store(0x3000, 3, 0x4007)
    store(0x4000, 5, 0x8000_0000_0000_7063)
    let (pages, isComplete) = pages(of: cpu)
    #expect(isComplete)
    #expect(
      pages.map(\.linear) == [
        0x40_0000, 0x60_5000, 0x4000_0000, 0xFFFF_FF80_0040_0000, 0xFFFF_FF80_0060_5000,
        0xFFFF_FF80_4000_0000,
      ])
    #expect(pages.map(\.byteCount) == [2 << 20, 4096, 1 << 30, 2 << 20, 4096, 1 << 30])
    #expect(pages[1].physical == 0x7000)
    #expect(pages.map(\.allowsUser) == [true, false, true, false, false, false])
    #expect(pages.map(\.allowsWrites) == [false, true, true, false, true, true])
  }

  @Test func thirtyTwoBits() {
    var cpu = cpu
    (cpu.cr3, cpu.cr4) = (0x1000, 1 << 4)
    #expect(memory.store(UInt32(0x2007), at: GuestAddress(UInt64(0x1004))))
    #expect(memory.store(UInt32(0x0080_0083), at: GuestAddress(UInt64(0x1008))))
    #expect(memory.store(UInt32(0x9005), at: GuestAddress(UInt64(0x2000))))
    let (pages, _) = pages(of: cpu)
    #expect(pages.map(\.linear) == [0x40_0000, 0x80_0000])
    #expect(pages.map(\.physical) == [0x9000, 0x80_0000])
    #expect(pages.map(\.byteCount) == [4096, 4 << 20])
    #expect(pages.map(\.allowsWrites) == [false, true])
  }

  @Test func pae() {
    var cpu = cpu
    (cpu.cr3, cpu.cr4) = (0x1000, 1 << 5)
    store(0x1000, 3, 0x2001)
    store(0x2000, 511, 0x20_0083)
    let (pages, _) = pages(of: cpu)
    #expect(pages.map(\.linear) == [0xFFE0_0000])
    #expect(pages.map(\.physical) == [0x20_0000])
  }

  @Test func tablesThatPointToThemselvesAreLeftSomeTime() {
    var cpu = cpu
    (cpu.cr3, cpu.cr4, cpu.efer) = (0x1000, 1 << 5, 1 << 10)
    for index in 0..<UInt64(512) { store(0x1000, index, 0x1007) }
    var walk = PageTableWalk(cpu, memory: memory, mostTables: 50)
    var count = 0
    let isComplete = walk.run { _ in count += 1 }
    #expect(!isComplete)
    #expect(count > 0)
    #expect(count <= 50 * 512)
  }
}
