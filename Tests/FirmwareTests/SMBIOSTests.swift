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

  @Test func structures() {
    let tables = SMBIOSTables(system)
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

  @Test func anchor() {
    let tables = SMBIOSTables(system)
    let anchor = tables.anchor
    #expect(anchor.count == 31)
    #expect(anchor.reduce(0, &+) == 0)
    #expect(anchor[16...].reduce(0, &+) == 0)
    #expect(Int(anchor[22]) | Int(anchor[23]) << 8 == tables.tables.count)
    #expect(Int(anchor[28]) | Int(anchor[29]) << 8 == 13)
  }

  @Test(arguments: [(UInt64(1) << 20, UInt64(0)), (3 << 30, 1 << 42), (3 << 30, UInt64.max)])
  func anySizeOfMemory(_ below: UInt64, _ above: UInt64) {
    let tables = SMBIOSTables(SystemDescription(ramBelow4G: below, ramAbove4G: above, socketCount: 255))
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

  @Test(.enabled(if: ToolRun.find("dmidecode") != nil, "needs the package dmidecode"))
  func dmidecodeReadsThem() throws {
    let run = try ToolRun()
    defer { run.remove() }
    let tables = SMBIOSTables(system)
    // A dump has the entry point at its start and the tables where that points: at 32.
    var anchor = tables.anchor
    anchor[24] = 32
    anchor[21] = anchor[21] &- 32
    try run.write(anchor + [0] + tables.tables, to: "dump")
    let result = try run.run(ToolRun.find("dmidecode")!, ["--from-dump", "dump"])
    #expect(result.status == 0)
    for wanted in [
      "SMBIOS 2.8 present", "13 structures", "UUID: 12345678-9abc-def0-1122-334455667788",
      "Asset Tag: my guest",
      "Core Count: 3", "Thread Count: 6", "Size: 16 GB", "Range Size: 30 GB", "System is a virtual machine",
      "No errors detected", "End Of Table",
    ] {
      #expect(result.output.contains(wanted), "no \(wanted) in \(result.output)")
    }
    for complaint in ["OUT OF SPEC", "BAD INDEX", "Wrong", "TRUNCATED", "broken"] {
      #expect(!result.output.contains(complaint), "\(complaint) in \(result.output)")
    }
  }
}
