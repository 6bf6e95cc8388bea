// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import GuestMemory

/// One IDE channel: two places for devices, the registers they share, the interrupt and the bus master.
final class IDEChannel: IDEChannelPort {
  let index: Int
  let busMaster: BusMaster
  /// Whether the PCI function may start DMA.
  var mayStartDMA: () -> Bool = { false }
  private let interrupt: InterruptLine
  private let trace: TraceCategory
  private(set) var devices: [IDEDevice?] = [nil, nil]
  private var selectedUnit = 0 { didSet { selected = devices[selectedUnit & 1] } }
  private var selected: IDEDevice?
  private var control: UInt8 = 0

  init(index: Int, memory: GuestMemory, interrupt: InterruptLine, trace: TraceCategory) {
    self.index = index
    self.interrupt = interrupt
    self.trace = trace
    busMaster = BusMaster(memory: memory)
  }

  func attach(_ drive: Drive, unit: Int) {
    devices[unit] =
      switch drive.kind {
      case .disk: ATADisk(drive: drive, unit: unit, channel: self, trace: trace)
      case .cdrom: ATAPICDROM(drive: drive, unit: unit, channel: self, trace: trace)
      }
    selected = devices[selectedUnit]
  }

  /// No device is there to drive the bus.
  private var isEmpty: Bool { devices[0] == nil && devices[1] == nil }

  // MARK: Command block

  func readCommandBlock(_ offset: Int, _ width: AccessWidth) -> UInt64 {
    if offset == CommandBlock.data { return selected?.readData(width) ?? width.allOnes }
    // Nobody drives the bus: pulled-up lines, but for bit 7, which is pulled down so that nobody is not busy forever.
    if isEmpty { return 0x7F }
    guard let device = selected else {
      // The other device answers: registers as zero, so that the absent one is neither busy nor ready.
      return offset == CommandBlock.device ? UInt64(DeviceRegister.obsolete | UInt8(selectedUnit) << 4) : 0
    }
    let file = device.taskFile
    let isHigh = control & DeviceControl.highOrderByte != 0
    func byte(_ register: UInt16) -> UInt64 { UInt64(isHigh ? register >> 8 : register & 0xFF) }
    switch offset {
    case CommandBlock.error: return UInt64(file.error)
    case CommandBlock.sectorCount: return byte(file.sectorCount)
    case CommandBlock.lbaLow: return byte(file.lbaLow)
    case CommandBlock.lbaMid: return byte(file.lbaMid)
    case CommandBlock.lbaHigh: return byte(file.lbaHigh)
    case CommandBlock.device:
      return UInt64(file.device & 0x4F | DeviceRegister.obsolete | UInt8(selectedUnit) << 4)
    default:
      device.lowerInterrupt()
      return UInt64(device.status.rawValue)
    }
  }

  func writeCommandBlock(_ offset: Int, _ value: UInt64, _ width: AccessWidth) {
    if offset == CommandBlock.data {
      selected?.writeData(value, width)
      return
    }
    let byte = UInt8(truncatingIfNeeded: value)
    // Writing any of these selects the low bytes again (ATA/ATAPI-6, section 7.8).
    control &= ~DeviceControl.highOrderByte
    if offset == CommandBlock.status { return command(byte) }
    if offset == CommandBlock.device {
      selectedUnit = byte & DeviceRegister.device1 != 0 ? 1 : 0
      updateInterruptLine()
    }
    // Both devices see the registers.
    devices[0]?.writeRegister(offset, byte)
    devices[1]?.writeRegister(offset, byte)
  }

  private func command(_ command: UInt8) {
    trace("ide\(index).\(selectedUnit) command \(hex(command))")
    // Devices held in reset take no commands, not even the two that interrupt others.
    guard control & DeviceControl.softwareReset == 0 else { return }
    // EXECUTE DEVICE DIAGNOSTIC is for both.
    if command == ATACommand.executeDeviceDiagnostic.rawValue {
      resetDevices()
      selectedUnit = 0
      devices[0]?.raiseInterrupt()
      return
    }
    guard let device = selected else { return }
    // Only DEVICE RESET is taken while busy, and only by packet devices (ATA/ATAPI-6, section 8.9).
    guard
      !device.status.contains(.busy) || command == ATACommand.deviceReset.rawValue && device is ATAPICDROM
    else { return }
    device.lowerInterrupt()
    if !device.status.contains(.busy) { device.dropDataPhase() }
    device.execute(command)
  }

  // MARK: Control block

  func readAlternateStatus() -> UInt64 {
    if isEmpty { return 0x7F }
    return UInt64(selected?.status.rawValue ?? 0)
  }

  func writeControl(_ value: UInt8) {
    let isReset = value & DeviceControl.softwareReset != 0
    let wasReset = control & DeviceControl.softwareReset != 0
    control = value
    if isReset && !wasReset {
      for case let device? in devices {
        device.resetDevice()
        device.status = .busy
      }
      selectedUnit = 0
    } else if !isReset && wasReset {
      resetDevices()
    }
    updateInterruptLine()
  }

