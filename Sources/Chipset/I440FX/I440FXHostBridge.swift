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
  private static let lowMemoryByteCount = 0x10_0000

  // The bridge decodes DRAM before PCI sees an address: a BAR moved over RAM does not hide it. SMRAM covers
  // even the VGA's window.
  static let ramPriority = 8
  static let shadowPriority = 10
  static let smramPriority = 20

  /// The bridge. Puts into `memory`: `ram`, of at least 1 MiB, split around the PCI hole, and `bios`, which ends
  /// at 4 GiB and whose last 128 KiB are also seen below 1 MiB.
  public init(memory: MemorySpace, ram: RAMBlock, bios: RAMBlock) {
    precondition(ram.byteCount >= Self.lowMemoryByteCount, "the board gives the bridge at least 1 MiB")
    self.memory = memory
    let shadow = min(Self.biosShadowByteCount, bios.byteCount)
    smram = MemoryRegion(
      name: "smram", base: GuestAddress(UInt64(0xA0000)), count: 0x20000, backing: .ram(ram, offset: 0xA0000),
      priority: Self.smramPriority, isEnabled: false)
    memory.add(smram)
    // Twelve segments of 16 KiB from 0xC0000, and the BIOS segment of 64 KiB.
    let places = (0..<12).map { (0xC0000 + $0 * 0x4000, 0x4000) } + [(0xF0000, 0x10000)]
    segments = places.map { base, count in
      let romOffset = bios.byteCount - (Self.lowMemoryByteCount - base)
      let hasROM = base >= Self.lowMemoryByteCount - shadow && romOffset >= 0
      return ShadowSegment(
        base: base, count: count, ram: ram, rom: hasROM ? .init(block: bios, offset: romOffset) : nil,
        memory: memory)
    }
    super.init(
      name: "i440fx", identity: PCIIdentity(vendor: 0x8086, device: 0x1237, revision: 2, classCode: 0x060000))
    defineRegisters()
    addRegions(ram: ram, bios: bios, shadow: shadow)
  }

  /// Registers other than PAM and SMRAM keep what is written, and do nothing: DRAM needs no set-up here.
  private func defineRegisters() {
    typealias Register = I440FXRegister
    // The bridge always answers memory addresses and masters the bus.
    define(
      PCIConfigurationOffset.command, PCICommand([.memorySpace, .busMaster]).rawValue,
      writable: PCICommand.systemErrorEnable.rawValue)
    define(
      PCIConfigurationOffset.status, PCIStatus([.fastBackToBack, .devselMedium]).rawValue,
      clearOnWrite: 0xF900)
    define(Register.pmcConfiguration, UInt16(0), writable: 0xFFFF)
    define(Register.deturbo, UInt8(0), writable: 0xFF)
    define(Register.dataBufferControl, UInt8(0x80), writable: 0xFF)
    define(Register.auxiliaryControl, UInt8(0), writable: 0xFF)
    define(Register.dramRowType, UInt16(0), writable: 0xFFFF)
    define(Register.dramControl, UInt8(0x01), writable: 0xFF)
    define(Register.dramTiming, UInt8(0x10), writable: 0xFF)
    // PAM0 has only the high field: 0xF0000.
    define(Register.pam, UInt8(0), writable: 0x30)
    for index in 1..<Register.pamCount { define(Register.pam + index, UInt8(0), writable: 0x33) }
    for row in 0..<Register.dramRowCount {
      define(Register.dramRowBoundary + row, UInt8(0x01), writable: 0xFF)
    }
    define(Register.fixedDRAMHole, UInt8(0), writable: 0xC0)
    define(Register.multiTransactionTimer, UInt8(0), writable: 0xFF)
    define(Register.cpuLatencyTimer, UInt8(0x10), writable: 0x1F)
    define(
      Register.smram, SMRAMControl.baseSegment.rawValue,
      writable: SMRAMControl([.open, .closed, .locked, .enabled]).rawValue)
    define(Register.errorCommand, UInt8(0), writable: 0xFF)
    define(Register.errorStatus, UInt8(0), clearOnWrite: UInt8(0x11))
    define(Register.turboResetControl, UInt8(0), writable: 0x0F)
  }

  private func addRegions(ram: RAMBlock, bios: RAMBlock, shadow: Int) {
    let layout = GuestMemoryLayout(byteCount: UInt64(ram.byteCount))
    memory.transaction {
      func addRAM(_ name: String, _ base: UInt64, _ count: UInt64, at offset: UInt64) {
        guard count > 0 else { return }
        memory.add(
          MemoryRegion(
            name: name, base: GuestAddress(base), count: count, backing: .ram(ram, offset: Int(offset)),
            priority: Self.ramPriority))
      }
      func addBIOS(_ name: String, end: UInt64, count: Int) {
        memory.add(
          MemoryRegion(
            name: name, base: GuestAddress(end - UInt64(count)), count: UInt64(count),
            backing: .rom(bios, offset: bios.byteCount - count)))
      }
      let low = UInt64(Self.lowMemoryByteCount)
      addRAM("ram-below-640k", 0, 0xA0000, at: 0)
      addRAM("ram-below-4g", low, layout.below4GiB - low, at: low)
      addRAM("ram-above-4g", 1 << 32, layout.above4GiB, at: layout.below4GiB)
      addBIOS("bios", end: 1 << 32, count: bios.byteCount)
      addBIOS("bios-below-1m", end: low, count: shadow)
    }
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    let before = smramControl
    super.writeConfiguration(offset, value, width)
    smramControl = lock(smramControl, after: before)
    if offset + width.count > I440FXRegister.pam && offset <= I440FXRegister.smram { updateMap() }
  }

  private var smramControl: SMRAMControl {
    get { SMRAMControl(rawValue: self[I440FXRegister.smram, as: UInt8.self]) }
    set { self[I440FXRegister.smram, as: UInt8.self] = newValue.rawValue }
  }

  /// What a write makes of the SMRAM register: DLCK stays once it is set, and keeps DOPEN clear.
  private func lock(_ written: SMRAMControl, after before: SMRAMControl) -> SMRAMControl {
    let control = before.contains(.locked) ? written.union(.locked) : written
    return control.contains(.locked) ? control.subtracting(.open) : control
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
      let isSeen = smramControl.contains([.open, .enabled])
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
    smramControl = lock(smramControl, after: [])
    updateMap()
  }
}
