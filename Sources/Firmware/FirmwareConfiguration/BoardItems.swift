// SPDX-License-Identifier: GPL-2.0-or-later

/// What a board tells its firmware besides tables and kernels.
public struct BoardItems {
  /// RAM below 4 GiB, in bytes.
  public var ramBelow4G: UInt64
  /// RAM from 4 GiB on, in bytes.
  public var ramAbove4G: UInt64
  /// Ranges that are not free for the guest's use, such as KVM's own pages.
  public var reserved: [(base: UInt64, count: UInt64)] = []
  /// CPUs at the start.
  public var cpuCount: Int
  /// The highest APIC ID plus one; the CPU count unless the topology leaves gaps.
  public var maximumAPICIDCount: Int
  /// Whether there is a display.
  public var hasDisplay = true
  /// `-uuid`.
  public var uuid = SystemUUID.none
  /// Whether the BIOS offers its boot menu, and waits.
  public var isBootMenuOffered = false
  /// How long it waits, in milliseconds; nil leaves it to the BIOS.
  public var bootMenuWait: Int?
  /// After how many milliseconds a boot that failed is tried again; nil is never.
  public var bootRetryWait: Int?
  /// The letter of the first kind of boot device.
  public var firstBootDevice: Character = "c"
  /// The file `bootorder` (see ``BootOrder``).
  public var bootOrder: [UInt8] = []
  /// The same where it changes from one boot to the next (`-boot once=`); asked after each reset. It must never be longer
  /// than at first.
  public var currentBootOrder: (() -> [UInt8])?
  /// Option ROMs that the BIOS runs for cards without a ROM of their own.
  public var optionROMs: [OptionROM] = []
  /// VGA BIOSes for cards without a ROM of their own.
  public var vgaROMs: [OptionROM] = []

  /// A board with this much RAM and as many CPUs.
  public init(ramBelow4G: UInt64, ramAbove4G: UInt64 = 0, cpuCount: Int = 1, maximumAPICIDCount: Int? = nil) {
    self.ramBelow4G = ramBelow4G
    self.ramAbove4G = ramAbove4G
    self.cpuCount = cpuCount
    self.maximumAPICIDCount = maximumAPICIDCount ?? cpuCount
  }
}

extension FirmwareConfigurationDevice {
  /// Adds the items every board has.
  public func add(_ board: BoardItems) throws(FirmwareConfigurationError) {
    set(.uuid, board.uuid.bytes)
    set(.ramSize, littleEndian: board.ramBelow4G &+ board.ramAbove4G)
    set(.noGraphic, littleEndian: UInt16(board.hasDisplay ? 0 : 1))
    set(.cpuCount, littleEndian: UInt16(clamping: board.cpuCount))
    set(.maximumCPUCount, littleEndian: UInt16(clamping: board.maximumAPICIDCount))
    // No NUMA nodes: their number, then a node for each CPU.
    set(.numa, [UInt8](repeating: 0, count: 8 * (1 + max(0, board.maximumAPICIDCount))))
    set(.irq0Override, littleEndian: UInt32(1))
    set(.acpiTables, [])
    set(.smbiosEntries, [])
    set(.e820Table, littleEndian: UInt32(0))
    set(.hpet, [0])
    set(.bootDevice, littleEndian: UInt16(board.firstBootDevice.asciiValue ?? 0))
    try addBootFiles(board)

    let map = MemoryMap(
      ramBelow4G: board.ramBelow4G, ramAbove4G: board.ramAbove4G, reserved: board.reserved)
    try addFile("etc/e820", map.bytes)
    // S0 … S5, bit 7 if there, with SLP_TYP: neither S3 nor S4 is.
    try addFile("etc/system-states", [0x80, 0, 0, 1, 2, 0x80])
    for rom in board.optionROMs { try addFile("genroms/\(Self.baseName(rom.name))", rom.image) }
    for rom in board.vgaROMs { try addFile("vgaroms/\(Self.baseName(rom.name))", rom.image) }
  }

  private func addBootFiles(_ board: BoardItems) throws(FirmwareConfigurationError) {
    // SeaBIOS shows its menu, and waits, unless both say no.
    let isOffered: UInt16 = board.isBootMenuOffered ? 1 : 0
    set(.bootMenu, littleEndian: isOffered)
    try addNumber("etc/show-boot-menu", isOffered)
    if let wait = board.bootMenuWait ?? (board.isBootMenuOffered ? nil : 0) {
      try addNumber("etc/boot-menu-wait", UInt16(clamping: wait))
    }
    try addNumber("etc/boot-fail-wait", board.bootRetryWait.map { Int32(clamping: $0) } ?? -1)
    if let current = board.currentBootOrder {
      try addFiles(["bootorder"]) { [current()] }
    } else {
      try addFile("bootorder", board.bootOrder)
    }
  }

  private func addNumber(_ name: String, _ value: some FixedWidthInteger)
    throws(FirmwareConfigurationError)
  {
    try addFile(name, withUnsafeBytes(of: value.littleEndian) { Array($0) })
  }

  /// The last part of a path, as it can stand in a file's name.
  static func baseName(_ path: String) -> String { String(path.split(separator: "/").last ?? path[...]) }
}
