// SPDX-License-Identifier: GPL-2.0-or-later

/// What the SMBIOS tables say about the machine.
public struct SystemDescription: Equatable, Sendable {
  /// `-uuid`.
  public var uuid = SystemUUID.none
  /// `-name`: shown as the chassis' asset tag.
  public var name = ""
  /// RAM below 4 GiB, in bytes.
  public var ramBelow4G: UInt64
  /// RAM from 4 GiB on, in bytes.
  public var ramAbove4G: UInt64
  /// CPU packages, 1 … 255.
  public var socketCount: Int
  /// Cores in each.
  public var coresPerSocket: Int
  /// Threads in each core.
  public var threadsPerCore: Int
  /// CPUID leaf 1: EAX in the low half, EDX in the high; 0 if it is not known.
  public var processorID: UInt64 = 0
  /// The processors' name; empty for that of the emulator's version.
  public var processorVersion = ""
  /// The version of the emulator.
  public var version = ""

  /// `-smbios type=`: what is to be said instead.
  public var settings = SMBIOSSettings()
  /// `-smbios file=`: structures that are added, each in place of all that would be there of its type.
  public var files: [[UInt8]] = []

  /// A machine with this much RAM and these CPUs.
  public init(
    ramBelow4G: UInt64, ramAbove4G: UInt64, socketCount: Int = 1, coresPerSocket: Int = 1,
    threadsPerCore: Int = 1
  ) {
    self.ramBelow4G = ramBelow4G
    self.ramAbove4G = ramAbove4G
    self.socketCount = min(max(1, socketCount), 255)
    self.coresPerSocket = max(1, coresPerSocket)
    self.threadsPerCore = max(1, threadsPerCore)
  }
}

/// The SMBIOS 2.8 tables of a machine, as files in fw_cfg from which the BIOS makes the tables in memory.
///
/// Source: DMTF DSP0134, System Management BIOS Reference Specification 2.8.
public struct SMBIOSTables: Equatable, Sendable {
  /// The file `etc/smbios/smbios-tables`: the structures, one after another.
  public let tables: [UInt8]
  /// The file `etc/smbios/smbios-anchor`: the entry point (section 5.2.1), whose address the BIOS fills in.
  public let anchor: [UInt8]

  private static let manufacturer = "Martlet"
  private static let product = "PC (i440FX + PIIX)"
  private static let noHandle: UInt16 = 0xFFFE
  private static let unknownHandle: UInt16 = 0xFFFF
  private static let chassisHandle: UInt16 = 0x0300
  private static let memoryArrayHandle: UInt16 = 0x1000

  /// The tables that describe `system`.
  public init(_ system: SystemDescription) throws(SMBIOSError) {
    var files: [SMBIOSFileStructure] = []
    for contents in system.files {
      let file = try SMBIOSFileStructure(contents)
      guard !system.settings.has(type: file.type) else { throw .fieldsGiven(type: file.type) }
      files.append(file)
    }
    let processors = (0..<system.socketCount).map { Self.processor($0, system) }
    let first = [Self.bios(system), Self.system(system)] + Self.baseboard(system) + [Self.chassis(system)]
    let own = (first + processors + Self.oemStrings(system) + Self.memory(system) + [Self.bootStatus]).map(
      \.bytes)
    let replaced = Set(files.map(\.type))
    let structures =
      files.map(\.bytes) + own.filter { !replaced.contains($0[0]) } + [Self.end.bytes]
    tables = structures.flatMap { $0 }
    guard tables.count <= Int(UInt16.max) else { throw .tooLarge }
    anchor = Self.anchor(structures)
  }

  /// Type 0, BIOS information (section 7.1).
  private static func bios(_ system: SystemDescription) -> SMBIOSStructure {
    let settings = system.settings
    var structure = SMBIOSStructure(type: 0, handle: 0x0000)
    structure.add(settings.text(0, .vendor, manufacturer))
    structure.add(settings.text(0, .version, system.version))
    structure.add(UInt16(0xE800))  // where the run-time part begins
    structure.add(settings.text(0, .date, "01/01/2026"))
    structure.add(UInt8(1))  // 64 KiB units of ROM, minus one
    structure.add(UInt64(1 << 7 | 1 << 15 | 1 << 16))  // PCI, boot from CD, selectable boot
    // ACPI; targeted content distribution, virtual machine, and, if it is said to, UEFI
    structure.add([0x01, settings.flag(0, .uefi) ? 0x1C : 0x14])
    let release = settings.release(0, .release) ?? (0xFF, 0xFF)
    structure.add([release.0, release.1, 0xFF, 0xFF])  // no release number of an embedded controller
    return structure
  }

