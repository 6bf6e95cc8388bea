// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// One function of a PCI device: 256 bytes of configuration space, base address registers that move its
/// windows about, an INTx pin.
///
/// A device owns one or subclasses it to give registers of its own a meaning. Called with the machine's lock
/// held.
open class PCIFunction {
  /// What it is: "piix3-ide".
  public let name: String
  /// What it says it is.
  public let identity: PCIIdentity
  /// The bus and the place it was plugged into; nil before.
  public private(set) weak var bus: PCIBus?
  /// Where it sits; meaningful once plugged in.
  public private(set) var address = PCIAddress(0)
  /// The INTx pin: 0 none, 1 INTA# … 4 INTD#.
  public let interruptPin: UInt8

  private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
  private let writeMasks = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
  private let clearOnWriteMasks = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
  private let resetValues = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
  private var baseAddressRegisters: [PCIBaseAddressRegister] = []
  /// What the device wants of its INTx pin, and whether it pulls the bus line: the command register may forbid it.
  private var isAsserted = false
  private var holdsLine = false
  private var nextCapability = 0x40

  /// A function with the standard header (type 0).
  public init(name: String, identity: PCIIdentity, interruptPin: UInt8 = 0, isMultifunction: Bool = false) {
    self.name = name
    self.identity = identity
    self.interruptPin = interruptPin
    for array in [bytes, writeMasks, clearOnWriteMasks, resetValues] {
      array.initialize(repeating: 0, count: 256)
    }
    typealias Offset = PCIConfigurationOffset
    define(Offset.vendorID, identity.vendor)
    define(Offset.deviceID, identity.device)
    define(
      Offset.command, UInt16(0),
      writable: PCICommand([.ioSpace, .memorySpace, .busMaster, .interruptDisable, .systemErrorEnable])
        .rawValue)
    define(Offset.status, UInt16(0))
    clearOnWriteMasks[Offset.status + 1] = 0xF9
    define(Offset.revisionID, identity.revision)
    define(Offset.programmingInterface, UInt8(truncatingIfNeeded: identity.classCode))
    define(Offset.subclass, UInt8(truncatingIfNeeded: identity.classCode >> 8))
    define(Offset.baseClass, UInt8(truncatingIfNeeded: identity.classCode >> 16))
    define(Offset.cacheLineSize, UInt8(0), writable: 0xFF)
    define(Offset.latencyTimer, UInt8(0), writable: 0xFF)
    define(Offset.headerType, UInt8(isMultifunction ? 0x80 : 0))
    define(Offset.subsystemVendorID, identity.subsystemVendor)
    define(Offset.subsystemID, identity.subsystem)
    define(Offset.interruptLine, UInt8(0), writable: 0xFF)
    define(Offset.interruptPin, interruptPin)
  }

  deinit {
    for array in [bytes, writeMasks, clearOnWriteMasks, resetValues] { array.deallocate() }
  }

  // MARK: Building the configuration space

  /// Gives the register at `offset` its value after reset and says which of its bits the guest may write.
  public func define<Value: FixedWidthInteger & UnsignedInteger>(
    _ offset: Int, _ value: Value, writable: Value = 0, clearOnWrite: Value = 0
  ) {
    for index in 0..<(Value.bitWidth / 8) where offset >= 0 && offset + index < 256 {
      let shift = index * 8
      resetValues[offset + index] = UInt8(truncatingIfNeeded: value >> shift)
      bytes[offset + index] = resetValues[offset + index]
      writeMasks[offset + index] = UInt8(truncatingIfNeeded: writable >> shift)
      clearOnWriteMasks[offset + index] = UInt8(truncatingIfNeeded: clearOnWrite >> shift)
    }
  }

  /// Adds a base address register for I/O ports. `index` is 0 … 5; the window's size must be a power of two
  /// of at least 4.
  public func addPortBAR(_ index: Int, window: AddressWindow) {
    add(
      PCIBaseAddressRegister(
        offset: PCIConfigurationOffset.baseAddress0 + index * 4, byteCount: window.count,
        target: .ports(window),
        typeBits: 1))
  }

  /// Adds a base address register for memory: the region is moved, shown and hidden as the guest programs
  /// it. Its size must be a power of two of at least 16. A 64-bit register takes `index` and the next.
  public func addMemoryBAR(
    _ index: Int, region: MemoryRegion, isPrefetchable: Bool = false, is64Bit: Bool = false
  ) {
    add(
      PCIBaseAddressRegister(
        offset: PCIConfigurationOffset.baseAddress0 + index * 4, byteCount: region.count,
        target: .memory(region),
        typeBits: (isPrefetchable ? 8 : 0) | (is64Bit ? 4 : 0), is64Bit: is64Bit))
  }

