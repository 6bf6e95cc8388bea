// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI

/// The ISA bridge of the PIIX3 (82371SB, function 0): it routes the four PCI interrupt lines to ISA IRQs, and
/// holds the reset control register.
public final class PIIX3ISABridge: PCIFunction, InterruptSink, Device {
  public let deviceName = "piix3"
  /// The 16 ISA IRQs, each a wire shared by the PCI lines routed to it.
  private let irqs: [InterruptLine]
  private let control: any SystemControl
  /// The levels of PIRQA# … PIRQD#, true when asserted.
  private var lines = [false, false, false, false]
  /// The ISA IRQs held for PCI lines, a bit each.
  private var raised: UInt16 = 0
  private var resetControl: ResetControlBits = []

  /// IRQs that PIRQRC may name, a bit each: 3 … 7, 9 … 12, 14 and 15.
  private static let routable: UInt16 = 0xDEF8

  /// The bridge; `irqs` are the 16 lines of the interrupt controllers that PCI interrupts are to arrive on.
  public init(irqs: [InterruptLine], control: any SystemControl) {
    self.irqs = irqs
    self.control = control
    super.init(
      name: "piix3", identity: PCIIdentity(vendor: 0x8086, device: 0x7000, classCode: 0x060100),
      isMultifunction: true)
    defineRegisters()
  }

  /// Registers other than PIRQRC keep what is written, and do nothing: what they select is always there.
  private func defineRegisters() {
    typealias Register = PIIX3Register
    // It always answers ports and memory addresses.
    let fixed: PCICommand = [.ioSpace, .memorySpace]
    define(
      PCIConfigurationOffset.command, fixed.union(.busMaster).rawValue,
      writable: PCICommand([.busMaster, .specialCycles]).rawValue)
    define(PCIConfigurationOffset.status, PCIStatus.devselMedium.rawValue, clearOnWrite: 0xF900)
    define(Register.ioRecovery, UInt8(0x4D), writable: 0xFF)
    define(Register.xBusChipSelect, UInt16(0x0003), writable: 0x01FF)
    for line in 0..<4 { define(Register.pirqRouting + line, Register.pirqDisabled, writable: 0x8F) }
    define(Register.topOfMemory, UInt8(0x02), writable: 0xFE)
    define(Register.miscellaneousStatus, UInt16(0), writable: 0x80B1)
    define(Register.motherboardIRQ, UInt8(0x80), writable: 0xEF)
    define(Register.motherboardDMA, UInt16(0x0C0C), writable: 0x8F8F)
    define(Register.programmableChipSelect, UInt16(0x0002), writable: 0xFFFF)
    define(Register.apicBase, UInt8(0), writable: 0x7F)
    define(Register.deterministicLatency, UInt8(0), writable: 0x0F)
    define(Register.smiControl, UInt8(0x08), writable: 0x1F)
    define(Register.smiEnable, UInt16(0), writable: 0x01FF)
    define(Register.fastOffTimer, UInt8(0x0F), writable: 0xFF)
  }

  // MARK: Interrupt routing

  /// PIRQA# … PIRQD# are lines 0 … 3.
  public func setInterruptLine(_ number: Int, isRaised: Bool) {
    guard lines.indices.contains(number) else { return }
    lines[number] = isRaised
    updateIRQs()
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    super.writeConfiguration(offset, value, width)
    if offset + width.count > PIIX3Register.pirqRouting && offset < PIIX3Register.pirqRouting + 4 {
      updateIRQs()
    }
  }

  /// The ISA IRQ that a PCI line goes to; nil if its routing is off.
  public func irq(ofLine line: Int) -> Int? {
    guard lines.indices.contains(line) else { return nil }
    let register = self[PIIX3Register.pirqRouting + line, as: UInt8.self]
    let irq = Int(register & 0x0F)
    let isRouted = register & PIIX3Register.pirqDisabled == 0 && Self.routable >> UInt16(irq) & 1 != 0
    return isRouted ? irq : nil
  }

  private func updateIRQs() {
    var wanted: UInt16 = 0
    for line in 0..<4 where lines[line] {
      if let irq = irq(ofLine: line) { wanted |= 1 << UInt16(irq) }
    }
    var changed = wanted ^ raised
    raised = wanted
    while changed != 0 {
      let number = changed.trailingZeroBitCount
      changed &= changed - 1
      if number < irqs.count { irqs[number].set(wanted >> UInt16(number) & 1 != 0) }
    }
  }

  // MARK: Reset control

  /// The byte registers among the ports of CONFIG_ADDRESS: only 0xCF9 is one.
  private final class ResetWindow: AddressWindow {
    private static let resetControl: UInt64 = 1
    private unowned let bridge: PIIX3ISABridge
    init(_ bridge: PIIX3ISABridge) {
      self.bridge = bridge
      super.init(name: "reset-control", count: 4)
    }
    override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
      offset == Self.resetControl ? UInt64(bridge.resetControl.rawValue) : width.allOnes
    }
    override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
      if offset == Self.resetControl { bridge.writeResetControl(UInt8(truncatingIfNeeded: value)) }
    }
  }

  /// What answers at port 0xCF9, for ``PCIConfigurationMechanism/narrowAccess``. The bridge must outlive it.
  public func makeResetWindow() -> AddressWindow { ResetWindow(self) }

  /// RCPU does not stay: a CPU that was reset may reset itself again with one write.
  private func writeResetControl(_ value: UInt8) {
    let new = ResetControlBits(rawValue: value)
    resetControl = new.intersection(.system)
    guard new.contains(.reset) else { return }
    if new.contains(.system) { control.requestReset(.guest) } else { control.requestCPUInit() }
  }

  // MARK: Life

  public func reset() {
    // The levels of the PCI lines are the devices', which reset themselves.
    resetConfiguration()
    resetControl = []
    updateIRQs()
  }

  /// The configuration space, the levels of the PCI lines and the reset control register.
  public struct State: SavedState {
    public static let version = 1
    public var configuration: PCIFunction.State
    public var lines: [Bool]
    public var resetControl: UInt8
  }

  public func save() -> State {
    State(configuration: saveConfiguration(), lines: lines, resetControl: resetControl.rawValue)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.lines.count == 4 else {
      throw RestoreError("piix3: \(state.lines.count) PCI interrupt lines, not 4")
    }
    try restoreConfiguration(state.configuration)
    lines = state.lines
    resetControl = ResetControlBits(rawValue: state.resetControl).intersection(.system)
    updateIRQs()
  }
}