  private func resetDevices() { for case let device? in devices { device.resetDevice() } }

  // MARK: Interrupt

  func deviceRaisedInterrupt(_ device: IDEDevice) { updateInterruptLine() }

  func deviceLoweredInterrupt(_ device: IDEDevice) { updateInterruptLine() }

  /// INTRQ is driven by the selected device alone, and not while nIEN is set. Its rising edge, whoever caused it, is
  /// what the bus master remembers (BMIDE 1.0, section 2.2).
  private func updateInterruptLine() {
    let isRaised = selected?.isInterruptPending == true && control & DeviceControl.interruptDisable == 0
    if isRaised && !interrupt.isRaised { busMaster.status |= BusMasterStatus.interrupt }
    interrupt.set(isRaised)
  }

  // MARK: Bus master

  func readBusMaster(_ offset: Int) -> UInt8 {
    switch offset {
    case BusMasterOffset.command: return busMaster.command
    case BusMasterOffset.status: return busMaster.status
    case BusMasterOffset.table..<BusMasterOffset.table + 4:
      return UInt8(truncatingIfNeeded: busMaster.table >> UInt32((offset & 3) * 8))
    default: return 0
    }
  }

  func writeBusMaster(_ offset: Int, _ value: UInt8) {
    switch offset {
    case BusMasterOffset.command:
      let wasStarted = busMaster.isStarted
      // The direction cannot change while it runs.
      busMaster.command =
        wasStarted && value & BusMasterCommand.start != 0
        ? busMaster.command : value & (BusMasterCommand.start | BusMasterCommand.toMemory)
      if busMaster.isStarted && !wasStarted {
        busMaster.begin()
        runDMA()
      } else if !busMaster.isStarted && wasStarted {
        stopDMA()
      }
    case BusMasterOffset.status:
      let cleared = value & (BusMasterStatus.error | BusMasterStatus.interrupt)
      busMaster.status =
        busMaster.status & ~cleared & ~BusMasterStatus.capabilities | value & BusMasterStatus.capabilities
    case BusMasterOffset.table..<BusMasterOffset.table + 4:
      let shift = UInt32((offset & 3) * 8)
      busMaster.table = (busMaster.table & ~(0xFF << shift) | UInt32(value) << shift) & ~3
    default: break
    }
  }

  func deviceWantsDMA(_ device: IDEDevice) { runDMA() }

  private func runDMA() {
    guard busMaster.isStarted, busMaster.status & BusMasterStatus.active != 0, let device = selected,
      device.wantsDMA
    else { return }
    device.wantsDMA = false
    if mayStartDMA() {
      device.startDMA()
    } else {
      device.wantsDMA = !device.readWithoutBusMaster()
    }
  }

  private func stopDMA() {
    devices[0]?.busMasterStopped()
    devices[1]?.busMasterStopped()
    busMaster.status &= ~BusMasterStatus.active
  }

  // MARK: Life

  func reset() {
    for case let device? in devices { device.resetHardware() }
    busMaster.reset()
    control = 0
    selectedUnit = 0
    updateInterruptLine()
  }

  /// The channel's own registers.
  struct State: Codable, Equatable, Sendable {
    var selectedUnit: Int
    var control: UInt8
    var busMaster: BusMaster.State
    var disks: [ATADisk.State?]
    var cdroms: [ATAPICDROM.State?]
  }

  func save() -> State {
    State(
      selectedUnit: selectedUnit, control: control, busMaster: busMaster.save(),
      disks: devices.map { ($0 as? ATADisk)?.save() }, cdroms: devices.map { ($0 as? ATAPICDROM)?.save() })
  }

  func restore(_ state: State) throws(RestoreError) {
    guard state.disks.count == 2, state.cdroms.count == 2 else {
      throw RestoreError("ide channel \(index): the state is not that of two devices")
    }
    for unit in 0..<2 {
      switch devices[unit] {
      case let disk as ATADisk:
        guard let saved = state.disks[unit] else {
          throw RestoreError("ide\(index).\(unit): the state has no disk here")
        }
        try disk.restore(saved)
      case let cdrom as ATAPICDROM:
        guard let saved = state.cdroms[unit] else {
          throw RestoreError("ide\(index).\(unit): the state has no CD-ROM here")
        }
        try cdrom.restore(saved)
      default:
        guard state.disks[unit] == nil, state.cdroms[unit] == nil else {
          throw RestoreError("ide\(index).\(unit): the state has a device where this machine has none")
        }
      }
    }
    selectedUnit = state.selectedUnit & 1
    control = state.control
    updateInterruptLine()
    // After the line, whose edge is none of the guest's.
    busMaster.restore(state.busMaster)
  }

  /// Makes requests again that were in flight when the state was saved.
  func run() { for case let device? in devices where device.mustReissue { device.reissue() } }
}
