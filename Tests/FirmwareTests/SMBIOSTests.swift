// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import Firmware

@Suite struct SMBIOSTests {
  private struct Structure {
    let type: UInt8
    let handle: Int
    let formatted: [UInt8]
    let strings: [String]
  }

  /// Walks the tables as the specification says.
  private func parse(_ bytes: [UInt8]) -> [Structure] {
    var structures: [Structure] = []
    var offset = 0
    while offset + 4 <= bytes.count {
      let length = Int(bytes[offset + 1])
      let formatted = Array(bytes[offset..<(offset + length)])
      var cursor = offset + length
      var strings: [String] = []
      while bytes[cursor] != 0 {
        let text = bytes[cursor...].prefix { $0 != 0 }
        strings.append(String(decoding: text, as: UTF8.self))
        cursor += text.count + 1
      }
      offset = cursor + (strings.isEmpty ? 2 : 1)
      structures.append(
        Structure(
          type: formatted[0], handle: Int(formatted[2]) | Int(formatted[3]) << 8, formatted: formatted,
          strings: strings))
    }
    #expect(offset == bytes.count)
    return structures
  }

  private var system: SystemDescription {
    var system = SystemDescription(
      ramBelow4G: 3 << 30, ramAbove4G: 30 << 30, socketCount: 2, coresPerSocket: 3, threadsPerCore: 2)
    system.uuid = SystemUUID("12345678-9abc-def0-1122-334455667788")!
    system.name = "my guest"
    system.version = "1.0"
    system.processorID = 0x0781_ABFD_0006_0FB1
    system.processorVersion = "A processor"
    return system
  }

