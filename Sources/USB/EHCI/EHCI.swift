// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI

/// Which EHCI it is.
public enum EHCIModel: String, CaseIterable, Sendable {
  /// The ICH4's.
  case ich4 = "usb-ehci"
  case ich9First = "ich9-usb-ehci1"
  case ich9Second = "ich9-usb-ehci2"

  var identity: PCIIdentity {
    let (device, revision): (UInt16, UInt8) =
      switch self {
      case .ich4: (0x24CD, 0x10)
      case .ich9First: (0x293A, 3)
      case .ich9Second: (0x293C, 3)
      }
    return PCIIdentity(vendor: 0x8086, device: device, revision: revision, classCode: 0x0C0320)
  }

  /// INTA is 1.
  var interruptPin: UInt8 { self == .ich9Second ? 3 : 4 }
}

/// The Enhanced Host Controller: six ports of high speed, which it hands over to companions for slower devices
/// (EHCI 1.0).
public final class EHCI: PCIFunction, RegisterFile, Device, USBRootHub, USBTransferOwner {
  /// It has one window, BAR 0.
  public typealias Window = Void

  public static let portCount = 6

  public let deviceName: String
  let trace = TraceCategory("ehci")
  public var traceCategories: [TraceCategory] { [trace] }
  let memory: GuestMemory
  let clock: Clock
  public let ports: [USBPort]
  /// By port: who gets it when it is not this controller's.
  private var companions: [UHCI?]
  var portStatus: [EHCIPortStatus]

  var usbCommand = EHCICommand.afterReset
  private(set) var status: EHCIStatus = []
  private var interruptEnable: EHCIStatus = []
  private(set) var periodicListBase: UInt32 = 0
  var asyncListAddress: UInt32 = 0
  private(set) var isConfigured = false
  var frames = EHCIFrames()
  var backoff = USBIdleBackoff(quickLooks: 16)
  private(set) lazy var timer = clock.makeTimer { [unowned self] in timerFired() }
  private(set) lazy var transfers = USBTransferSlots(memory: memory, owner: self, segmentCapacity: 5)
  let visits = USBVisits()

  /// A controller.
  /// - Parameters:
  ///   - name: its name on the board.
  ///   - memory: where its schedules and buffers are.
  ///   - clock: what its frames go by.
  ///   - sharedPorts: the ports that companions will have, from 0; slower devices fit there, too.
  ///   - isMultifunction: whether the slot has more functions, which function 0 says.
  public init(
    _ model: EHCIModel, name: String, memory: GuestMemory, clock: Clock, sharedPorts: Set<Int> = [],
    isMultifunction: Bool = false
  ) {
    deviceName = name
    self.memory = memory
    self.clock = clock
    ports = (0..<Self.portCount).map { index in
      USBPort(
        index: index, path: "\(index + 1)",
        speeds: sharedPorts.contains(index) ? [.low, .full, .high] : .high,
        host: nil)
    }
    portStatus = ports.map { _ in .owner }
    companions = ports.map { _ in nil }
    super.init(
      name: name, identity: model.identity, interruptPin: model.interruptPin, isMultifunction: isMultifunction
    )
    define(EHCIConfigurationOffset.serialBusRelease, UInt8(0x20))
    define(EHCIConfigurationOffset.frameLengthAdjustment, UInt8(0x20), writable: 0x3F)
    define(EHCIConfigurationOffset.portWakeCapability, UInt16(0x7F), writable: 0x7F)
    addMemoryBAR(
      0,
      region: MemoryRegion(
        name: name, base: GuestAddress(UInt64(0)), count: EHCIRegister.count,
        backing: .window(
          RegisterWindow(self, (), name: name, count: EHCIRegister.count, narrowest: .dword, widest: .dword)),
        priority: 1, isEnabled: false))
  }

  /// Adds a companion, made with two of the ports from `firstPort` on.
  /// - Returns: false if there are no such ports, or they have one.
  public func add(companion: UHCI, firstPort: Int) -> Bool {
    let range = firstPort..<(firstPort &+ companion.ports.count)
    guard range.lowerBound >= 0, range.upperBound <= ports.count,
      range.allSatisfy({ companions[$0] == nil && ports[$0] === companion.ports[$0 - firstPort] })
    else { return false }
    for index in range {
      companions[index] = companion
      route(index)
    }
    return true
  }

