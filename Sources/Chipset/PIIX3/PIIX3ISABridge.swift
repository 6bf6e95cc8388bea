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
  private var resetControl: ResetControlBits = []

  /// IRQs that PIRQRC may name (2.2.10): not the timer's, keyboard's, cascade, RTC's or FPU's.
  private static let routable: Set<Int> = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15]

  /// The bridge; `irqs` are the 16 lines of the interrupt controllers that PCI interrupts are to arrive on.
  public init(irqs: [InterruptLine], control: any SystemControl) {
    self.irqs = irqs
    self.control = control
    super.init(
      name: "piix3", identity: PCIIdentity(vendor: 0x8086, device: 0x7000, classCode: 0x060100),
      isMultifunction: true)
    for line in 0..<4 { define(PIIX3Register.pirqRouting + line, UInt8(0x80), writable: 0x8F) }
    define(PIIX3Register.ioRecovery, UInt8(0x4D), writable: 0xFF)
    define(PIIX3Register.xBusChipSelect, UInt16(0x0003), writable: 0xFFFF)
    define(PIIX3Register.topOfMemory, UInt8(0x02), writable: 0xFE)
    define(PIIX3Register.misc, UInt16(0), writable: 0x00B3)
    define(PIIX3Register.apicBase, UInt8(0), writable: 0x7F)
    define(PIIX3Register.deterministicLatency, UInt8(0), writable: 0x0F)
    define(PIIX3Register.smiControl, UInt8(0x08), writable: 0x1F)
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
    let register = self[PIIX3Register.pirqRouting + line, as: UInt8.self]
    let irq = Int(register & 0x0F)
    return register & 0x80 == 0 && Self.routable.contains(irq) ? irq : nil
  }

  private func updateIRQs() {
    var raised: UInt16 = 0
    for line in 0..<4 where lines[line] {
      if let irq = irq(ofLine: line) { raised |= 1 << UInt16(irq) }
    }
    for (number, line) in irqs.enumerated() { line.set(raised >> UInt16(number) & 1 != 0) }
  }

  // MARK: Reset control

  /// The byte registers among the ports of CONFIG_ADDRESS: only 0xCF9 is one.
  private final class ResetWindow: AddressWindow {
    unowned let bridge: PIIX3ISABridge
    init(_ bridge: PIIX3ISABridge) {
      self.bridge = bridge
      super.init(name: "reset-control", count: 4, widest: .dword)
    }
    override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
      offset == 1 && width == .byte ? UInt64(bridge.resetControl.rawValue) : width.allOnes
    }
    override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
      if offset == 1 && width == .byte { bridge.writeResetControl(UInt8(truncatingIfNeeded: value)) }
    }
  }

  /// What answers at port 0xCF9, for ``PCIConfigurationMechanism/narrowAccess``.
  public func makeResetWindow() -> AddressWindow { ResetWindow(self) }

  private func writeResetControl(_ value: UInt8) {
    let new = ResetControlBits(rawValue: value & 0x06)
    let isEdge = new.contains(.reset) && !resetControl.contains(.reset)
    resetControl = new
    guard isEdge else { return }
    if new.contains(.system) { control.requestReset(.guest) } else { control.requestCPUInit() }
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    lines = [false, false, false, false]
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
    resetControl = ResetControlBits(rawValue: state.resetControl & 0x06)
    updateIRQs()
  }
}