  @Test func structures() throws {
    let tables = try SMBIOSTables(system)
    let structures = parse(tables.tables)
    #expect(structures.map(\.type) == [0, 1, 3, 4, 4, 16, 17, 17, 17, 19, 19, 32, 127])
    #expect(Set(structures.map(\.handle)).count == structures.count)
    // The lengths of version 2.8.
    #expect(structures.map(\.formatted.count) == [24, 27, 22, 42, 42, 23, 40, 40, 40, 31, 31, 11, 4])
    #expect(
      structures[1].formatted[8..<24].elementsEqual([
        0x78, 0x56, 0x34, 0x12, 0xBC, 0x9A, 0xF0, 0xDE, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
      ]))
    #expect(structures[2].strings[Int(structures[2].formatted[8]) - 1] == "my guest")
    #expect(structures[4].strings[0] == "CPU 1")
    #expect(structures[4].strings[Int(structures[4].formatted[16]) - 1] == "A processor")
    #expect(structures[4].formatted[8..<16].elementsEqual([0xB1, 0x0F, 6, 0, 0xFD, 0xAB, 0x81, 0x07]))
    #expect(structures[3].formatted[35...37].elementsEqual([3, 3, 6]))
    // 16 GiB, 16 GiB, 1 GiB.
    #expect(
      structures[6...8].map { Int($0.formatted[12]) | Int($0.formatted[13]) << 8 } == [0x4000, 0x4000, 0x400])
  }

  @Test func anchor() throws {
    let tables = try SMBIOSTables(system)
    let anchor = tables.anchor
    #expect(anchor.count == 31)
    #expect(anchor.reduce(0, &+) == 0)
    #expect(anchor[16...].reduce(0, &+) == 0)
    #expect(Int(anchor[22]) | Int(anchor[23]) << 8 == tables.tables.count)
    #expect(Int(anchor[28]) | Int(anchor[29]) << 8 == 13)
  }

  @Test(arguments: [(UInt64(1) << 20, UInt64(0)), (3 << 30, 1 << 42), (3 << 30, UInt64.max)])
  func anySizeOfMemory(_ below: UInt64, _ above: UInt64) throws {
    let tables = try SMBIOSTables(SystemDescription(ramBelow4G: below, ramAbove4G: above, socketCount: 255))
    #expect(tables.tables.count < 65536)
    #expect(parse(tables.tables).filter { $0.type == 17 }.count <= 65536)
  }

  @Test func uuids() {
    #expect(SystemUUID("12345678-9abc-def0-1122-334455667788")?.bytes[8] == 0x11)
    for text in [
      "", "12345678", "12345678-9abc-def0-1122-33445566778", "1234567g-9abc-def0-1122-334455667788",
      "12345678-9abc-def01122--334455667788", "１2345678-9abc-def0-1122-334455667788",
    ] {
      #expect(SystemUUID(text) == nil, "\(text)")
    }
  }

  private var settings: SMBIOSSettings {
    var settings = SMBIOSSettings()
    for (type, fields) in SMBIOSSettings.fields {
      for field in fields where field.kind == .text { settings[type, field] = "T\(type) \(field.rawValue)" }
    }
    settings[0, .release] = "3.14"
    settings[0, .uefi] = "on"
    settings[1, .uuid] = "00112233-4455-6677-8899-aabbccddeeff"
    settings[4, .maximumSpeed] = "3000"
    settings[4, .currentSpeed] = "2000"
    settings[4, .processorID] = "0x1122334455667788"
    settings[17, .speed] = "1600"
    settings.oemStrings = ["first", "", "third"]
    return settings
  }

  @Test func fieldsThatWereSet() throws {
    var system = system
    system.settings = settings
    let structures = parse(try SMBIOSTables(system).tables)
    #expect(structures.map(\.type) == [0, 1, 2, 3, 4, 4, 11, 16, 17, 17, 17, 19, 19, 32, 127])
    for structure in structures {
      for field in SMBIOSSettings.fields[structure.type] ?? [] where field.kind == .text {
        let expected = "T\(structure.type) \(field.rawValue)"
        #expect(structure.strings.contains { $0.hasPrefix(expected) }, "\(expected)")
      }
    }
    #expect(structures[0].formatted[19...21].elementsEqual([0x1C, 3, 14]))
    #expect(structures[1].formatted[8] == 0x33)
    #expect(structures[4].formatted[8..<16].elementsEqual([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]))
    #expect(structures[4].formatted[20..<24].elementsEqual([0xB8, 0x0B, 0xD0, 0x07]))
    #expect(structures[6].formatted[4] == 3 && structures[6].strings == ["first", " ", "third"])
    #expect(structures[8].formatted[21..<23].elementsEqual([0x40, 0x06]))
  }

  @Test func structuresOfFiles() throws {
    var system = system
    system.files = [[1, 8, 0, 1, 1, 0, 0, 0] + Array("mine".utf8) + [0, 0], [200, 4, 1, 2]]
    let structures = parse(try SMBIOSTables(system).tables)
    #expect(structures.map(\.type) == [1, 200, 0, 3, 4, 4, 16, 17, 17, 17, 19, 19, 32, 127])
    #expect(structures[0].strings == ["mine"])
    system.settings[1, .serial] = "x"
    #expect(throws: SMBIOSError.fieldsGiven(type: 1)) { try SMBIOSTables(system) }
    for wrong: [UInt8] in [
      [], [1], [1, 3, 0, 0], [1, 5, 0, 0], [1, 4, 0, 0, 65], [1, 4, 0, 0, 65, 0], [1, 4, 0, 0, 0, 0, 65],
      [1, 4, 0, 0, 65, 0, 0, 65, 0, 0],
    ] {
      system.files = [wrong]
      #expect(throws: SMBIOSError.malformed, "\(wrong)") { try SMBIOSTables(system) }
    }
    system.files = [[127, 4, 0, 0]]
    #expect(throws: SMBIOSError.reserved(type: 127)) { try SMBIOSTables(system) }
    system.files = [[200, 4, 1, 2] + [UInt8](repeating: 65, count: 65500) + [0, 0]]
    #expect(throws: SMBIOSError.tooLarge) { try SMBIOSTables(system) }
  }

  @Test(.enabled(if: ToolRun.find("dmidecode") != nil, "needs the package dmidecode"))
  func dmidecodeReadsFieldsThatWereSet() throws {
    var system = system
    system.settings = settings
    let output = try dmidecode(system)
    for wanted in [
      "Vendor: T0 vendor", "BIOS Revision: 3.14", "UEFI is supported", "Product Name: T1 product",
      "UUID: 00112233-4455-6677-8899-aabbccddeeff", "SKU Number: T1 sku", "Location In Chassis: T2 location",
      "Asset Tag: T3 asset", "Socket Designation: T4 sock_pfx 1", "Max Speed: 3000 MHz",
      "Current Speed: 2000 MHz", "String 1: first", "String 3: third", "Locator: T17 loc_pfx 0",
      "Bank Locator: T17 bank", "Speed: 1600 MT/s", "Part Number: T17 part",
    ] {
      #expect(output.contains(wanted), "no \(wanted) in \(output)")
    }
  }

  @Test(.enabled(if: ToolRun.find("dmidecode") != nil, "needs the package dmidecode"))
  func dmidecodeReadsThem() throws {
    let output = try dmidecode(system)
    for wanted in [
      "SMBIOS 2.8 present", "13 structures", "UUID: 12345678-9abc-def0-1122-334455667788",
      "Asset Tag: my guest",
      "Core Count: 3", "Thread Count: 6", "Size: 16 GB", "Range Size: 30 GB", "System is a virtual machine",
      "No errors detected", "End Of Table",
    ] {
      #expect(output.contains(wanted), "no \(wanted) in \(output)")
    }
  }

  private func dmidecode(_ system: SystemDescription) throws -> String {
    let run = try ToolRun()
    defer { run.remove() }
    let tables = try SMBIOSTables(system)
    // A dump has the entry point at its start and the tables where that points: at 32.
    var anchor = tables.anchor
    anchor[24] = 32
    anchor[21] = anchor[21] &- 32
    try run.write(anchor + [0] + tables.tables, to: "dump")
    let result = try run.run(ToolRun.find("dmidecode")!, ["--from-dump", "dump"])
    #expect(result.status == 0)
    for complaint in ["OUT OF SPEC", "BAD INDEX", "Wrong", "TRUNCATED", "broken"] {
      #expect(!result.output.contains(complaint), "\(complaint) in \(result.output)")
    }
    return result.output
  }
}
