// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// One segment of the BIOS area (0xC0000 … 0xFFFFF) that a PAM field switches between DRAM and PCI, for reads and
/// writes apart (440FX data sheet, section 3.2.18).
final class ShadowSegment {
  /// Writes go to the DRAM under the segment while reads come from PCI.
  private final class WriteThrough: AddressWindow {
    let memory: GuestMemory
    let ram: UnsafeMutableRawBufferPointer
    let rom: UnsafeMutableRawBufferPointer?

    init(
      name: String, memory: GuestMemory, ram: UnsafeMutableRawBufferPointer,
      rom: UnsafeMutableRawBufferPointer?
    ) {
      self.memory = memory
      self.ram = ram
      self.rom = rom
      super.init(name: name, count: UInt64(ram.count))
    }

    override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
      guard let rom, offset < rom.count else { return width.allOnes }
      return UInt64(rom[Int(offset)])
    }

    override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
      guard offset < ram.count else { return }
      ram[Int(offset)] = UInt8(truncatingIfNeeded: value)
    }
  }

  private let region: MemoryRegion
  private let ram: RAMBlock
  private let offset: Int
  private let writeThrough: AddressWindow
  private(set) var attributes: ShadowAttributes = []

  /// The segment of `count` bytes at `base`, with `rom` the BIOS that PCI shows there, if it does.
  init?(base: UInt64, count: Int, ram: RAMBlock, rom: UnsafeMutableRawBufferPointer?, memory: MemorySpace) {
    guard let bytes = ram.bytes(at: Int(base), count: count) else { return nil }
    let name = "pam-\(String(base, radix: 16))"
    self.ram = ram
    offset = Int(base)
    writeThrough = WriteThrough(name: name, memory: memory.memory, ram: bytes, rom: rom)
    region = MemoryRegion(
      name: name, base: GuestAddress(base), count: UInt64(count), backing: .ram(ram, offset: Int(base)),
      priority: 10, isEnabled: false)
    memory.add(region)
  }

  /// Shows what the PAM field says.
  func show(_ new: ShadowAttributes, in memory: MemorySpace) {
    guard new != attributes else { return }
    attributes = new
    switch (new.contains(.readEnable), new.contains(.writeEnable)) {
    case (false, false): memory.update(region, isEnabled: false)
    case (true, true): memory.update(region, isEnabled: true, backing: .ram(ram, offset: offset))
    // Writes go to PCI, where nothing takes them.
    case (true, false): memory.update(region, isEnabled: true, backing: .rom(ram, offset: offset))
    case (false, true): memory.update(region, isEnabled: true, backing: .window(writeThrough))
    }
  }
}