  /// Adds the expansion ROM register (PCI 3.0, section 6.2.5.2). The region's size must be a power of two of
  /// at least 2 KiB.
  public func addROM(region: MemoryRegion) {
    add(
      PCIBaseAddressRegister(
        offset: PCIConfigurationOffset.expansionROM, byteCount: region.count, target: .memory(region),
        typeBits: 0, isROM: true))
  }

  private func add(_ register: PCIBaseAddressRegister) {
    baseAddressRegisters.append(register)
    define(register.offset, register.typeBits, writable: register.lowMask)
    if register.is64Bit { define(register.offset + 4, UInt32(0), writable: register.highMask) }
  }

  /// Adds a capability of `count` bytes (with its two-byte header) to the list; returns its offset.
  public func addCapability(id: UInt8, count: Int) -> Int {
    let offset = nextCapability
    nextCapability += (count + 3) & ~3
    define(offset, id)
    define(offset + 1, resetValues[PCIConfigurationOffset.capabilitiesPointer])
    define(PCIConfigurationOffset.capabilitiesPointer, UInt8(offset))
    define(PCIConfigurationOffset.status, statusAtReset.union(.capabilities).rawValue)
    clearOnWriteMasks[PCIConfigurationOffset.status + 1] = 0xF9
    return offset
  }

  private var statusAtReset: PCIStatus {
    PCIStatus(
      rawValue: UInt16(resetValues[PCIConfigurationOffset.status])
        | UInt16(resetValues[PCIConfigurationOffset.status + 1]) << 8)
  }

  // MARK: The device's side

  /// A register of configuration space as the device sees it.
  public subscript<Value: FixedWidthInteger & UnsignedInteger>(offset: Int, as type: Value.Type) -> Value {
    get {
      var value: Value = 0
      for index in 0..<(Value.bitWidth / 8) where offset >= 0 && offset + index < 256 {
        value |= Value(bytes[offset + index]) << (index * 8)
      }
      return value
    }
    set {
      for index in 0..<(Value.bitWidth / 8) where offset >= 0 && offset + index < 256 {
        bytes[offset + index] = UInt8(truncatingIfNeeded: newValue >> (index * 8))
      }
    }
  }

  /// The command register.
  public var command: PCICommand {
    PCICommand(rawValue: self[PCIConfigurationOffset.command, as: UInt16.self])
  }

  /// Whether the function may start DMA.
  public var isBusMaster: Bool { command.contains(.busMaster) }

  /// Asserts or deasserts the function's INTx pin.
  public func setInterrupt(_ asserted: Bool) {
    guard asserted != isAsserted else { return }
    isAsserted = asserted
    showInterruptStatus()
    updateInterrupt()
  }

  private func showInterruptStatus() {
    let bit = UInt8(truncatingIfNeeded: PCIStatus.interrupt.rawValue)
    let low = bytes[PCIConfigurationOffset.status]
    bytes[PCIConfigurationOffset.status] = isAsserted ? low | bit : low & ~bit
  }

  private func updateInterrupt() {
    let wanted = isAsserted && !command.contains(.interruptDisable)
    guard interruptPin != 0, wanted != holdsLine, let bus else { return }
    holdsLine = wanted
    bus.setInterrupt(device: address.device, pin: interruptPin, isRaised: wanted)
  }

  // MARK: The guest's side

  /// Reads configuration space; the access stays inside one dword. Override to compute registers.
  open func readConfiguration(_ offset: Int, _ width: AccessWidth) -> UInt32 {
    var value: UInt32 = 0
    for index in 0..<width.count where offset >= 0 && offset + index < 256 {
      value |= UInt32(bytes[offset + index]) << UInt32(index * 8)
    }
    return value
  }

