// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI

/// The host bridge of the Intel 440FX (82441FX): RAM around the PCI hole, the BIOS below 4 GiB and below 1 MiB,
/// shadowing by the PAM registers, and SMRAM.
public final class I440FXHostBridge: PCIFunction, Device {
  public let deviceName = "i440fx"
  private let memory: MemorySpace
  private let segments: [ShadowSegment]
  private let smram: MemoryRegion

  /// The part of the BIOS that is also seen below 1 MiB.
  private static let biosShadowByteCount = 128 << 10

  /// The bridge. Puts into `memory`: `ram`, of at least 1 MiB, split around the PCI hole, and `bios`, which ends
  /// at 4 GiB and whose last 128 KiB are also seen below 1 MiB.
  public init(memory: MemorySpace, ram: RAMBlock, bios: RAMBlock) {
    self.memory = memory
    let shadow = min(Self.biosShadowByteCount, bios.byteCount)
    smram = MemoryRegion(
      name: "smram", base: GuestAddress(UInt64(0xA0000)), count: 0x20000, backing: .ram(ram, offset: 0xA0000),
      priority: 20, isEnabled: false)
    memory.add(smram)
    // Twelve segments of 16 KiB from 0xC0000, and the BIOS segment of 64 KiB.
    let places = (0..<12).map { (UInt64(0xC0000 + $0 * 0x4000), 0x4000) } + [(0xF0000, 0x10000)]
    segments = places.compactMap { base, count in
      let romOffset = bios.byteCount - (0x100000 - Int(base))
      let isBIOS = Int(base) >= 0x100000 - shadow
      return ShadowSegment(
        base: base, count: count, ram: ram, rom: isBIOS ? bios.bytes(at: romOffset, count: count) : nil,
        memory: memory)
    }
    super.init(
      name: "i440fx", identity: PCIIdentity(vendor: 0x8086, device: 0x1237, revision: 2, classCode: 0x060000))
    // PAM0 has only the high field: 0xF0000.
    define(I440FXRegister.pam, UInt8(0), writable: 0x30)
    for index in 1..<I440FXRegister.pamCount { define(I440FXRegister.pam + index, UInt8(0), writable: 0x33) }
    define(I440FXRegister.smram, UInt8(0x02), writable: 0x78)
    addRegions(ram: ram, bios: bios, shadow: shadow)
  }

  private func addRegions(ram: RAMBlock, bios: RAMBlock, shadow: Int) {
    let layout = GuestMemoryLayout(byteCount: UInt64(ram.byteCount))
    memory.transaction {
      func add(_ name: String, _ base: UInt64, _ count: UInt64, _ backing: MemoryRegion.Backing) {
        guard count > 0 else { return }
        memory.add(MemoryRegion(name: name, base: GuestAddress(base), count: count, backing: backing))
      }
      add("ram-below-640k", 0, min(0xA0000, layout.below4GiB), .ram(ram, offset: 0))
      if layout.below4GiB > 0x100000 {
        add("ram-below-4g", 0x100000, layout.below4GiB - 0x100000, .ram(ram, offset: 0x100000))
      }
      add("ram-above-4g", 1 << 32, layout.above4GiB, .ram(ram, offset: Int(layout.below4GiB)))
      add("bios", (1 << 32) - UInt64(bios.byteCount), UInt64(bios.byteCount), .rom(bios, offset: 0))
      add(
        "bios-below-1m", 0x100000 - UInt64(shadow), UInt64(shadow),
        .rom(bios, offset: bios.byteCount - shadow))
    }
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    let before = SMRAMControl(rawValue: self[I440FXRegister.smram, as: UInt8.self])
    super.writeConfiguration(offset, value, width)
    if before.contains(.locked) {
      self[I440FXRegister.smram, as: UInt8.self] = before.rawValue
    } else {
      var control = SMRAMControl(rawValue: self[I440FXRegister.smram, as: UInt8.self])
      if control.contains(.locked) { control.remove(.open) }
      self[I440FXRegister.smram, as: UInt8.self] = control.rawValue
    }
    updateMap()
  }

  private func updateMap() {
    memory.transaction {
      for (index, segment) in segments.enumerated() {
        // Fields from PAM1 on are two a register, the low one first; the BIOS segment is PAM0's high one.
        let field = index == 12 ? 1 : index + 2
        let register = self[I440FXRegister.pam + field / 2, as: UInt8.self]
        let bits = field % 2 == 0 ? register : register >> 4
        segment.show(ShadowAttributes(rawValue: bits & 3), in: memory)
      }
      let control = SMRAMControl(rawValue: self[I440FXRegister.smram, as: UInt8.self])
      let isSeen = control.contains([.open, .enabled])
      if isSeen != smram.isEnabled { memory.update(smram, isEnabled: isSeen) }
    }
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    updateMap()
  }

  /// The configuration space.
  public struct State: SavedState {
    public static let version = 1
    public var configuration: PCIFunction.State
  }

  public func save() -> State { State(configuration: saveConfiguration()) }

  public func restore(_ state: State) throws(RestoreError) {
    try restoreConfiguration(state.configuration)
    updateMap()
  }
}
