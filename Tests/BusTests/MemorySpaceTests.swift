// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import TestSupport
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

private func address(_ value: UInt64) -> GuestAddress { GuestAddress(value) }

@Suite struct MemorySpaceTests {
  let space = MemorySpace()
  let ram: RAMBlock

  init() throws {
    ram = try RAMBlock(name: "ram", byteCount: 0x10000)
    for index in 0..<0x10000 { ram.allBytes[index] = UInt8(truncatingIfNeeded: index) }
    space.add(
      MemoryRegion(name: "ram", base: address(0), count: 0x10000, backing: .ram(ram, offset: 0)))
  }

  @Test func ramReadsAndWritesAtAnyWidthAndAlignment() {
    #expect(space.read(address(0x101), .byte) == 0x01)
    #expect(space.read(address(0x101), .word) == 0x0201)
    #expect(space.read(address(0x101), .dword) == 0x0403_0201)
    #expect(space.read(address(0x101), .qword) == 0x0807_0605_0403_0201)
    space.write(address(0x203), 0x1122_3344_5566_7788, .dword)
    #expect(space.read(address(0x203), .qword) == 0x0A09_0807_5566_7788)
    #expect(space.memory.load(address(0x203), as: UInt32.self) == 0x5566_7788)
  }

  @Test func absentMemoryReadsAllOnesAndIsCounted() {
    #expect(space.read(address(0x2_0000), .qword) == .max)
    #expect(space.read(address(.max), .byte) == 0xFF)
    space.write(address(.max - 1), 0, .qword)
    #expect(space.unclaimedAccesses >= 3)
    // Half in RAM, half beyond.
    #expect(space.read(address(0xFFFE), .dword) == 0xFFFF_FFFE)
  }

  @Test func priorityDecidesAndHidingUncovers() {
    let probe = Probe()
    let region = MemoryRegion(
      window: RegisterWindow(probe, (), name: "probe", count: 0x10), base: address(0x1000), priority: 1)
    space.add(region)
    #expect(space.read(address(0x1004), .byte) == 4)
    #expect(space.flatRanges.map(\.base) == [0, 0x1000, 0x1010])
    #expect(space.flatRanges.map(\.blockOffset) == [0, 0, 0x1010])
    space.update(region, isEnabled: false)
    #expect(space.flatRanges.count == 1)
    #expect(space.read(address(0x1014), .byte) == 0x14)
    // Of equals the one added last is seen; one of lower priority is not.
    let low = MemoryRegion(
      window: RegisterWindow(probe, (), name: "low", count: 0x10), base: address(0x1000), priority: -1)
    space.add(low)
    #expect(space.flatRanges.count == 1)
    let equal = MemoryRegion(
      window: RegisterWindow(probe, (), name: "equal", count: 0x10), base: address(0x1000))
    space.add(equal)
    #expect(space.flatRanges.count == 3)
    space.remove(equal)
    #expect(space.flatRanges.count == 1)
  }

  @Test func aCoveredRegionKeepsItsOffsets() throws {
    let probe = Probe()
    let wide = MemoryRegion(
      window: RegisterWindow(probe, (), name: "wide", count: 0x100, widest: .dword), base: address(0x2_0000))
    space.add(wide)
    let cover = try RAMBlock(name: "cover", byteCount: 4096)
    space.add(
      MemoryRegion(
        name: "cover", base: address(0x2_0040), count: 0x40, backing: .rom(cover, offset: 0x100), priority: 1)
    )
    #expect(space.read(address(0x2_0090), .byte) == 0x90)
    #expect(space.read(address(0x2_0040), .byte) == 0)
    // A dword over the edge is split.
    #expect(space.read(address(0x2_003E), .dword) == 0x0000_3F3E)
  }

  @Test func wideAccessesToNarrowWindowsAreSplitAndNarrowOnesWidened() {
    let (narrow, wide) = (Probe(), Probe())
    space.add(
      MemoryRegion(
        window: RegisterWindow(narrow, (), name: "narrow", count: 0x10, widest: .word),
        base: address(0x2_0000)))
    space.add(
      MemoryRegion(
        window: RegisterWindow(wide, (), name: "wide", count: 0x10, narrowest: .dword, widest: .dword),
        base: address(0x3_0000)))
    #expect(space.read(address(0x2_0000), .qword) == 0x0006_0004_0002_0000)
    space.write(address(0x2_0004), 0xAABB_CCDD, .dword)
    #expect(narrow.log == ["r0.2", "r2.2", "r4.2", "r6.2", "w4.2=52445", "w6.2=43707"])
    #expect(space.read(address(0x3_0004), .byte) == 4)
    space.write(address(0x3_0005), 0x7F, .byte)
    #expect(wide.log == ["r4.4", "r4.4", "w4.4=32516"])
  }

  @Test func romDropsWritesAndAROMDeviceHandsThemOn() throws {
    let rom = try RAMBlock(name: "rom", byteCount: 4096)
    rom.allBytes[0] = 0x5A
    let probe = Probe()
    let region = MemoryRegion(
      name: "rom", base: address(0x2_0000), count: 4096, backing: .rom(rom, offset: 0))
    space.add(region)
    space.write(address(0x2_0000), 1, .byte)
    #expect(space.read(address(0x2_0000), .byte) == 0x5A)
    #expect(!space.memory.store(UInt8(1), at: address(0x2_0000)))
    space.update(
      region,
      backing: .romDevice(rom, offset: 0, writes: RegisterWindow(probe, (), name: "flash", count: 4096)))
    space.write(address(0x2_0000), 0x90, .byte)
    #expect(space.read(address(0x2_0000), .byte) == 0x5A)
    #expect(probe.log == ["w0.1=144"])
  }

