// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI

/// Which UHCI it is: the same controller in several chips.
public enum UHCIModel: String, CaseIterable, Sendable {
  case piix3 = "piix3-usb-uhci"
  case piix4 = "piix4-usb-uhci"
  case ich9First = "ich9-usb-uhci1"
  case ich9Second = "ich9-usb-uhci2"
  case ich9Third = "ich9-usb-uhci3"
  case ich9Fourth = "ich9-usb-uhci4"
  case ich9Fifth = "ich9-usb-uhci5"
  case ich9Sixth = "ich9-usb-uhci6"

  var identity: PCIIdentity {
    let (device, revision): (UInt16, UInt8) =
      switch self {
      case .piix3: (0x7020, 1)
      case .piix4: (0x7112, 1)
      case .ich9First: (0x2934, 3)
      case .ich9Second: (0x2935, 3)
      case .ich9Third: (0x2936, 3)
      case .ich9Fourth: (0x2937, 3)
      case .ich9Fifth: (0x2938, 3)
      case .ich9Sixth: (0x2939, 3)
      }
    return PCIIdentity(vendor: 0x8086, device: device, revision: revision, classCode: 0x0C0300)
  }

  /// INTA is 1.
  var interruptPin: UInt8 {
    switch self {
    case .piix3, .piix4: 4
    case .ich9First, .ich9Fourth: 1
    case .ich9Second, .ich9Fifth: 2
    case .ich9Third, .ich9Sixth: 3
    }
  }
}

/// Intel's Universal Host Controller: two ports of full and low speed, and a schedule in memory that it walks every
/// millisecond, as long as there is something to do (UHCI Design Guide 1.1; 82371SB data sheet, sections 2.4 and 4.2).
public final class UHCI: PCIFunction, RegisterFile, Device, USBRootHub, USBTransferOwner {
  /// It has one window, BAR 4.
  public typealias Window = Void

  public static let portCount = 2
  public static let speeds: USBSpeeds = [.low, .full]

  public let deviceName: String
  let trace = TraceCategory("uhci")
  public var traceCategories: [TraceCategory] { [trace] }
  let memory: GuestMemory
  let clock: Clock
  /// Its two sockets: its own, or those it shares with an EHCI.
  public let ports: [USBPort]
  var portStatus: [UHCIPortStatus]

  var usbCommand: UHCICommand = []
  var status: UHCIStatus = []
  /// Why USBINT is set; each cause is enabled by itself.
  var causes: UHCIInterruptEnable = []
  var interruptEnable: UHCIInterruptEnable = []
  var frameListBase: UInt32 = 0
  var startOfFrameModify: UInt8 = Default.startOfFrameModify
  var frames = UHCIFrames()
  var backoff = USBIdleBackoff(quickLooks: 16)
  /// What the present frame still lets through, in bytes.
  var frameBytesLeft = UHCI.frameByteCount
  private(set) lazy var frameTimer = clock.makeTimer { [unowned self] in frameTimerFired() }
  private(set) lazy var transfers = USBTransferSlots(memory: memory, owner: self, segmentCapacity: 1)
  let visits = USBVisits()

  private enum Default {
    static let startOfFrameModify: UInt8 = 0x40
  }