  private var structuralParameters: UInt32 {
    // N_PCC and N_CC
    let count = UInt32(companions.compactMap { $0 }.count) / UInt32(UHCI.portCount)
    return UInt32(Self.portCount) | (count == 0 ? 0 : UInt32(UHCI.portCount) << 8 | count << 12)
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(readWord(offset)) }

  private func readWord(_ offset: Int) -> UInt32 {
    switch offset {
    case EHCICapability.lengthAndVersion: return UInt32(EHCICapability.length) | EHCICapability.version << 16
    case EHCICapability.structuralParameters: return structuralParameters
    case EHCICapability.capabilityParameters: return EHCICapability.parameters
    case ..<EHCICapability.length: return 0
    default: break
    }
    switch offset - EHCICapability.length {
    case EHCIRegister.command: return usbCommand.rawValue
    case EHCIRegister.status:
      noteRollover()
      return status.union(scheduleStatus).rawValue
    case EHCIRegister.interruptEnable: return interruptEnable.rawValue
    case EHCIRegister.frameIndex: return frames.index(at: clock.now, isRunning: isRunning)
    case EHCIRegister.periodicListBase: return periodicListBase
    case EHCIRegister.asyncListAddress: return asyncListAddress
    case EHCIRegister.configureFlag: return isConfigured ? 1 : 0
    case let register where register >= EHCIRegister.portStatus:
      return readPort((register - EHCIRegister.portStatus) / 4)
    default: return 0
    }
  }

  private var scheduleStatus: EHCIStatus {
    guard isRunning else { return .halted }
    var status: EHCIStatus = []
    if usbCommand.contains(.periodicEnable) { status.insert(.periodicStatus) }
    if usbCommand.contains(.asyncEnable) { status.insert(.asyncStatus) }
    return status
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let value = UInt32(truncatingIfNeeded: value)
    switch offset - EHCICapability.length {
    case EHCIRegister.command: writeCommand(EHCICommand(rawValue: value).intersection(.writable))
    case EHCIRegister.status:
      noteRollover()
      status.subtract(EHCIStatus(rawValue: value).intersection(.clearOnWrite))
    case EHCIRegister.interruptEnable:
      interruptEnable = EHCIStatus(rawValue: value).intersection(.clearOnWrite)
    case EHCIRegister.frameIndex: if !isRunning { frames.stop(at: value) }
    case EHCIRegister.periodicListBase: periodicListBase = value & ~0xFFF
    case EHCIRegister.asyncListAddress: asyncListAddress = value & ~31
    case EHCIRegister.configureFlag: setConfigured(value & 1 != 0)
    case let register where register >= EHCIRegister.portStatus:
      writePort((register - EHCIRegister.portStatus) / 4, EHCIPortStatus(rawValue: value))
    default: break
    }
    updateInterrupt()
    wake()
  }

  // MARK: The command register

  var isRunning: Bool { usbCommand.contains(.run) }

  private func writeCommand(_ new: EHCICommand) {
    if new.contains(.controllerReset) {
      trace("host controller reset")
      return resetController()
    }
    let old = usbCommand
    // The doorbell is cleared by the controller only.
    setCommand(old.contains(.asyncAdvanceDoorbell) ? new.union(.asyncAdvanceDoorbell) : new)
    let stopped = old.subtracting(usbCommand).intersection([.run, .periodicEnable, .asyncEnable])
    if !stopped.isEmpty { transfers.cancelAll() }
  }

  /// Starts and stops the frames as RS says.
  private func setCommand(_ new: EHCICommand) {
    let wasRunning = isRunning
    let now = clock.now
    if wasRunning && !new.contains(.run) {
      noteRollover()
      frames.stop(at: frames.index(at: now, isRunning: true))
      timer.disarm()
    }
    usbCommand = new
    if !wasRunning && isRunning { frames.start(at: now) }
  }