  /// Type 1, system information (section 7.2).
  private static func system(_ system: SystemDescription) -> SMBIOSStructure {
    let settings = system.settings
    var structure = SMBIOSStructure(type: 1, handle: 0x0100)
    structure.add(settings.text(1, .manufacturer, manufacturer))
    structure.add(settings.text(1, .product, product))
    structure.add(settings.text(1, .version, system.version))
    structure.add(settings.text(1, .serial, ""))
    structure.add((settings[1, .uuid].flatMap { SystemUUID($0) } ?? system.uuid).smbiosBytes)
    structure.add(UInt8(6))  // woken by the power switch
    structure.add(settings.text(1, .sku, ""))
    structure.add(settings.text(1, .family, ""))
    return structure
  }

  /// Type 2, baseboard (section 7.3): only if somebody has something to say about it.
  private static func baseboard(_ system: SystemDescription) -> [SMBIOSStructure] {
    let settings = system.settings
    guard settings.has(type: 2) else { return [] }
    var structure = SMBIOSStructure(type: 2, handle: 0x0200)
    structure.add(settings.text(2, .manufacturer, manufacturer))
    structure.add(settings.text(2, .product, product))
    structure.add(settings.text(2, .version, system.version))
    structure.add(settings.text(2, .serial, ""))
    structure.add(settings.text(2, .asset, ""))
    structure.add(UInt8(1))  // it hosts the processors
    structure.add(settings.text(2, .location, ""))
    structure.add(chassisHandle)
    structure.add([0x0A, 0])  // a motherboard; no contained objects
    return [structure]
  }

  /// Type 3, chassis (section 7.4).
  private static func chassis(_ system: SystemDescription) -> SMBIOSStructure {
    let settings = system.settings
    var structure = SMBIOSStructure(type: 3, handle: chassisHandle)
    structure.add(settings.text(3, .manufacturer, manufacturer))
    structure.add(UInt8(1))  // other
    structure.add(settings.text(3, .version, system.version))
    structure.add(settings.text(3, .serial, ""))
    structure.add(settings.text(3, .asset, system.name))
    structure.add([3, 3, 3, 2])  // boot-up, power, thermal state safe; security unknown
    structure.add([UInt8](repeating: 0, count: 4 + 4))  // OEM; height, cords, contained elements
    structure.add(settings.text(3, .sku, ""))
    return structure
  }

  /// Type 4, processor (section 7.5).
  private static func processor(_ index: Int, _ system: SystemDescription) -> SMBIOSStructure {
    let settings = system.settings
    var structure = SMBIOSStructure(type: 4, handle: 0x0400 + UInt16(truncatingIfNeeded: index))
    structure.add("\(settings.text(4, .socketPrefix, "CPU")) \(index)")
    structure.add([3, 1])  // central processor, other family
    structure.add(settings.text(4, .manufacturer, manufacturer))
    structure.add(settings.wideNumber(4, .processorID) ?? system.processorID)
    let name = system.processorVersion.isEmpty ? system.version : system.processorVersion
    structure.add(settings.text(4, .version, name))
    structure.add(UInt8(0))  // voltage unknown,
    structure.add(UInt16(0))  // external clock, too
    structure.add(settings.number(4, .maximumSpeed))
    structure.add(settings.number(4, .currentSpeed))
    structure.add([0x41, 1])  // populated and enabled; other upgrade
    for _ in 1...3 { structure.add(unknownHandle) }  // caches
    structure.add(settings.text(4, .serial, ""))
    structure.add(settings.text(4, .asset, ""))
    structure.add(settings.text(4, .part, ""))
    let cores = UInt8(clamping: system.coresPerSocket)
    structure.add([cores, cores, UInt8(clamping: system.coresPerSocket * system.threadsPerCore)])
    structure.add(UInt16(1 << 1))  // characteristics unknown
    structure.add(UInt16(1))  // other family
    return structure
  }

  /// Type 11, OEM strings (section 7.12): only if there are any. A structure numbers its strings with a byte.
  private static func oemStrings(_ system: SystemDescription) -> [SMBIOSStructure] {
    let strings = system.settings.oemStrings
    return stride(from: 0, to: strings.count, by: 255).enumerated().map { index, start in
      let group = strings[start..<min(start + 255, strings.count)]
      var structure = SMBIOSStructure(type: 11, handle: 0x0E00 + UInt16(truncatingIfNeeded: index))
      structure.add(UInt8(truncatingIfNeeded: group.count))
      for text in group { structure.addText(text) }
      return structure
    }
  }

  // MARK: Memory

  /// The size of a memory module: 16 GiB, or more where there would be too many of them.
  private static func moduleByteCount(_ total: UInt64) -> UInt64 {
    var size: UInt64 = 16 << 30
    while total / size >= 64 { size *= 2 }
    return size
  }

  /// Types 16, 17 and 19: the array, its modules, and where it shows in the address space.
  private static func memory(_ system: SystemDescription) -> [SMBIOSStructure] {
    let total = min(system.ramBelow4G, 1 << 48) + min(system.ramAbove4G, 1 << 48)
    let moduleSize = moduleByteCount(total)
    let count = max(1, (total + moduleSize - 1) / moduleSize)
    let modules = (0..<count).map { index in
      module(Int(index), byteCount: min(moduleSize, total - index * moduleSize), system.settings)
    }
    var ranges = [addresses(0, base: 0, byteCount: system.ramBelow4G)]
    if system.ramAbove4G > 0 { ranges.append(addresses(1, base: 1 << 32, byteCount: system.ramAbove4G)) }
    return [array(total, moduleCount: modules.count)] + modules + ranges
  }

