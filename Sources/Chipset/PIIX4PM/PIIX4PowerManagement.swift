// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI

/// The power management function of the PIIX4 (82371AB, function 3) as QEMU's boards have it beside a PIIX3: ACPI's PM1
/// and GPE registers, the PM timer, soft-off, the APM port that switches ACPI on, and an SMBus with nobody on it.
public final class PIIX4PowerManagement: PCIFunction, RegisterFile, Device {
  /// The windows: the block at PMBA, the one at SMBBA, the APM ports, and general purpose events.
  public enum Window {
    case powerManagement
    case smbus
    case apm
    case generalPurposeEvents
  }

  public let deviceName = "piix4-pm"
  /// Where the GPE block is, as the FADT says.
  public static let generalPurposeEventBase: UInt16 = 0xAFE0

  private let clock: Clock
  private let sci: InterruptLine
  private let control: any SystemControl
  private let ports: PortSpace
  private var timer: Clock.Timer?

  private var pm1Status: PM1Event = []
  private var pm1Enable: PM1Event = []
  private var pm1Control: UInt16 = 0
  private var gpeStatus: UInt16 = 0
  private var gpeEnable: UInt16 = 0
  private var apm: [UInt8] = [0, 0]
  private var smbus = SMBusHost()
  /// Changes of the timer's highest bit already told in PM1 status.
  private var timerChanges: UInt64 = 0

  /// A window and where the guest has put it.
  private struct Mapped {
    let base: UInt16
    let window: AddressWindow
  }
  private var powerManagementWindow: Mapped?
  private var smbusWindow: Mapped?

  /// The function; `sci` is ISA IRQ 9.
  public init(clock: Clock, ports: PortSpace, sci: InterruptLine, control: any SystemControl) {
    self.clock = clock
    self.ports = ports
    self.sci = sci
    self.control = control
    super.init(
      name: "piix4-pm",
      identity: PCIIdentity(vendor: 0x8086, device: 0x7113, revision: 3, classCode: 0x068000),
      interruptPin: 1)
    typealias Configuration = PIIX4PMConfiguration
    define(
      PCIConfigurationOffset.status, PCIStatus([.fastBackToBack, .devselMedium]).rawValue,
      clearOnWrite: 0xF900)
    define(Configuration.powerManagementBase, UInt32(1), writable: 0xFFC0)
    // The bit is on from the start: firmware takes that as "SMM is set up already", and does not wait for an SMI that
    // never comes, as on QEMU's machines without SMM.
    define(Configuration.deviceActivityB, Configuration.apmcEnable, writable: 0xFFFF_FFFF)
    define(Configuration.deviceResources, UInt32(0), writable: 0xFFFF_FFFF)
    define(Configuration.powerManagementMisc, UInt8(0), writable: 1)
    define(Configuration.smbusBase, UInt32(1), writable: 0xFFF0)
    define(Configuration.smbusHostConfiguration, UInt8(0), writable: 0x0F)
    timer = clock.makeTimer { [unowned self] in updateSCI() }
  }

  /// Maps what has a fixed address: the APM and GPE ports.
  public func map() {
    ports.map(RegisterWindow(self, .apm, name: "apm", count: 2), at: APM.control)
    ports.map(
      RegisterWindow(self, .generalPurposeEvents, name: "acpi-gpe0", count: 4),
      at: Self.generalPurposeEventBase)
  }

  /// The base of the power management block, if the firmware has switched it on.
  public var powerManagementBase: UInt16? {
    guard self[PIIX4PMConfiguration.powerManagementMisc, as: UInt8.self] & 1 != 0 else { return nil }
    let base = self[PIIX4PMConfiguration.powerManagementBase, as: UInt16.self] & 0xFFC0
    return base == 0 ? nil : base
  }

