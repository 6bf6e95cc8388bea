// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Testing

@testable import Firmware

@Suite struct DirectBootROMTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("firmware").path
  private static let roms = ["linux": DirectBootROMs.linux, "multiboot": DirectBootROMs.multiboot]

  @Test(.enabled(if: ToolRun.find("nasm") != nil, "needs the package nasm"), arguments: roms.keys.sorted())
  func sourcesGiveTheROMsWeHave(_ name: String) throws {
    let run = try ToolRun()
    defer { run.remove() }
    let nasm = try run.run(
      ToolRun.find("nasm")!,
      [
        "-f", "bin", "-w+all", "-w+error", "-I", Self.sources + "/", "-o", "rom",
        "\(Self.sources)/direct-boot-\(name).asm",
      ])
    #expect(nasm.status == 0, "\(nasm.output)")
    #expect(try run.read("rom") == Self.roms[name], "run firmware/build.sh")
  }

  @Test(arguments: roms.keys.sorted())
  func sealedROMsAreValid(_ name: String) throws {
    var bytes = Self.roms[name]!
    // The last byte is the checksum's.
    #expect(bytes.last == 0)
    #expect(bytes.count % 512 == 0)
    OptionROM.seal(&bytes)
    let rom = try OptionROM(FirmwareBlob(bytes), name: name)
    #expect(rom.firstImageByteCount == bytes.count)
    let header = Int(bytes[0x1A])
    #expect(bytes[header..<(header + 4)].elementsEqual("$PnP".utf8))
    #expect(bytes[header..<(header + 32)].reduce(0, &+) == 0)
    #expect(bytes[header + 26] != 0 || bytes[header + 27] != 0)
  }

  @Test func fwCfgGetsAllItems() throws {
    let driver = try FirmwareDriver()
    let boot = try DirectBoot(
      linux: KernelFiles.linux(), name: "vmlinuz", initrd: nil, commandLine: "x", ramBelow4G: 8 << 20)
    try driver.device.add(boot)
    #expect(driver.directory().map(\.name) == ["genroms/direct-boot-linux.bin"])
    #expect(driver.item(0x11, count: 6) == Array("kernel".utf8))
    #expect(driver.item(0x07, count: 4) == [0, 0, 0x10, 0])
    #expect(driver.item(0x0B, count: 4) == [0, 0, 0, 0])
    // As the ROM does it: a whole item to where it belongs.
    #expect(driver.dma(0x11 << 16 | 0x0A, count: 6, to: 0x10_0000) == 0)
    #expect(driver.ram(0x10_0000, 6) == Array("kernel".utf8))
  }
}
