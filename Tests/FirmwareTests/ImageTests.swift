// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import GuestMemory
import Testing

@testable import Firmware

@Suite struct ImageTests {
  static let seaBIOS = "/usr/share/seabios/bios-256k.bin"

  @Test func biosEndsAtFourGiB() throws {
    var bytes = [UInt8](repeating: 0xFF, count: 192 << 10)
    bytes[(192 << 10) - 16] = 0xEA
    let bios = try BIOSImage(FirmwareBlob(bytes), name: "test")
    #expect(bios.base == GuestAddress(UInt64(0xFFFD_0000)))
    #expect(bios.shadowBase == GuestAddress(UInt64(0xE0000)))
    #expect(bios.shadowOffset == 64 << 10)
    withExtendedLifetime(bios) { #expect([UInt8](bios.rom.allBytes) == bytes) }
  }

  @Test func aSmallBIOSIsShadowedWhole() throws {
    let bios = try BIOSImage(FirmwareBlob([UInt8](repeating: 0x90, count: 64 << 10)), name: "test")
    #expect(bios.shadowByteCount == 64 << 10)
    #expect(bios.shadowBase == GuestAddress(UInt64(0xF0000)))
  }

  @Test(arguments: [0, 1, 65535, 65537, 16 << 20 + 65536, 32 << 20])
  func wrongBIOSSizesAreNamed(_ count: Int) {
    #expect(throws: BIOSImageError.badSize(name: "x", byteCount: count)) {
      try BIOSImage(FirmwareBlob([UInt8](repeating: 1, count: count)), name: "x")
    }
  }

  @Test func anEmptyBIOSIsRefused() {
    #expect(throws: BIOSImageError.noResetVector(name: "x")) {
      try BIOSImage(FirmwareBlob([UInt8](repeating: 0xFF, count: 65536)), name: "x")
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: seaBIOS), "needs the package seabios"))
  func debiansImagesAreTaken() throws {
    let files = FirmwareFiles()
    #expect(try files.find("bios-256k.bin") == Self.seaBIOS)
    _ = try BIOSImage(files.load("bios-256k.bin"), name: "bios-256k.bin")
    let vga = try OptionROM(files.load("vgabios-stdvga.bin"), name: "vgabios-stdvga.bin")
    #expect(vga.hasPCIData)
    #expect(vga.registerByteCount == 64 << 10)
    let rom = try vga.makeROM()
    #expect(rom.byteCount == 64 << 10)
    withExtendedLifetime(rom) {
      #expect(rom.allBytes.prefix(vga.image.count).elementsEqual(vga.image.array))
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/lib/ipxe/qemu"), "needs ipxe-qemu"))
  func networkROMsAreTaken() throws {
    for name in ["pxe-e1000.rom", "efi-e1000.rom", "pxe-virtio.rom"] {
      let rom = try OptionROM(FirmwareFiles().load(name), name: name)
      #expect(rom.hasPCIData)
    }
  }

  /// A ROM for many devices becomes one for the card, and its bytes still add up.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/lib/ipxe/qemu"), "needs ipxe-qemu"))
  func romsTakeTheCardsIdentity() throws {
    let rom = try OptionROM.load("pxe-ne2k_pci.rom", files: FirmwareFiles())
    let block = try rom.makeROM(for: (vendor: 0x10EC, device: 0x8029))
    let bytes = [UInt8](block.allBytes)
    let data = Int(bytes[0x18]) | Int(bytes[0x19]) << 8
    #expect(Array(bytes[(data + 4)..<(data + 8)]) == [0xEC, 0x10, 0x29, 0x80])
    #expect(bytes[..<rom.firstImageByteCount].reduce(0, &+) == 0)
  }

  @Test func missingFilesSayWhatToDo() {
    let files = FirmwareFiles(directories: ["/nowhere"], systemDirectories: [])
    let error = #expect(throws: FirmwareFileError.self) { try files.load("vgabios-stdvga.bin") }
    #expect(error?.description.contains("/nowhere") == true)
    #expect(error?.description.contains("'seabios'") == true)
    #expect(throws: FirmwareFileError.host(path: "/nowhere/x", what: "open", code: ENOENT)) {
      try files.load("/nowhere/x")
    }
    #expect(throws: FirmwareFileError.notUsable(path: "/dev/null", reason: "it is not an ordinary file")) {
      try files.load("/dev/null")
    }
  }

  @Test func sizesOfFilesAreChecked() throws {
    let path = NSTemporaryDirectory() + "martlet-firmware-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(throws: FirmwareFileError.notUsable(path: path, reason: "it is empty")) {
      try FirmwareFiles.read(path, limit: 10)
    }
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
    #expect(throws: FirmwareFileError.tooLarge(path: path, byteCount: 3, limit: 2)) {
      try FirmwareFiles.read(path, limit: 2)
    }
    #expect(try FirmwareFiles.read(path, limit: 3).array == [1, 2, 3])
  }

  private func rom(_ change: (inout [UInt8]) -> Void) throws -> OptionROM {
    var bytes = [UInt8](repeating: 0, count: 1024)
    bytes[0] = 0x55
    bytes[1] = 0xAA
    OptionROM.seal(&bytes)
    change(&bytes)
    return try OptionROM(FirmwareBlob(bytes), name: "rom")
  }

  @Test func optionROMsAreChecked() throws {
    #expect(try rom { _ in }.firstImageByteCount == 1024)
    #expect(throws: OptionROMError.noSignature(name: "rom")) { try rom { $0[0] = 0 } }
    #expect(throws: OptionROMError.badChecksum(name: "rom")) { try rom { $0[5] = 1 } }
    #expect(throws: OptionROMError.badLength(name: "rom", promised: 1536, byteCount: 1024)) {
      try rom { $0[2] = 3 }
    }
    #expect(throws: OptionROMError.badLength(name: "rom", promised: 0, byteCount: 1024)) {
      try rom { $0[2] = 0 }
    }
    #expect(throws: OptionROMError.badSize(name: "rom", byteCount: 3)) { try rom { $0 = [0x55, 0xAA, 1] } }
    #expect(throws: OptionROMError.badPCIData(name: "rom")) { try rom { _ in }.makeROM() }
    // A pointer to a PCI data structure outside the image is none.
    #expect(
      !(try rom {
        $0[0x18] = 0xFF; $0[0x19] = 0xFF; OptionROM.seal(&$0)
      }).hasPCIData)
  }
}
