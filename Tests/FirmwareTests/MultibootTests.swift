// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Firmware

@Suite struct MultibootTests {
  private func boot(
    _ kernel: FirmwareBlob, modules: [(String, Int)] = [], ram: UInt64 = 64 << 20
  ) throws -> DirectBoot {
    try DirectBoot(
      multiboot: kernel, name: "kernel",
      modules: modules.map {
        MultibootModule(commandLine: $0.0, contents: FirmwareBlob([UInt8](repeating: 0xAB, count: $0.1)))
      }, commandLine: "args", ramBelow4G: ram)
  }

  private func number(_ bytes: [UInt8], _ offset: Int) -> Int {
    bytes[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// The text at an address of the block that is copied to memory.
  private func text(_ boot: DirectBoot, at address: Int) -> String {
    let block = boot.item(.kernelData)
    return String(
      decoding: block[(address - boot.number(.kernelAddress))...].prefix { $0 != 0 }, as: UTF8.self)
  }

  @Test func addressFields() throws {
    let boot = try boot(KernelFiles.multiboot(bssEnd: 0x10_1000))
    #expect(boot.number(.kernelAddress) == 0x10_0000)
    #expect(boot.number(.kernelEntry) == 0x10_0020)
    let block = boot.item(.kernelData)
    #expect(block[..<8].allSatisfy { $0 == 0x90 })
    #expect(block[40..<44].elementsEqual("text".utf8))
    // What comes after the data in the file is no part of them; the BSS is clear.
    #expect(block[44..<0x1000].allSatisfy { $0 == 0 })
    #expect(boot.number(.kernelSize) == block.count)
    #expect(boot.bootPath == "/rom@genroms/direct-boot-multiboot.bin")
  }

  @Test func noEndMeansTheWholeFile() throws {
    let block = try boot(KernelFiles.multiboot(loadEnd: 0)).item(.kernelData)
    #expect(block[40..<48].elementsEqual("textmore".utf8))
  }

  @Test func bootInformation() throws {
    let boot = try boot(KernelFiles.multiboot(), modules: [("one a", 5000), ("two", 3)])
    let information = boot.item(.initrdData)
    #expect(boot.number(.initrdAddress) == 0x9500)
    #expect(boot.number(.initrdSize) == information.count)
    #expect(number(information, 0) == 0x24D)
    #expect(text(boot, at: number(information, 16)) == "kernel args")
    #expect(text(boot, at: number(information, 64)) == "Martlet")
    #expect(number(information, 20) == 2)
    #expect(number(information, 48) == 0x9000)
    let block = boot.item(.kernelData)
    let list = number(information, 24) - 0x10_0000
    #expect(number(block, list) == 0x10_1000)
    #expect(number(block, list + 4) == 0x10_1000 + 5000)
    #expect(text(boot, at: number(block, list + 8)) == "one a")
    #expect(number(block, list + 16) == 0x10_3000)
    #expect(block[0x3000..<0x3003].allSatisfy { $0 == 0xAB })
    #expect(text(boot, at: number(block, list + 24)) == "two")
  }

  @Test(arguments: [false, true])
  func elf(is64Bit: Bool) throws {
    let kernel = KernelFiles.elf(
      is64Bit: is64Bit, entry: 0xC010_0004,
      [
        .init(offset: 1024, virtual: 0xC010_0000, physical: 0x10_0000, fileCount: 4, memoryCount: 16),
        .init(offset: 1028, virtual: 0xC020_0000, physical: 0x20_0000, fileCount: 4, memoryCount: 4),
      ])
    let boot = try boot(kernel)
    #expect(boot.number(.kernelAddress) == 0x10_0000)
    #expect(boot.number(.kernelEntry) == 0x10_0004)
    let block = boot.item(.kernelData)
    #expect(block[0..<4].elementsEqual("elfd".utf8))
    #expect(block[0x10_0000..<0x10_0004].elementsEqual("ata!".utf8))
    #expect(block[4..<0x10_0000].allSatisfy { $0 == 0 })
  }

  @Test func lowMemoryIsForSmallKernels() throws {
    #expect(try boot(KernelFiles.multiboot(loadAddress: 0x1_0000)).number(.kernelAddress) == 0x1_0000)
    #expect(throws: DirectBootError.self) {
      try boot(KernelFiles.multiboot(loadAddress: 0x1_0000), modules: [("m", 512 << 10)])
    }
    // Where the BIOS is, or what it uses.
    for address: UInt32 in [0, 0x7C00, 0x7_FFF0, 0xF_F000] {
      #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(loadAddress: address)) }
    }
  }

  @Test func whatDoesNotFitIsRefused() {
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(bssEnd: 0xFFFF_FFFF)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(loadAddress: 0xFFFF_F000)) }
    #expect(throws: DirectBootError.self) {
      try boot(KernelFiles.multiboot(), modules: [("m", 4 << 20)], ram: 4 << 20)
    }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(), ram: 0) }
  }

  @Test func brokenKernelsAreRefused() {
    #expect(throws: DirectBootError.unknownFormat(name: "kernel")) { try boot(FirmwareBlob([0x1B, 0xAD])) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(flags: 0x1_0008)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(loadEnd: 0x20_0000)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(loadEnd: 0x1000)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(bssEnd: 0x10_0001)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(entry: 0x7C00)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(headerAddress: 0x10_0100)) }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(headerAddress: 0)) }
    // A header without addresses in a file that is not ELF.
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.multiboot(flags: 3)) }
  }

  @Test func brokenELFFilesAreRefused() {
    let good = KernelFiles.Segment(
      offset: 1024, virtual: 0x10_0000, physical: 0x10_0000, fileCount: 8, memoryCount: 8)
    func expectRefusal(_ change: (inout KernelFiles.Segment) -> Void) {
      var segment = good
      change(&segment)
      for is64Bit in [false, true] {
        #expect(throws: DirectBootError.self) {
          try boot(KernelFiles.elf(is64Bit: is64Bit, entry: 0x10_0000, [segment]))
        }
      }
    }
    expectRefusal { $0.offset = 1025 }
    expectRefusal { $0.offset = 0xFFFF_FFFF }
    expectRefusal { $0.fileCount = 0xFFFF_FFFF }
    expectRefusal { $0.memoryCount = 7 }
    expectRefusal { $0.memoryCount = 0xFFFF_FFFF }
    expectRefusal { $0.physical = 0xFFFF_FFF0 }
    #expect(throws: DirectBootError.self) {
      try boot(
        KernelFiles.elf(
          is64Bit: true, entry: .max,
          [.init(offset: .max, virtual: .max, physical: .max, fileCount: .max, memoryCount: .max)]))
    }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.elf(is64Bit: false, entry: 0, [])) }
  }

  @Test func moduleLists() {
    #expect(DirectBoot.moduleLines("one a b,two") == ["one a b", "two"])
    #expect(DirectBoot.moduleLines("a,,b,c,,") == ["a,b", "c,"])
    #expect(DirectBoot.moduleLines(",") == [])
    #expect(DirectBoot.moduleLines("") == [])
  }

  @Test func fuzz() throws {
    let seed: UInt64 = 0x4D42
    print("Multiboot fuzz seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let segment = KernelFiles.Segment(
      offset: 1024, virtual: 0x10_0000, physical: 0x10_0000, fileCount: 8, memoryCount: 64)
    for round in 0..<1200 {
      var bytes =
        switch round % 3 {
        case 0: KernelFiles.multiboot().array
        case 1: KernelFiles.elf(is64Bit: false, entry: 0x10_0000, [segment, segment]).array
        default: KernelFiles.elf(is64Bit: true, entry: 0x10_0000, [segment, segment]).array
        }
      // The header's first words stay, so that most get past the search.
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let position = Int.random(in: 0..<min(bytes.count, 200), using: &generator)
        if round % 3 != 0 || position >= 20 { bytes[position] = UInt8.random(in: 0...255, using: &generator) }
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
      }
      if let boot = try? boot(FirmwareBlob(bytes), ram: 3 << 20) {
        #expect(boot.number(.kernelAddress) + boot.number(.kernelSize) <= 3 << 20)
      }
    }
  }
}