  /// Type 16, physical memory array (section 7.17).
  private static func array(_ byteCount: UInt64, moduleCount: Int) -> SMBIOSStructure {
    var structure = SMBIOSStructure(type: 16, handle: memoryArrayHandle)
    structure.add([1, 3, 3])  // other place, system memory, no error correction
    let kib = byteCount >> 10
    structure.add(kib < 0x8000_0000 ? UInt32(kib) : 0x8000_0000)
    structure.add(noHandle)
    structure.add(UInt16(clamping: moduleCount))
    structure.add(kib < 0x8000_0000 ? 0 : byteCount)
    return structure
  }

  /// Type 17, memory device (section 7.18).
  private static func module(_ index: Int, byteCount: UInt64, _ settings: SMBIOSSettings)
    -> SMBIOSStructure
  {
    var structure = SMBIOSStructure(type: 17, handle: 0x1100 + UInt16(truncatingIfNeeded: index))
    structure.add(memoryArrayHandle)
    structure.add(noHandle)
    structure.add(unknownHandle)  // total width unknown,
    structure.add(unknownHandle)  // data width, too
    let mib = (byteCount + (1 << 20) - 1) >> 20
    structure.add(UInt16(mib < 0x7FFF ? mib : 0x7FFF))
    structure.add([9, 0])  // DIMM, of no set
    structure.add("\(settings.text(17, .locatorPrefix, "DIMM")) \(index)")
    structure.add(settings.text(17, .bank, ""))
    structure.add(UInt8(7))  // RAM
    structure.add(UInt16(1 << 1))  // of another kind
    structure.add(settings.number(17, .speed))
    structure.add(settings.text(17, .manufacturer, manufacturer))
    structure.add(settings.text(17, .serial, ""))
    structure.add(settings.text(17, .asset, ""))
    structure.add(settings.text(17, .part, ""))
    structure.add(UInt8(0))  // rank unknown
    structure.add(UInt32(mib < 0x7FFF ? 0 : mib & 0x7FFF_FFFF))
    structure.add(settings.number(17, .speed))  // as it is configured
    structure.add([UInt8](repeating: 0, count: 6))  // voltages: unknown
    return structure
  }

  /// Type 19, memory array mapped address (section 7.20).
  private static func addresses(_ index: Int, base: UInt64, byteCount: UInt64) -> SMBIOSStructure {
    var structure = SMBIOSStructure(type: 19, handle: 0x1300 + UInt16(truncatingIfNeeded: index))
    let end = base &+ max(byteCount, 1) &- 1
    let fits = end >> 10 < 0xFFFF_FFFF
    structure.add(fits ? UInt32(base >> 10) : 0xFFFF_FFFF)
    structure.add(fits ? UInt32(end >> 10) : 0xFFFF_FFFF)
    structure.add(memoryArrayHandle)
    structure.add(UInt8(1))  // partition width
    structure.add(fits ? 0 : base)
    structure.add(fits ? 0 : end)
    return structure
  }

  // MARK: The rest

  /// Type 32, system boot information (section 7.33): no errors.
  private static var bootStatus: SMBIOSStructure {
    var structure = SMBIOSStructure(type: 32, handle: 0x2000)
    structure.add([UInt8](repeating: 0, count: 7))
    return structure
  }

  /// Type 127, end of table (section 7.45).
  private static var end: SMBIOSStructure { SMBIOSStructure(type: 127, handle: 0x7F00) }

  /// The 32-bit entry point.
  private static func anchor(_ structures: [[UInt8]]) -> [UInt8] {
    let total = structures.reduce(0) { $0 + $1.count }
    let largest = structures.map(\.count).max() ?? 0
    var anchor = Array("_SM_".utf8) + [0, 31, 2, 8]
    anchor.append(littleEndian: UInt16(clamping: largest))
    anchor += [0, 0, 0, 0, 0, 0]  // revision, formatted area
    anchor += Array("_DMI_".utf8) + [0]
    anchor.append(littleEndian: UInt16(clamping: total))
    anchor.append(littleEndian: UInt32(0))
    anchor.append(littleEndian: UInt16(clamping: structures.count))
    anchor.append(0x28)
    // The inner checksum first: the outer covers it.
    anchor[21] = 0 &- anchor[16..<31].reduce(0, &+)
    anchor[4] = 0 &- anchor.reduce(0, &+)
    return anchor
  }
}

extension FirmwareConfigurationDevice {
  /// Adds the SMBIOS files.
  public func addSMBIOS(_ system: SystemDescription) throws {
    let tables = try SMBIOSTables(system)
    try addFile("etc/smbios/smbios-tables", tables.tables)
    try addFile("etc/smbios/smbios-anchor", tables.anchor)
  }
}