  private var smbusBase: UInt16? {
    guard self[PIIX4PMConfiguration.smbusHostConfiguration, as: UInt8.self] & 1 != 0 else { return nil }
    let base = self[PIIX4PMConfiguration.smbusBase, as: UInt16.self] & 0xFFF0
    return base == 0 ? nil : base
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    super.writeConfiguration(offset, value, width)
    if offset >= PIIX4PMConfiguration.powerManagementBase { updateMapping() }
  }

  private func updateMapping() {
    move(&powerManagementWindow, to: powerManagementBase) {
      RegisterWindow(self, .powerManagement, name: "acpi-pm", count: 64, widest: .dword)
    }
    move(&smbusWindow, to: smbusBase) {
      RegisterWindow(self, .smbus, name: "smbus", count: UInt64(SMBusHost.portCount))
    }
  }

  /// Takes a window from where it is and puts it at `base`.
  private func move(_ mapped: inout Mapped?, to base: UInt16?, make: () -> AddressWindow) {
    guard mapped?.base != base else { return }
    if let mapped { ports.unmap(mapped.window) }
    mapped = base.map { Mapped(base: $0, window: make()) }
    if let mapped { ports.map(mapped.window, at: mapped.base) }
  }

  // MARK: Registers

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .powerManagement:
      // The timer is read whole, and often.
      if offset == PIIX4PMOffset.pmTimer && width == .dword { return UInt64(PMTimer.value(at: clock.now)) }
      var value: UInt64 = 0
      for index in 0..<width.count { value |= UInt64(readByte(offset + index)) << UInt64(index * 8) }
      return value
    case .smbus: return UInt64(smbus.read(offset))
    case .apm: return UInt64(apm[offset & 1])
    case .generalPurposeEvents:
      return UInt64(bytes(offset < 2 ? gpeStatus : gpeEnable, offset & 1))
    }
  }

  private func bytes(_ value: UInt16, _ index: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: value >> UInt16(index * 8))
  }

  private func readByte(_ offset: Int) -> UInt8 {
    switch offset {
    case PIIX4PMOffset.pm1Status, PIIX4PMOffset.pm1Status + 1:
      noteTimer()
      return bytes(pm1Status.rawValue, offset)
    case PIIX4PMOffset.pm1Enable, PIIX4PMOffset.pm1Enable + 1: return bytes(pm1Enable.rawValue, offset & 1)
    case PIIX4PMOffset.pm1Control, PIIX4PMOffset.pm1Control + 1: return bytes(pm1Control, offset & 1)
    case PIIX4PMOffset.pmTimer..<PIIX4PMOffset.pmTimer + 4:
      return UInt8(truncatingIfNeeded: PMTimer.value(at: clock.now) >> UInt32((offset & 3) * 8))
    default: return 0
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .powerManagement:
      for index in 0..<width.count {
        writeByte(offset + index, UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
      }
      updateSCI()
    case .smbus: smbus.write(offset, UInt8(truncatingIfNeeded: value))
    case .apm:
      apm[offset & 1] = UInt8(truncatingIfNeeded: value)
      if offset == 0 { switchACPI(UInt8(truncatingIfNeeded: value)) }
    case .generalPurposeEvents:
      let shift = UInt16(offset & 1) * 8
      let byte = UInt16(truncatingIfNeeded: value & 0xFF) << shift
      if offset < 2 { gpeStatus &= ~byte } else { gpeEnable = gpeEnable & ~(0xFF << shift) | byte }
      updateSCI()
    }
  }

  private func writeByte(_ offset: Int, _ value: UInt8) {
    let shift = UInt16(offset & 1) * 8
    let byte = UInt16(value) << shift
    switch offset {
    case PIIX4PMOffset.pm1Status, PIIX4PMOffset.pm1Status + 1:
      noteTimer()
      pm1Status.subtract(PM1Event(rawValue: byte))
    case PIIX4PMOffset.pm1Enable, PIIX4PMOffset.pm1Enable + 1:
      pm1Enable = PM1Event(rawValue: pm1Enable.rawValue & ~(0xFF << shift) | byte)
        .intersection(.all)
    case PIIX4PMOffset.pm1Control, PIIX4PMOffset.pm1Control + 1:
      pm1Control = (pm1Control & ~(0xFF << shift) | byte) & PM1Control.writable
      // SLP_EN is in the high byte: the type is whole by then. It reads as zero.
      if byte & PM1Control.sleepEnable != 0 { sleep() }
    default: break
    }
  }

  /// SLP_EN starts what SLP_TYP names; the DSDT offers soft-off only. Other types are ignored.
  private func sleep() {
    switch pm1Control >> PM1Control.sleepTypeShift & 7 {
    case PM1Control.softOff, PM1Control.suspendToDisk: control.requestShutdown(.guestPowerOff)
    default: break
    }
  }

  private func switchACPI(_ value: UInt8) {
    switch value {
    case APM.acpiEnable: pm1Control |= PM1Control.sciEnable
    case APM.acpiDisable: pm1Control &= ~PM1Control.sciEnable
    default: break
    }
    updateSCI()
  }

  // MARK: Events

  /// The power button: the guest is asked to switch itself off.
  public func pressPowerButton() {
    pm1Status.insert(.powerButton)
    updateSCI()
  }

  /// Sets TMR_STS if the timer's highest bit changed since the last look.
  private func noteTimer() {
    let count = PMTimer.nextChange(after: clock.now).count
    if count != timerChanges { pm1Status.insert(.timer) }
    timerChanges = count
  }

  private func updateSCI() {
    noteTimer()
    let isPending = !pm1Status.isDisjoint(with: pm1Enable) || gpeStatus & gpeEnable != 0
    sci.set(isPending && pm1Control & PM1Control.sciEnable != 0)
    // The clock is only watched while somebody wants to know.
    if pm1Enable.contains(.timer) && !pm1Status.contains(.timer) {
      timer?.arm(at: PMTimer.nextChange(after: clock.now).time)
    } else {
      timer?.disarm()
    }
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    pm1Status = []
    pm1Enable = []
    pm1Control = 0
    gpeStatus = 0
    gpeEnable = 0
    apm = [0, 0]
    smbus = SMBusHost()
    timerChanges = PMTimer.nextChange(after: clock.now).count
    updateMapping()
    updateSCI()
  }

  /// All registers.
  public struct State: SavedState {
    public static let version = 1
    public var configuration: PCIFunction.State
    public var pm1Status: UInt16
    public var pm1Enable: UInt16
    public var pm1Control: UInt16
    public var gpeStatus: UInt16
    public var gpeEnable: UInt16
    public var apm: [UInt8]
    var smbus: SMBusHost
    public var timerChanges: UInt64
  }

  public func save() -> State {
    noteTimer()
    return State(
      configuration: saveConfiguration(), pm1Status: pm1Status.rawValue, pm1Enable: pm1Enable.rawValue,
      pm1Control: pm1Control, gpeStatus: gpeStatus, gpeEnable: gpeEnable, apm: apm, smbus: smbus,
      timerChanges: timerChanges)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.apm.count == 2 else {
      throw RestoreError("piix4-pm: \(state.apm.count) APM registers, not 2")
    }
    guard state.smbus.isValid else { throw RestoreError("piix4-pm: SMBus registers are missing") }
    try restoreConfiguration(state.configuration)
    pm1Status = PM1Event(rawValue: state.pm1Status).intersection(.all)
    pm1Enable = PM1Event(rawValue: state.pm1Enable).intersection(.all)
    pm1Control = state.pm1Control & PM1Control.writable
    gpeStatus = state.gpeStatus
    gpeEnable = state.gpeEnable
    apm = state.apm
    smbus = state.smbus
    timerChanges = state.timerChanges
    updateMapping()
    updateSCI()
  }
}
