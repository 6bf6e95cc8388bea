// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import TestSupport
import Testing

@testable import Firmware

@Suite struct ACPITests {
  /// Boards that differ in everything the tables depend on.
  static var platforms: [String: PlatformDescription] {
    var full = PlatformDescription(apicIDs: [0, 1, 2, 3], ramBelow4G: 0xE000_0000, ramAbove4G: 5 << 30)
    full.isaDevices = [
      .realTimeClock, .keyboard, .mouse, .parallelPort(1, base: 0x378, irq: 7),
      .serialPort(1, base: 0x3F8, irq: 4), .serialPort(2, base: 0x2F8, irq: 3),
      .panicDevice(base: 0x505),
    ]
    var small = PlatformDescription(apicIDs: [0], ramBelow4G: 1 << 20, ramAbove4G: 0)
    small.pciSlots = [1, 2]
    small.pciWindow64 = nil
    small.isaDevices = []
    small.hasVGA = false
    small.hasKeyboardController = false
    let many = PlatformDescription(apicIDs: Array(0...254), ramBelow4G: 1 << 30, ramAbove4G: 0)
    return ["full": full, "small": small, "many": many]
  }

  @Test func packageLengths() {
    #expect(AML.packageLength(of: 0) == [1])
    #expect(AML.packageLength(of: 62) == [63])
    #expect(AML.packageLength(of: 63) == [0x41, 0x04])
    #expect(AML.packageLength(of: 0xFFD) == [0x4F, 0xFF])
    #expect(AML.packageLength(of: 0xFFE) == [0x81, 0x00, 0x01])
    #expect(AML.packageLength(of: 0xFFFFC) == [0x8F, 0xFF, 0xFF])
    #expect(AML.packageLength(of: 0xFFFFD) == [0xC1, 0x00, 0x00, 0x01])
  }

  @Test func encodings() {
    #expect(AML.name("\\_SB.PCI0").bytes == [0x5C, 0x2E] + Array("_SB_PCI0".utf8))
    #expect(AML.name("^^X").bytes == Array("^^X___".utf8))
    #expect(AML.name("A.B.C").bytes == [0x2F, 3] + Array("A___B___C___".utf8))
    #expect(AML.name("\\").bytes == [0x5C, 0x00])
    #expect(AML.eisaID("PNP0A03").bytes == [0x0C, 0x41, 0xD0, 0x0A, 0x03])
    #expect(AML.integer(1).bytes == [1])
    #expect(AML.integer(0xFF).bytes == [0x0A, 0xFF])
    #expect(AML.integer(0x100).bytes == [0x0B, 0x00, 0x01])
    #expect(AML.integer(0x10000).bytes == [0x0C, 0, 0, 1, 0])
    #expect(AML.integer(1 << 32).bytes == [0x0E, 0, 0, 0, 0, 1, 0, 0, 0])
  }

  @Test(arguments: platforms.keys.sorted())
  func tablesAreFoundFromTheRSDP(_ name: String) {
    let loaded = LoadedTables(ACPITables(Self.platforms[name]!))
    #expect(loaded.problems == [])
    #expect(loaded.rsdp.prefix(20).reduce(0, &+) == 0)
    #expect(loaded.rsdp.reduce(0, &+) == 0)
    let all = loaded.all()
    #expect(all.keys.sorted() == ["APIC", "DSDT", "FACP", "FACS", "RSDT", "WAET", "XSDT"])
    for (signature, table) in all where signature != "FACS" {
      #expect(table.reduce(0, &+) == 0, "checksum of \(signature)")
    }
    #expect(all["FACP"]?.count == 244)
    #expect(all["FACS"]?.count == 64)
  }

