// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Firmware

extension DirectBoot {
  /// The contents of an item.
  func item(_ selector: FirmwareSelector) -> [UInt8] {
    items.first { $0.selector == selector }?.contents.array ?? []
  }

  /// The number in an item.
  func number(_ selector: FirmwareSelector) -> Int {
    item(selector).reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}

@Suite struct LinuxKernelTests {
  private func boot(
    _ kernel: FirmwareBlob = KernelFiles.linux(), initrd: Int? = nil, commandLine: String = "quiet",
    ram: UInt64 = 64 << 20
  ) throws -> DirectBoot {
    let ramDisk = initrd.map { FirmwareBlob([UInt8](repeating: 7, count: $0)) }
    return try DirectBoot(
      linux: kernel, name: "vmlinuz", initrd: ramDisk, commandLine: commandLine, ramBelow4G: ram)
  }

  @Test func partsGoToTheirPlaces() throws {
    let boot = try boot(initrd: 5000)
    #expect(boot.number(.setupAddress) == 0x10000)
    #expect(boot.number(.setupSize) == 1024)
    #expect(boot.number(.commandLineAddress) == 0x20000)
    #expect(boot.item(.commandLineData) == Array("quiet\0".utf8))
    #expect(boot.number(.kernelAddress) == 0x100000)
    #expect(boot.item(.kernelData) == Array("kernel".utf8))
    #expect(boot.number(.kernelSize) == 6)
    // Below the 256 KiB of the BIOS's tables, on a page.
    #expect(boot.number(.initrdAddress) == (64 << 20) - (256 << 10) - 8192)
    #expect(boot.number(.initrdSize) == 5000)
    #expect(boot.bootPath == "/rom@genroms/direct-boot-linux.bin")
  }

  @Test func theHeaderIsFilledIn() throws {
    let boot = try boot(initrd: 1, commandLine: "a vga=0x317 b")
    let setup = boot.item(.setupData)
    #expect(setup[0x210] == 0xB0)
    #expect(setup[0x211] == 0x81)
    #expect(setup[0x224...0x225].elementsEqual([0x00, 0xFE]))
    #expect(setup[0x228...0x22B].elementsEqual([0, 0, 2, 0]))
    #expect(setup[0x218...0x21B].elementsEqual(boot.item(.initrdAddress)))
    #expect(setup[0x21C...0x21F].elementsEqual([1, 0, 0, 0]))
    #expect(setup[0x1FA...0x1FB].elementsEqual([0x17, 0x03]))
  }

  @Test func videoModes() {
    #expect(LinuxKernel.videoMode(in: "quiet") == nil)
    #expect(LinuxKernel.videoMode(in: "vga=ask") == 0xFFFD)
    #expect(LinuxKernel.videoMode(in: "vga=normal vga=ext") == 0xFFFE)
    #expect(LinuxKernel.videoMode(in: "x vga=791") == 791)
    #expect(LinuxKernel.videoMode(in: "vga=99999999") == nil)
  }

  @Test func theRAMDiskStaysBelowTheKernelsLimit() throws {
    let low = KernelFiles.linux { $0.store(UInt32(0x1FF_FFFF), at: 0x22C) }
    #expect(try boot(low, initrd: 4096).number(.initrdAddress) == 0x1FF_F000)
    let anywhere = KernelFiles.linux {
      $0.store(UInt32(0x1FF_FFFF), at: 0x22C)
      $0.store(UInt16(2), at: 0x236)
    }
    #expect(try boot(anywhere, initrd: 4096).number(.initrdAddress) == (64 << 20) - (256 << 10) - 4096)
    let old = KernelFiles.linux(version: 0x0202) { $0.store(UInt32(0), at: 0x22C) }
    #expect(try boot(old, initrd: 4096, ram: 2 << 30).number(.initrdAddress) == 0x37FF_F000)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    #expect(throws: DirectBootError.self) { try boot(initrd: 8 << 20, ram: 8 << 20) }
    #expect(throws: DirectBootError.self) { try boot(ram: 1 << 20) }
    #expect(throws: DirectBootError.self) { try boot(ram: 0) }
    let nowhere = KernelFiles.linux { $0.store(UInt32(0), at: 0x22C) }
    #expect(throws: DirectBootError.self) { try boot(nowhere, initrd: 1) }
    #expect(throws: DirectBootError.commandLineTooLong(byteCount: 256, limit: 255)) {
      try boot(commandLine: String(repeating: "x", count: 256))
    }
  }

  @Test func brokenKernelsAreRefused() throws {
    #expect(throws: DirectBootError.tooOld(name: "vmlinuz", version: 0x0201)) {
      try boot(KernelFiles.linux(version: 0x0201))
    }
    #expect(throws: DirectBootError.tooOld(name: "vmlinuz", version: 0x020C)) {
      try boot(KernelFiles.linux { $0[0x211] = 0 })
    }
    #expect(throws: DirectBootError.truncated(name: "vmlinuz", what: "nothing follows its set-up code")) {
      try boot(KernelFiles.linux(payload: []))
    }
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.linux { $0[0x1F1] = 0xFF }) }
    #expect(throws: DirectBootError.unknownFormat(name: "vmlinuz")) { try boot(FirmwareBlob([1, 2, 3])) }
    // Zero sectors are four.
    #expect(throws: DirectBootError.self) { try boot(KernelFiles.linux { $0[0x1F1] = 0 }) }
  }

  @Test func fuzz() throws {
    let seed: UInt64 = 0x4C69
    print("Linux kernel fuzz seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let kernel = KernelFiles.linux { bytes in
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          bytes[Int.random(in: 0x1F0..<0x270, using: &generator)] = UInt8.random(
            in: 0...255, using: &generator)
        }
        if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0...1024, using: &generator)) }
      }
      let ram = UInt64.random(in: 0...UInt64(16 << 20), using: &generator)
      if let boot = try? boot(kernel, initrd: Int.random(in: 0...9000, using: &generator), ram: ram) {
        #expect(boot.number(.initrdAddress) + boot.number(.initrdSize) <= Int(ram))
        #expect(boot.number(.kernelAddress) + boot.number(.kernelSize) <= Int(ram))
      }
    }
  }
}