  private func resetController() {
    transfers.cancelAll()
    setCommand(.afterReset)
    (status, interruptEnable) = ([], [])
    frames.stop(at: 0)
    (periodicListBase, asyncListAddress) = (0, 0)
    setConfigured(false)
    for index in ports.indices { portStatus[index] = .owner }
    updateInterrupt()
  }

  // MARK: Whose a port is

  /// CONFIGFLAG: 0 gives all ports to the companions.
  private func setConfigured(_ new: Bool) {
    let isChange = new != isConfigured
    isConfigured = new
    guard isChange || !new else { return }
    for index in ports.indices { setOwner(index, isCompanion: !new) }
  }

  /// PO
  func setOwner(_ index: Int, isCompanion: Bool) {
    route(index, isCompanion: isCompanion)
    if isCompanion { portStatus[index].insert(.owner) } else { portStatus[index].remove(.owner) }
  }

  /// Connects a port to whom it belongs.
  private func route(_ index: Int, isCompanion: Bool? = nil) {
    if isCompanion ?? portStatus[index].contains(.owner) {
      ports[index].hand(to: companions[index], speeds: UHCI.speeds)
    } else {
      ports[index].hand(to: self, speeds: [.low, .full, .high])
    }
  }

  // MARK: Interrupts

  /// Sets status bits and shows them.
  func report(_ new: EHCIStatus) {
    status.formUnion(new)
    updateInterrupt()
  }

  /// Stops for memory that is not where the driver said.
  func haltForSystemError() {
    trace("stopped: no memory where it should be")
    setCommand(usbCommand.subtracting(.run))
    transfers.cancelAll()
    report(.hostSystemError)
  }

  private func updateInterrupt() { setInterrupt(!status.isDisjoint(with: interruptEnable)) }

  /// The frame list's end may have passed.
  func noteRollover() {
    guard isRunning, frames.takeRollover(at: clock.now) else { return }
    status.insert(.frameListRollover)
    updateInterrupt()
  }

  /// When the next rollover is to be told; nil if nobody wants to know.
  var rolloverDeadline: UInt64? {
    interruptEnable.contains(.frameListRollover) ? frames.nextRollover : nil
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    super.writeConfiguration(offset, value, width)
    wake()
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    resetController()
  }

  /// Configuration space, the registers and the time into the microframe.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var usbCommand: EHCICommand
    var status: EHCIStatus
    var interruptEnable: EHCIStatus
    var frameIndex: UInt32
    var microframeNanoseconds: UInt64
    var periodicListBase: UInt32
    var asyncListAddress: UInt32
    var isConfigured: Bool
    var ports: [EHCIPortStatus]
  }

  /// Transfers that are with a device are taken back; the schedules in memory still have them, whether the machine goes
  /// on or the state is restored.
  public func save() -> State {
    transfers.cancelAll()
    noteRollover()
    let now = clock.now
    return State(
      configuration: saveConfiguration(), usbCommand: usbCommand, status: status,
      interruptEnable: interruptEnable,
      frameIndex: frames.index(at: now, isRunning: isRunning),
      microframeNanoseconds: isRunning ? frames.nanosecondsIntoMicroframe(at: now) : 0,
      periodicListBase: periodicListBase, asyncListAddress: asyncListAddress, isConfigured: isConfigured,
      ports: portStatus)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.ports.count == ports.count else {
      throw RestoreError("\(deviceName): its saved state has \(state.ports.count) ports, not \(ports.count)")
    }
    try restoreConfiguration(state.configuration)
    transfers.cancelAll()
    timer.disarm()
    isConfigured = state.isConfigured
    for index in ports.indices {
      route(index, isCompanion: state.ports[index].contains(.owner))
      portStatus[index] = state.ports[index].intersection(.kept)
    }
    usbCommand = state.usbCommand.intersection(.writable).subtracting(.controllerReset)
    status = state.status.intersection(.clearOnWrite)
    interruptEnable = state.interruptEnable.intersection(.clearOnWrite)
    periodicListBase = state.periodicListBase & ~0xFFF
    asyncListAddress = state.asyncListAddress & ~31
    frames.stop(at: state.frameIndex)
    if isRunning { frames.start(at: clock.now, nanosecondsIntoMicroframe: state.microframeNanoseconds) }
    updateInterrupt()
    wake()
  }
}
