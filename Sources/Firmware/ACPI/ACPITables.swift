// SPDX-License-Identifier: GPL-2.0-or-later

/// The ACPI tables of a board, with the commands that tie them together in the guest's memory.
///
/// Source: ACPI 6.4, chapter 5. The tables' layout is that of ACPI 2.0, which every operating system that
/// knows ACPI at all reads.
public struct ACPITables: Sendable {
  /// The names of the files in fw_cfg, in the order of ``files``.
  public static let fileNames = ["etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"]

  /// The file that holds all tables but the RSDP.
  public private(set) var tables: [UInt8] = []
  /// The RSDP.
  public private(set) var rsdp: [UInt8] = []
  /// Where each table begins in ``tables``, by signature.
  public private(set) var offsets: [String: Int] = [:]
  private var loader = TableLoader()

  /// Contents of the files, in the order of ``fileNames``.
  public var files: [[UInt8]] { [tables, rsdp, loader.bytes] }

  private static let tablesFile = fileNames[0]
  private static let rsdpFile = fileNames[1]

  /// The tables that describe `platform`.
  public init(_ platform: PlatformDescription) {
    loader.allocate(Self.tablesFile, alignment: 64, .high)
    loader.allocate(Self.rsdpFile, alignment: 16, .fSegment)

    // The FACS comes first, as it must be aligned to 64 bytes.
    let facs = tables.count
    tables += Self.firmwareControlStructure
    let dsdt = add("DSDT", revision: 1, DifferentiatedSystemDescription(platform: platform).body)
    let fadt = FixedDescription(platform: platform)
    let children = [
      add("FACP", revision: FixedDescription.revision, fadt.body(facs: facs, dsdt: dsdt)) { loader, base in
        for (offset, size) in FixedDescription.pointers {
          loader.addPointer(in: Self.tablesFile, at: base + offset, byteCount: size, to: Self.tablesFile)
        }
      },
      add("APIC", revision: 1, InterruptControllerDescription(platform: platform).body),
      // Windows: the PM timer need not be read twice (WAET specification, bit 1).
      add("WAET", revision: 1, [2, 0, 0, 0]),
    ]
    let rsdt = addRoot("RSDT", children, as: UInt32.self)
    let xsdt = addRoot("XSDT", children, as: UInt64.self)
    // Room for what may differ from boot to boot, so that the file's size never does.
    tables.pad(to: 8192)
    addRootPointer(rsdt: rsdt, xsdt: xsdt)
  }

  /// Appends a table with the common header (section 5.2.6); returns where it begins. `link` may add
  /// commands that change the table before its checksum is computed.
  private mutating func add(
    _ signature: String, revision: UInt8, _ body: [UInt8],
    link: (_ loader: inout TableLoader, _ base: Int) -> Void = { _, _ in }
  ) -> Int {
    tables.pad(to: 8)
    let base = tables.count
    offsets[signature] = base
    let length = 36 + body.count
    tables += signature.utf8
    tables.append(littleEndian: UInt32(truncatingIfNeeded: length))
    tables += [revision, 0]
    tables += "MARTLT".utf8
    tables += "MARTLTPC".utf8
    tables.append(littleEndian: UInt32(1))
    tables += "MRTL".utf8
    tables.append(littleEndian: UInt32(1))
    tables += body
    link(&loader, base)
    loader.addChecksum(in: Self.tablesFile, at: base + 9, from: base, count: length)
    return base
  }

  /// Appends an RSDT or XSDT: the addresses of the other tables, four or eight bytes each.
  private mutating func addRoot<Address: FixedWidthInteger>(
    _ signature: String, _ children: [Int], as type: Address.Type
  ) -> Int {
    let size = MemoryLayout<Address>.size
    var body: [UInt8] = []
    for child in children { body.append(littleEndian: Address(truncatingIfNeeded: child)) }
    return add(signature, revision: 1, body) { loader, base in
      for index in children.indices {
        loader.addPointer(
          in: Self.tablesFile, at: base + 36 + index * size, byteCount: UInt8(size), to: Self.tablesFile)
      }
    }
  }

  /// The RSDP of ACPI 2.0 (section 5.2.5.3).
  private mutating func addRootPointer(rsdt: Int, xsdt: Int) {
    rsdp = Array("RSD PTR ".utf8) + [0] + Array("MARTLT".utf8) + [2]
    rsdp.append(littleEndian: UInt32(truncatingIfNeeded: rsdt))
    rsdp.append(littleEndian: UInt32(36))
    rsdp.append(littleEndian: UInt64(xsdt))
    rsdp += [0, 0, 0, 0]
    loader.addPointer(in: Self.rsdpFile, at: 16, byteCount: 4, to: Self.tablesFile)
    loader.addPointer(in: Self.rsdpFile, at: 24, byteCount: 8, to: Self.tablesFile)
    loader.addChecksum(in: Self.rsdpFile, at: 8, from: 0, count: 20)
    loader.addChecksum(in: Self.rsdpFile, at: 32, from: 0, count: 36)
  }

  /// The FACS (section 5.2.10): 64 bytes, of which only signature and length are not zero.
  private static var firmwareControlStructure: [UInt8] {
    Array("FACS".utf8) + [64, 0, 0, 0] + [UInt8](repeating: 0, count: 56)
  }
}

extension FirmwareConfigurationDevice {
  /// Adds the ACPI files. `describe` is asked once now and again at each boot, when the firmware, by then
  /// done with PCI, reads the tables.
  public func addACPI(describe: @escaping () -> PlatformDescription) throws(FirmwareConfigurationError) {
    try addFiles(ACPITables.fileNames) { ACPITables(describe()).files }
  }
}