  @Test func theFADTHasTheFirmwaresPorts() throws {
    var platform = try #require(Self.platforms["full"])
    platform.powerManagementBase = 0xB000
    let fadt = try #require(LoadedTables(ACPITables(platform)).all()["FACP"])
    func dword(_ offset: Int) -> Int {
      fadt[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    #expect([56, 64, 76, 80].map(dword) == [0xB000, 0xB004, 0xB008, 0xAFE0])
    #expect(dword(152) == 0xB000)
    #expect(dword(120) == 0xCF9)
    #expect(fadt[128] == 0x0F)
  }

  @Test func theSizeDoesNotDependOnWhatFirmwareProgrammed() throws {
    var platform = try #require(Self.platforms["full"])
    let before = ACPITables(platform).files.map(\.count)
    platform.powerManagementBase = 0
    platform.pciWindow64 = nil
    #expect(ACPITables(platform).files.map(\.count) == before)
  }

  @Test func fwCfgAsksAtEachBoot() throws {
    let driver = try FirmwareDriver()
    var platform = try #require(Self.platforms["full"])
    try driver.device.addACPI { platform }
    platform.powerManagementBase = 0x700
    let tables = try #require(driver.file("etc/acpi/tables"))
    #expect(tables == ACPITables(platform).tables)
    #expect(driver.file("etc/acpi/rsdp") == ACPITables(platform).rsdp)
  }

  @Test(
    .enabled(if: ToolRun.find("iasl") != nil, "needs the package acpica-tools"),
    arguments: platforms.keys.sorted())
  func iaslReadsThemBack(_ name: String) throws {
    let iasl = try #require(ToolRun.find("iasl"))
    let run = try ToolRun()
    defer { run.remove() }
    let loaded = LoadedTables(ACPITables(Self.platforms[name]!))
    let tables = loaded.all()
    for (signature, table) in tables {
      try run.write(table, to: "\(signature).aml")
      let disassembly = try run.run(iasl, ["-d", "\(signature).aml"])
      #expect(disassembly.status == 0, "\(disassembly.output)")
      let text = String(decoding: try run.read("\(signature).dsl"), as: UTF8.self)
      #expect(!text.contains("Incorrect checksum"), "\(signature)")
      let assembly = try run.run(iasl, ["-p", "again-\(signature)", "\(signature).dsl"])
      #expect(assembly.output.contains("0 Errors, 0 Warnings"), "\(signature): \(assembly.output)")
    }
    if name == "full" {
      let text = String(decoding: try run.read("DSDT.dsl"), as: UTF8.self)
      for wanted in ["PNP0303", "PNP0F13", "PNP0501", "PNP0400", "PNP0B00", "ACPI0007", "QWordMemory"] {
        #expect(text.contains(wanted), "no \(wanted)")
      }
    }
  }

  /// The interpreter that Linux, too, has inside carries the methods out.
  @Test(.enabled(if: ToolRun.find("acpiexec") != nil, "needs the package acpica-tools"))
  func acpiexecRunsTheMethods() throws {
    let run = try ToolRun()
    defer { run.remove() }
    var platform = try #require(Self.platforms["full"])
    // Its buffer for results has no room for more.
    platform.pciSlots = Array(1...8)
    let tables = LoadedTables(ACPITables(platform)).all()
    for signature in ["DSDT", "FACP", "APIC"] {
      try run.write(tables[signature] ?? [], to: "\(signature).aml")
    }
    let results = [
      ("\\_SB.LNKA._STA", "[Integer] = 000000000000000B"), ("\\_SB.LNKB._CRS", "[Buffer] Length 0B"),
      ("\\_SB.LNKS._CRS", "[Buffer] Length 0B"), ("\\_SB.PCI0._PRT", "[Package] Contains 32 Elements"),
      ("\\_S5", "[Package] Contains 4 Elements"), ("\\_SB.PCI0.ISA.COM1._CRS", "[Buffer] Length 0D"),
    ]
    let commands = results.map { "evaluate \($0.0)" }.joined(separator: ";")
    let output = try run.run(
      ToolRun.find("acpiexec")!, ["-b", commands, "DSDT.aml", "FACP.aml", "APIC.aml"]
    ).output
    for (path, wanted) in results {
      let answer = output.components(separatedBy: "Evaluation of \(path) returned").dropFirst().first ?? ""
      #expect(answer.prefix(400).contains(wanted), "\(path): \(output)")
    }
    #expect(!output.contains("ACPI Error"), "\(output)")
  }
}