  /// A controller.
  /// - Parameters:
  ///   - name: its name on the board.
  ///   - memory: where its schedule and buffers are.
  ///   - clock: what its frames go by.
  ///   - sharedPorts: two ports of an EHCI, of which this is a companion; it shows a device there while it is the
  ///     port's host. Otherwise it has two of its own.
  ///   - isMultifunction: whether the slot has more functions, which function 0 says.
  public init(
    _ model: UHCIModel, name: String, memory: GuestMemory, clock: Clock, sharedPorts: [USBPort]? = nil,
    isMultifunction: Bool = false
  ) {
    deviceName = name
    self.memory = memory
    self.clock = clock
    ports =
      sharedPorts
      ?? (0..<Self.portCount).map { USBPort(index: $0, path: "\($0 + 1)", speeds: Self.speeds, host: nil) }
    portStatus = ports.map { _ in [] }
    super.init(
      name: name, identity: model.identity, interruptPin: model.interruptPin, isMultifunction: isMultifunction
    )
    define(UHCIConfigurationOffset.serialBusRelease, UInt8(0x10))
    define(
      UHCIConfigurationOffset.legacySupport, UHCILegacySupport.interruptEnable,
      writable: UHCILegacySupport.writable, clearOnWrite: UHCILegacySupport.clearOnWrite)
    addPortBAR(
      UHCIConfigurationOffset.portBAR,
      window: RegisterWindow(
        self, (), name: name, count: UInt64(UHCIRegister.count), narrowest: .word, widest: .word))
    if sharedPorts == nil { for port in ports { port.hand(to: self, speeds: Self.speeds) } }
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    UInt64(readWord(offset))
  }

  private func readWord(_ offset: Int) -> UInt16 {
    switch offset {
    case UHCIRegister.command: return usbCommand.rawValue
    case UHCIRegister.status: return status.union(isRunning ? [] : .halted).rawValue
    case UHCIRegister.interruptEnable: return interruptEnable.rawValue
    case UHCIRegister.frameNumber: return frames.number(at: clock.now, isRunning: isRunning)
    case UHCIRegister.frameListBase: return UInt16(truncatingIfNeeded: frameListBase)
    case UHCIRegister.frameListBase + 2: return UInt16(truncatingIfNeeded: frameListBase >> 16)
    case UHCIRegister.startOfFrameModify: return UInt16(startOfFrameModify)
    case UHCIRegister.portStatus..<UHCIRegister.portEnd:
      return readPort((offset - UHCIRegister.portStatus) / 2)
    case UHCIRegister.portEnd...: return UHCIRegister.noPort
    default: return 0
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let value = UInt16(truncatingIfNeeded: value)
    switch offset {
    case UHCIRegister.command: writeCommand(UHCICommand(rawValue: value).intersection(.all))
    case UHCIRegister.status:
      let cleared = UHCIStatus(rawValue: value).intersection(.clearOnWrite)
      status.subtract(cleared)
      if cleared.contains(.interrupt) { causes = [] }
    case UHCIRegister.interruptEnable:
      interruptEnable = UHCIInterruptEnable(rawValue: value).intersection(.all)
    case UHCIRegister.frameNumber: if !isRunning { frames.stop(at: value) }
    case UHCIRegister.frameListBase: frameListBase = frameListBase & 0xFFFF_0000 | UInt32(value & 0xF000)
    case UHCIRegister.frameListBase + 2: frameListBase = frameListBase & 0xFFFF | UInt32(value) << 16
    case UHCIRegister.startOfFrameModify: startOfFrameModify = UInt8(value & 0x7F)
    case UHCIRegister.portStatus..<UHCIRegister.portEnd:
      writePort((offset - UHCIRegister.portStatus) / 2, UHCIPortStatus(rawValue: value))
    default: break
    }
    updateInterrupt()
    wake()
  }

  // MARK: The command register

  var isRunning: Bool { usbCommand.contains(.run) }

  private func writeCommand(_ new: UHCICommand) {
    if new.contains(.controllerReset) {
      trace("host controller reset")
      return resetController()
    }
    let old = usbCommand
    if new.contains(.globalReset) && !old.contains(.globalReset) {
      trace("global reset")
      resetController()
      for port in ports where port.host === self { port.device?.resetFromPort() }
      usbCommand = new.subtracting(.run)
      return
    }
    setCommand(new)
    updateSuspension()
    if !new.contains(.run) && old.contains(.run) { transfers.cancelAll() }
  }

  /// Starts and stops the frames as RS says.
  func setCommand(_ new: UHCICommand) {
    let wasRunning = isRunning
    let now = clock.now
    if wasRunning && !new.contains(.run) {
      frames.stop(at: frames.number(at: now, isRunning: true))
      frameTimer.disarm()
    }
    usbCommand = new
    if !wasRunning && isRunning { frames.start(at: now) }
  }

  /// HCRESET: the registers, and the ports as if all devices had been pulled out and plugged in.
  private func resetController() {
    transfers.cancelAll()
    setCommand([])
    (status, causes, interruptEnable) = ([], [], [])
    frames.stop(at: 0)
    frameListBase = 0
    startOfFrameModify = Default.startOfFrameModify
    for index in ports.indices { portStatus[index] = device(in: index) == nil ? [] : .connectChange }
    updateSuspension()
    updateInterrupt()
  }

  // MARK: Interrupts

  /// Sets status bits and shows them.
  func report(_ new: UHCIStatus, causes newCauses: UHCIInterruptEnable = []) {
    status.formUnion(new)
    causes.formUnion(newCauses)
    updateInterrupt()
  }

  /// Stops for what a driver did wrong: such interrupts cannot be turned off.
  func halt(_ error: UHCIStatus) {
    trace("stopped: \(error == .hostSystemError ? "no memory where it should be" : "wrong schedule")")
    setCommand(usbCommand.subtracting(.run))
    transfers.cancelAll()
    report(error)
  }

  func updateInterrupt() {
    var isWanted = !status.isDisjoint(with: [.hostSystemError, .processError])
    if status.contains(.interrupt) {
      isWanted =
        isWanted || !causes.intersection([.complete, .shortPacket]).isDisjoint(with: interruptEnable)
    }
    if status.contains(.errorInterrupt) { isWanted = isWanted || interruptEnable.contains(.error) }
    if status.contains(.resumeDetect) { isWanted = isWanted || interruptEnable.contains(.resume) }
    let isLetThrough =
      self[UHCIConfigurationOffset.legacySupport, as: UInt16.self] & UHCILegacySupport.interruptEnable != 0
    setInterrupt(isWanted && isLetThrough)
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    super.writeConfiguration(offset, value, width)
    updateInterrupt()
    wake()
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    resetController()
  }

  /// Configuration space, the registers and the time into the frame.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var usbCommand: UHCICommand
    var status: UHCIStatus
    var causes: UHCIInterruptEnable
    var interruptEnable: UHCIInterruptEnable
    var frameNumber: UInt16
    var frameNanoseconds: UInt64
    var frameListBase: UInt32
    var startOfFrameModify: UInt8
    var ports: [UHCIPortStatus]
  }