  /// Writes configuration space; the access stays inside one dword. Only writable bits change. Override, and
  /// call super, to act on registers.
  open func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    for index in 0..<width.count where offset >= 0 && offset + index < 256 {
      let position = offset + index
      let byte = UInt8(truncatingIfNeeded: value >> UInt32(index * 8))
      let mask = writeMasks[position]
      bytes[position] = (bytes[position] & ~mask | byte & mask) & ~(byte & clearOnWriteMasks[position])
    }
    let touched = offset..<(offset + width.count)
    if touched.overlaps(PCIConfigurationOffset.command..<PCIConfigurationOffset.status) {
      updateInterrupt()
      updateMappings()
    } else if touched.overlaps(PCIConfigurationOffset.baseAddress0..<0x28)
      || touched.overlaps(PCIConfigurationOffset.expansionROM..<PCIConfigurationOffset.capabilitiesPointer)
    {
      updateMappings()
    }
  }

  /// Brings configuration space to its values after reset, which unmaps all windows.
  open func resetConfiguration() {
    bytes.update(from: resetValues, count: 256)
    isAsserted = false
    updateInterrupt()
    updateMappings()
  }

  // MARK: Mapping

  func plugIn(to bus: PCIBus, at address: PCIAddress) {
    self.bus = bus
    self.address = address
    for register in baseAddressRegisters {
      if case .memory(let region) = register.target {
        bus.memory.add(region)
        bus.memory.update(region, isEnabled: false)
      }
    }
    updateMappings()
    updateInterrupt()
  }

  /// Where a register asks its window to be, or nil while it must not answer.
  private func wantedBase(of register: PCIBaseAddressRegister) -> UInt64? {
    let low = self[register.offset, as: UInt32.self]
    switch register.target {
    case .ports:
      guard command.contains(.ioSpace) else { return nil }
      let base = UInt64(low & ~3)
      // Address 0 is "not assigned yet"; a window past 64 KiB is nowhere.
      return base == 0 || base + register.byteCount > 0x10000 ? nil : base
    case .memory:
      guard command.contains(.memorySpace) else { return nil }
      if register.isROM && low & 1 == 0 { return nil }
      var base = UInt64(low & (register.isROM ? ~0x7FF : ~0xF))
      if register.is64Bit { base |= UInt64(self[register.offset + 4, as: UInt32.self]) << 32 }
      // All ones but the size bits is what sizing leaves behind; the top of the address space cannot hold
      // a window that ends beyond it.
      let limit: UInt64 = register.is64Bit ? 1 << 52 : 1 << 32
      return base == 0 || base &+ register.byteCount >= limit || base >= limit ? nil : base
    }
  }

  private func updateMappings() {
    guard let bus else { return }
    bus.memory.transaction {
      for register in baseAddressRegisters {
        let wanted = wantedBase(of: register)
        guard wanted != register.mappedBase else { continue }
        let wasMapped = register.mappedBase != nil
        register.mappedBase = wanted
        switch register.target {
        case .ports(let window):
          if wasMapped { bus.ports.unmap(window) }
          if let wanted { bus.ports.map(window, at: UInt16(truncatingIfNeeded: wanted)) }
        case .memory(let region):
          bus.memory.update(region, base: wanted.map { GuestAddress($0) }, isEnabled: wanted != nil)
        }
      }
    }
  }

  /// What one base address register shows, for monitors.
  public struct Region: Sendable {
    /// 0 … 5, or 6 for the expansion ROM.
    public let index: Int
    public let isMemory: Bool
    /// Where it is; nil while it does not answer.
    public let base: UInt64?
    public let byteCount: UInt64
    public let isPrefetchable: Bool
    public let is64Bit: Bool
  }

  /// The base address registers.
  public var regions: [Region] {
    baseAddressRegisters.map { register in
      var isMemory = false
      if case .memory = register.target { isMemory = true }
      return Region(
        index: register.isROM ? 6 : (register.offset - PCIConfigurationOffset.baseAddress0) / 4,
        isMemory: isMemory, base: register.mappedBase, byteCount: register.byteCount,
        isPrefetchable: isMemory && register.typeBits & 8 != 0, is64Bit: register.is64Bit)
    }
  }

  // MARK: State

  /// The configuration space and the INTx pin.
  public struct State: SavedState {
    public static let version = 1
    /// 256 bytes.
    public var configuration: [UInt8]
    /// Whether INTx is asserted by the device.
    public var isInterruptAsserted: Bool
  }

  /// The state for the device's own to include.
  public func saveConfiguration() -> State {
    State(
      configuration: Array(UnsafeBufferPointer(start: bytes, count: 256)), isInterruptAsserted: isAsserted)
  }

  /// Takes a saved configuration over: only bits the guest can change are taken, the identity stays.
  public func restoreConfiguration(_ state: State) throws(RestoreError) {
    guard state.configuration.count == 256 else {
      throw RestoreError("\(name): configuration space of \(state.configuration.count) bytes, not 256")
    }
    guard state.configuration[0..<4].elementsEqual(UnsafeBufferPointer(start: resetValues, count: 4)) else {
      throw RestoreError("\(name): the state belongs to another PCI device")
    }
    for index in 0..<256 {
      // Bits the device itself sets (status, its own registers) are not in the masks, so all of the device
      // area is taken; the type bits of base address registers and the identity are not.
      let isHeader =
        index < 0x40 && !(PCIConfigurationOffset.status..<PCIConfigurationOffset.revisionID).contains(index)
      let mask = isHeader ? writeMasks[index] : 0xFF
      bytes[index] = bytes[index] & ~mask | state.configuration[index] & mask
    }
    isAsserted = state.isInterruptAsserted
    showInterruptStatus()
    updateInterrupt()
    updateMappings()
  }
}
