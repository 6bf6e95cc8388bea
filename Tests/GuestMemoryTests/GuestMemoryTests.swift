// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import GuestMemory

@Suite struct GuestMemoryTests {
  private func address(_ value: UInt64) -> GuestAddress { GuestAddress(value) }

  /// RAM at 0 and at 1 MiB, ROM at 2 MiB, holes between.
  private func board() throws -> (memory: GuestMemory, ram: RAMBlock, rom: RAMBlock) {
    let ram = try RAMBlock(name: "ram", byteCount: 64 << 10)
    let rom = try RAMBlock(name: "rom", byteCount: 4096)
    let memory = GuestMemory()
    memory.setRanges(
      [
        .init(base: 0, count: 8192, block: ram, blockOffset: 0, isWritable: true),
        .init(base: 8192, count: 4096, block: ram, blockOffset: 32768, isWritable: true),
        .init(base: 1 << 20, count: 4096, block: ram, blockOffset: 8192, isWritable: true),
        .init(base: 2 << 20, count: 4096, block: rom, blockOffset: 0, isWritable: false),
      ], keepingAlive: [ram, rom])
    return (memory, ram, rom)
  }

  @Test func readsAndWritesAcrossRangesThatTouch() throws {
    let (memory, ram, _) = try board()
    #expect(memory.store(UInt64(0x1122_3344_5566_7788), at: address(8188)))
    #expect(memory.load(address(8188), as: UInt64.self) == 0x1122_3344_5566_7788)
    #expect(ram.allBytes[8188] == 0x88 && ram.allBytes[32768] == 0x44)
    #expect(memory.load(address(8192), as: UInt32.self) == 0x1122_3344)
  }

  @Test func refusesHolesRomAndTheEndOfTheWorld() throws {
    let (memory, _, rom) = try board()
    #expect(memory.load(address(12284), as: UInt32.self) == 0)
    #expect(memory.load(address(12285), as: UInt32.self) == nil)
    #expect(!memory.store(UInt32(1), at: address(12286)))
    #expect(memory.load(address(.max - 1), as: UInt32.self) == nil)
    #expect(memory.load(address(.max), as: UInt64.self) == nil)
    #expect(memory.load(address(2 << 20), as: UInt32.self) == 0)
    #expect(!memory.store(UInt32(1), at: address(2 << 20)))
    #expect(rom.allBytes[0] == 0)
    #expect(memory.hostBytes(at: address(0), count: 0, for: .read) == nil)
    #expect(memory.hostBytes(at: address(0), count: -1, for: .read) == nil)
    #expect(memory.hostBytes(at: address(4096), count: .max, for: .read)?.count == 4096)
    #expect(memory.contains(address(1 << 20)) && !memory.contains(address((1 << 20) + 4096)))
  }

  @Test func anEmptyMapHasNothing() {
    let memory = GuestMemory()
    #expect(memory.load(address(0), as: UInt8.self) == nil)
    memory.setRanges([], keepingAlive: [])
    #expect(!memory.contains(address(0)))
  }

  @Test func marksWhatDevicesWrite() throws {
    let (memory, ram, _) = try board()
    ram.dirty.setTracking(true)
    ram.dirty.drain { _, _ in }
    memory.store(UInt16(1), at: address(4095))
    memory.store(UInt8(1), at: address(1 << 20))
    _ = memory.load(address(8192), as: UInt8.self)
    var runs: [[Int]] = []
    ram.dirty.drain { runs.append([$0, $1]) }
    #expect(runs == [[0, 3]])
    #expect(!ram.dirty.isDirty(page: 0))
  }

  @Test func aMapOfBytesAgreesWithAModel() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let (memory, _, _) = try board()
    var model: [UInt64: UInt8] = [:]
    for base in [0, 1 << 20] as [UInt64] {
      for offset in 0..<(base == 0 ? 12288 : 4096) as Range<UInt64> { model[base + offset] = 0 }
    }
    for _ in 0..<2000 {
      let base: UInt64 =
        [0, 8180, 12280, 1 << 20, (1 << 20) + 4090, .max - 9].randomElement(using: &generator) ?? 0
      let place = base &+ UInt64.random(in: 0..<12, using: &generator)
      if Bool.random(using: &generator) {
        let value = UInt8.random(in: 0...255, using: &generator)
        #expect(memory.store(value, at: address(place)) == (model[place] != nil), "seed \(seed)")
        if model[place] != nil { model[place] = value }
      } else {
        #expect(memory.load(address(place), as: UInt8.self) == model[place], "seed \(seed)")
      }
    }
  }
}

@Suite struct RAMBlockTests {
  @Test func refusesOddSizes() {
    for size in [0, -4096, 1, 4097] {
      #expect(throws: RAMBlockError.badSize(name: "x", byteCount: size)) {
        try RAMBlock(name: "x", byteCount: size)
      }
    }
  }

  @Test func boundsItsBytes() throws {
    let block = try RAMBlock(name: "x", byteCount: 8192)
    #expect(block.bytes(at: 0, count: 8192)?.count == 8192)
    #expect(block.bytes(at: 8192, count: 0)?.count == 0)
    #expect(block.bytes(at: 1, count: 8192) == nil)
    #expect(block.bytes(at: -1, count: 1) == nil)
    #expect(block.bytes(at: .max, count: .max) == nil)
    #expect(block.allBytes.allSatisfy { $0 == 0 })
    #expect(block.descriptor == nil)
  }

  @Test func canBeShared() throws {
    let block = try RAMBlock(name: "x", byteCount: 4096, backing: .init(isShared: true, isPreallocated: true))
    #expect(block.descriptor != nil)
  }

  @Test func tracksPagesInRuns() {
    let bitmap = DirtyBitmap(pageCount: 200)
    bitmap.mark(byteOffset: 0, count: 4096)
    #expect(!bitmap.isDirty(page: 0))
    bitmap.setTracking(true)
    var runs: [[Int]] = []
    bitmap.drain { runs.append([$0, $1]) }
    #expect(runs == [[0, 200]])
    bitmap.mark(byteOffset: 63 * 4096, count: 2 * 4096)
    bitmap.mark(byteOffset: 199 * 4096, count: .max)
    bitmap.mark(byteOffset: -4096, count: 4096)
    bitmap.mark(byteOffset: 900 * 4096, count: 1)
    runs = []
    bitmap.drain { runs.append([$0, $1]) }
    #expect(runs == [[63, 2], [199, 1]])
    #expect(!bitmap.isDirty(page: 200) && !bitmap.isDirty(page: -1))
    bitmap.setTracking(false)
    bitmap.markAll()
    bitmap.drain { _, _ in Issue.record("tracking is off") }
  }
}
