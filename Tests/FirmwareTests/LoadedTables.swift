// SPDX-License-Identifier: GPL-2.0-or-later

@testable import Firmware

/// Memory in which a table loader's commands have been carried out, as firmware does.
struct LoadedTables {
  static let bases: [String: Int] = ["etc/acpi/tables": 0x10000, "etc/acpi/rsdp": 0xF0000]
  private(set) var files: [String: [UInt8]] = [:]
  private(set) var problems: [String] = []

  init(_ tables: ACPITables) {
    let contents = Dictionary(uniqueKeysWithValues: zip(ACPITables.fileNames, tables.files))
    let script = contents["etc/table-loader"] ?? []
    func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
    func text(_ bytes: ArraySlice<UInt8>) -> String {
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    for start in stride(from: 0, to: script.count, by: 128) {
      let entry = Array(script[start..<(start + 128)])
      let file = text(entry[4..<60])
      switch number(entry[0..<4]) {
      case 1:
        files[file] = contents[file]
        let alignment = number(entry[60..<64])
        if Self.bases[file].map({ $0 % alignment != 0 }) ?? true { problems.append("alignment of \(file)") }
      case 2:
        let (source, offset, size) = (text(entry[60..<116]), number(entry[116..<120]), Int(entry[120]))
        let old = number(files[file]![offset..<(offset + size)])
        if old >= files[source]!.count { problems.append("pointer at \(offset) leaves \(source)") }
        for (index, shift) in stride(from: 0, to: size * 8, by: 8).enumerated() {
          files[file]![offset + index] = UInt8(truncatingIfNeeded: (old + Self.bases[source]!) >> shift)
        }
      case 3:
        let (offset, from, count) = (number(entry[60..<64]), number(entry[64..<68]), number(entry[68..<72]))
        files[file]![offset] = 0
        files[file]![offset] = 0 &- files[file]![from..<(from + count)].reduce(0, &+)
      case let other:
        problems.append("command \(other)")
      }
    }
  }

  /// The little-endian number of `count` bytes at an address.
  func number(at address: Int, count: Int) -> Int {
    bytes(at: address, count: count).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  func bytes(at address: Int, count: Int) -> [UInt8] {
    for (name, base) in Self.bases {
      let offset = address - base
      if let file = files[name], offset >= 0, offset + count <= file.count {
        return Array(file[offset..<(offset + count)])
      }
    }
    return []
  }

  /// The table at an address, as long as its header says.
  func table(at address: Int) -> [UInt8] { bytes(at: address, count: number(at: address + 4, count: 4)) }

  var rsdp: [UInt8] { files["etc/acpi/rsdp"] ?? [] }

  /// All tables by signature, found from the RSDP as an operating system finds them.
  func all() -> [String: [UInt8]] {
    func signature(_ table: [UInt8]) -> String { String(decoding: table.prefix(4), as: UTF8.self) }
    let xsdt = table(at: number(at: Self.bases["etc/acpi/rsdp"]! + 24, count: 8))
    let rsdt = table(at: number(at: Self.bases["etc/acpi/rsdp"]! + 16, count: 4))
    var tables = [signature(xsdt): xsdt, signature(rsdt): rsdt]
    for offset in stride(from: 36, to: xsdt.count, by: 8) {
      let address = xsdt[offset..<(offset + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
      let child = table(at: address)
      tables[signature(child)] = child
      if signature(child) == "FACP" {
        tables["FACS"] = table(at: number(at: address + 36, count: 4))
        tables["DSDT"] = table(at: number(at: address + 40, count: 4))
      }
    }
    return tables
  }
}
