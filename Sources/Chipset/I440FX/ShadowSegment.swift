// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// One segment of the BIOS area (0xC0000 … 0xFFFFF) that a PAM field switches between DRAM and PCI, for reads and
/// writes apart (440FX data sheet, PAM registers).
///
/// The write-only state is the one in which firmware copies ROM to the DRAM below it: the guest reads what PCI
/// shows, and its writes land in DRAM.
final class ShadowSegment {
  /// The BIOS that PCI shows in the segment.
  struct ROM {
    let block: RAMBlock
    let offset: Int
  }

  /// Takes writes for the DRAM under the segment; reads, where there is no BIOS to read, find nothing.
  private final class DRAMWrites: AddressWindow {
    private let ram: RAMBlock
    private let base: Int

    init(name: String, ram: RAMBlock, base: Int, count: Int) {
      self.ram = ram
      self.base = base
      super.init(name: name, count: UInt64(count), widest: .qword)
    }

    override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
      guard offset < count, let bytes = ram.bytes(at: base + Int(offset), count: width.count) else { return }
      for index in 0..<width.count { bytes[index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8)) }
      ram.dirty.mark(byteOffset: base + Int(offset), count: width.count)
    }
  }

  private let region: MemoryRegion
  private let ram: RAMBlock
  private let offset: Int
  private let rom: ROM?
  private let dramWrites: AddressWindow
  private(set) var attributes: ShadowAttributes = []

  /// The segment of `count` bytes at `base`, which lies inside `ram`.
  init(base: Int, count: Int, ram: RAMBlock, rom: ROM?, memory: MemorySpace) {
    let name = "pam-\(String(base, radix: 16))"
    self.ram = ram
    self.rom = rom
    offset = base
    dramWrites = DRAMWrites(name: name, ram: ram, base: base, count: count)
    region = MemoryRegion(
      name: name, base: GuestAddress(UInt64(base)), count: UInt64(count), backing: .ram(ram, offset: base),
      priority: I440FXHostBridge.shadowPriority, isEnabled: false)
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
    case (false, true): memory.update(region, isEnabled: true, backing: writeOnly)
    }
  }

  private var writeOnly: MemoryRegion.Backing {
    guard let rom else { return .window(dramWrites) }
    return .romDevice(rom.block, offset: rom.offset, writes: dramWrites)
  }
}