  /// Transfers that are with a device are taken back; the schedule in memory still has them, whether the machine goes
  /// on or the state is restored.
  public func save() -> State {
    transfers.cancelAll()
    let now = clock.now
    return State(
      configuration: saveConfiguration(), usbCommand: usbCommand, status: status, causes: causes,
      interruptEnable: interruptEnable, frameNumber: frames.number(at: now, isRunning: isRunning),
      frameNanoseconds: isRunning ? frames.nanosecondsIntoFrame(at: now) : 0, frameListBase: frameListBase,
      startOfFrameModify: startOfFrameModify, ports: portStatus)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.ports.count == ports.count else {
      throw RestoreError("\(deviceName): its saved state has \(state.ports.count) ports, not \(ports.count)")
    }
    try restoreConfiguration(state.configuration)
    transfers.cancelAll()
    frameTimer.disarm()
    usbCommand = state.usbCommand.intersection(.all).subtracting(.controllerReset)
    status = state.status.intersection(.clearOnWrite)
    causes = state.causes.intersection(.all)
    interruptEnable = state.interruptEnable.intersection(.all)
    frameListBase = state.frameListBase & ~0xFFF
    startOfFrameModify = state.startOfFrameModify & 0x7F
    portStatus = state.ports.map { $0.intersection(.kept) }
    frames.stop(at: state.frameNumber)
    if isRunning { frames.start(at: clock.now, nanosecondsIntoFrame: state.frameNanoseconds) }
    updateInterrupt()
    wake()
  }
}