  @Test func dmaReachesRAMOnly() {
    let probe = Probe()
    space.add(
      MemoryRegion(window: RegisterWindow(probe, (), name: "probe", count: 0x100), base: address(0x1_0000)))
    #expect(!space.memory.store(UInt32(1), at: address(0x1_0000)))
    #expect(space.memory.load(address(0xFFFE), as: UInt32.self) == nil)
    #expect(probe.log.isEmpty)
  }

  @Test func listenersHearOfEachChangeOnce() throws {
    final class Listener: MemoryMapListener {
      var ranges: [UInt64: UInt64] = [:]
      var changes = 0
      func memoryMapChanged(removed: [FlatRange], added: [FlatRange]) {
        changes += 1
        for range in removed { #expect(ranges.removeValue(forKey: range.base) == range.count) }
        for range in added { #expect(ranges.updateValue(range.count, forKey: range.base) == nil) }
      }
      func dirtyTrackingChanged(of block: RAMBlock) {}
      func collectDirtyPages(of block: RAMBlock) {}
    }
    let listener = Listener()
    space.addListener(listener)
    space.addListener(listener)
    #expect(listener.ranges == [0: 0x10000] && listener.changes == 1)
    let other = try RAMBlock(name: "other", byteCount: 4096)
    let region = MemoryRegion(
      name: "other", base: address(0x4000), count: 4096, backing: .ram(other, offset: 0), priority: 1)
    space.add(region)
    #expect(listener.ranges == [0: 0x4000, 0x4000: 0x1000, 0x5000: 0xB000])
    space.transaction {
      space.update(region, base: address(0x8000))
      space.transaction { space.update(region, isEnabled: false) }
      space.update(region, isEnabled: true)
    }
    #expect(listener.ranges == [0: 0x8000, 0x8000: 0x1000, 0x9000: 0x7000] && listener.changes == 3)
    space.transaction {
      space.update(region, isEnabled: false)
      space.update(region, isEnabled: true)
    }
    #expect(listener.changes == 3)
  }

  @Test func neighboursThatContinueEachOtherAreOneRange() {
    space.add(
      MemoryRegion(
        name: "low half again", base: address(0), count: 0x8000, backing: .ram(ram, offset: 0), priority: 1))
    #expect(space.flatRanges.count == 1 && space.flatRanges[0].count == 0x10000)
    space.add(
      MemoryRegion(
        name: "alias", base: address(0x1_0000), count: 0x1000, backing: .ram(ram, offset: 0)))
    #expect(space.flatRanges.count == 2)
  }

  @Test func writesByTheProgramAreDirty() {
    space.setDirtyTracking(of: ram, true)
    ram.dirty.drain { _, _ in }
    space.write(address(0x3FFE), 1, .dword)
    #expect((0..<16).filter { ram.dirty.isDirty(page: $0) } == [3, 4])
  }

  @Test func registerAccessesAllocateNothing() {
    final class Quiet: RegisterFile {
      func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { 1 }
      func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {}
    }
    space.add(
      MemoryRegion(window: RegisterWindow(Quiet(), (), name: "quiet", count: 16), base: address(0x2_0000)))
    func accesses() {
      for _ in 0..<1000 {
        _ = space.read(address(0x2_0000), .dword)
        space.write(address(0x2_0004), 5, .byte)
        space.write(address(0x104), 5, .dword)
        _ = space.read(address(0x104), .dword)
      }
    }
    // The first round builds what the language runtime builds once.
    accesses()
    #expect(countingAllocations(accesses) == 0)
  }

  @Test(arguments: [7, 8] as [UInt64])
  func randomMapsAgreeWithASimpleModel(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    // Regions of bytes that say which region they are, over 16 pages of nothing.
    let space = MemorySpace()
    var regions: [MemoryRegion] = []
    for index in 0..<10 {
      let block = try RAMBlock(name: "block\(index)", byteCount: 0x4000)
      memset(block, UInt8(index))
      let region = MemoryRegion(
        name: "region\(index)", base: address(0), count: UInt64(1 + generator.next() % 4) * 0x1000,
        backing: .ram(block, offset: 0), priority: Int(generator.next() % 4), isEnabled: false)
      regions.append(region)
      space.add(region)
    }
    for _ in 0..<60 {
      let region = regions[Int(generator.next() % 10)]
      space.update(
        region, base: address(generator.next() % 16 * 0x1000), isEnabled: generator.next() & 3 != 0)
      for page in 0..<20 as Range<UInt64> {
        let candidates = regions.enumerated().filter { _, region in
          region.isEnabled && region.base.rawValue <= page * 0x1000
            && page * 0x1000 < region.base.rawValue + region.count
        }
        let expected = candidates.max { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
        #expect(space.read(address(page * 0x1000 + 5), .byte) == expected.map { UInt64($0.offset) } ?? 0xFF)
      }
    }
  }

  private func memset(_ block: RAMBlock, _ value: UInt8) {
    for index in block.allBytes.indices { block.allBytes[index] = value }
  }
}
