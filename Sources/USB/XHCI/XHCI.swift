// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI

/// Which xHCI it is.
public enum XHCIModel: String, CaseIterable, Sendable {
  /// The one made for virtual machines.
  case generic = "qemu-xhci"
  /// NEC's µPD720200.
  case nec = "nec-usb-xhci"

  var identity: PCIIdentity {
    let (vendor, device, revision): (UInt16, UInt16, UInt8) =
      switch self {
      case .generic: (0x1B36, 0x000D, 1)
      case .nec: (0x1033, 0x0194, 3)
      }
    return PCIIdentity(vendor: vendor, device: device, revision: revision, classCode: 0x0C0330)
  }
}

/// The Extensible Host Controller: four sockets for devices of all speeds (xHCI 1.2).
public final class XHCI: PCIFunction, RegisterFile, Device, USBPortHost, USBTransferOwner {
  /// It has one window, BAR 0.
  public typealias Window = Void

  static let slotLimit = 64
  static let interrupterCount = 8
  /// In nanoseconds.
  static let microframe: UInt64 = 125_000

  public let deviceName: String
  let model: XHCIModel
  let trace = TraceCategory("xhci")
  public var traceCategories: [TraceCategory] { [trace] }
  let memory: GuestMemory
  let clock: Clock
  /// The sockets.
  public let ports: [USBPort]
  /// By number less one: those of super speed first.
  var rootPorts = [RootPort](repeating: RootPort(), count: portCount)

  private var usbCommand: XHCICommand = []
  private var status: XHCIStatus = []
  private var deviceNotification: UInt32 = 0
  /// DCBAAP
  private(set) var contextArray: UInt64 = 0
  /// CONFIG's Max Device Slots Enabled.
  private(set) var enabledSlotLimit = 0
  /// CRCR
  var commandRing = XHCIRing()
  /// CRR
  var isCommandRingRunning = false
  var interrupters = [XHCIInterrupter](repeating: XHCIInterrupter(), count: interrupterCount)
  var waitingEvents: [WaitingEvent] = []
  /// Something waits for room in an event ring.
  var isHeldBack = false
  /// By number, from 1.
  var slots = [XHCISlot?](repeating: nil, count: slotLimit + 1)
  /// All that were made, and those that no device has.
  var descriptors: [XHCITransferDescriptor] = []
  var freeDescriptors: [XHCITransferDescriptor] = []
  private(set) lazy var addressTransfer = USBTransfer(memory: memory, owner: self, segmentCapacity: 1)
  private(set) lazy var timer = clock.makeTimer { [unowned self] in timerFired() }
  /// When MFINDEX was 0.
  private var origin: UInt64 = 0

  /// A controller.
  /// - Parameters:
  ///   - name: its name on the board.
  ///   - memory: where its rings and buffers are.
  ///   - clock: what its frames go by.
  public init(
    _ model: XHCIModel, name: String, memory: GuestMemory, clock: Clock, isMultifunction: Bool = false
  ) {
    deviceName = name
    self.model = model
    self.memory = memory
    self.clock = clock
    ports = (0..<Self.socketCount).map { index in
      USBPort(index: index, path: "\(index + 1)", speeds: .all, host: nil)
    }
    super.init(name: name, identity: model.identity, interruptPin: 1, isMultifunction: isMultifunction)
    define(XHCIConfigurationOffset.serialBusRelease, UInt8(0x30))
    define(XHCIConfigurationOffset.frameLengthAdjustment, UInt8(0x20), writable: 0x3F)
    addMemoryBAR(
      0,
      region: MemoryRegion(
        name: name, base: GuestAddress(UInt64(0)), count: XHCIWindow.count,
        backing: .window(
          RegisterWindow(self, (), name: name, count: XHCIWindow.count, narrowest: .dword, widest: .dword)),
        priority: 1, isEnabled: false),
      is64Bit: true)
    for port in ports { port.hand(to: self, speeds: .all) }
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(readWord(offset)) }

  private func readWord(_ offset: Int) -> UInt32 {
    switch offset {
    case ..<XHCIWindow.extendedCapabilities: return readCapability(offset)
    case ..<XHCIWindow.operational: return readExtendedCapability(offset - XHCIWindow.extendedCapabilities)
    case ..<XHCIWindow.ports: return readOperational(offset - XHCIWindow.operational)
    case ..<(XHCIWindow.ports + Self.portCount * XHCIPortRegister.count):
      let place = offset - XHCIWindow.ports
      return readPort(place / XHCIPortRegister.count, place % XHCIPortRegister.count)
    case XHCIWindow.runtime: return microframeIndex
    case interrupterWindow:
      let place = offset - XHCIWindow.interrupters
      return readInterrupter(place / XHCIInterrupterRegister.count, place % XHCIInterrupterRegister.count)
    default: return 0
    }
  }

  private var interrupterWindow: Range<Int> {
    let first = XHCIWindow.interrupters
    return first..<(first + Self.interrupterCount * XHCIInterrupterRegister.count)
  }

  private func readCapability(_ offset: Int) -> UInt32 {
    switch offset {
    case XHCICapability.lengthAndVersion: UInt32(XHCIWindow.operational) | XHCICapability.version << 16
    case XHCICapability.structuralParameters1:
      UInt32(Self.slotLimit) | UInt32(Self.interrupterCount) << 8 | UInt32(Self.portCount) << 24
    // IST: software keeps a frame's distance. One segment to an event ring, no scratchpads.
    case XHCICapability.structuralParameters2: 0x0F
    case XHCICapability.capabilityParameters1: XHCICapability.parameters1
    case XHCICapability.doorbellOffset: UInt32(XHCIWindow.doorbells)
    case XHCICapability.runtimeOffset: UInt32(XHCIWindow.runtime)
    default: 0
    }
  }

  /// Two Supported Protocol capabilities (section 7.2): which ports are of which kind.
  private func readExtendedCapability(_ offset: Int) -> UInt32 {
    let isFirst = offset < 0x10
    return switch offset & 15 {
    case 0: isFirst ? 0x0200_0402 : 0x0300_0002
    // "USB "
    case 4: 0x2042_5355
    case 8: UInt32(Self.socketCount) << 8 | (isFirst ? UInt32(Self.socketCount) + 1 : 1)
    default: 0
    }
  }

  private func readOperational(_ offset: Int) -> UInt32 {
    switch offset {
    case XHCIOperational.command: usbCommand.rawValue
    case XHCIOperational.status: status.union(isRunning ? [] : .halted).rawValue
    // 4 KiB
    case XHCIOperational.pageSize: 1
    case XHCIOperational.deviceNotification: deviceNotification
    // CRR; the rest reads as zeros.
    case XHCIOperational.commandRing: isCommandRingRunning ? 8 : 0
    case XHCIOperational.contextArray: contextArray.lowWord
    case XHCIOperational.contextArray + 4: contextArray.highWord
    case XHCIOperational.configure: UInt32(enabledSlotLimit)
    default: 0
    }
  }

  /// MFINDEX (section 5.5.1).
  private var microframeIndex: UInt32 {
    guard isRunning else { return 0 }
    let now = clock.now
    return now < origin ? 0 : UInt32(truncatingIfNeeded: (now &- origin) / Self.microframe & 0x3FFF)
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let value = UInt32(truncatingIfNeeded: value)
    switch offset {
    case ..<XHCIWindow.operational: break
    case ..<XHCIWindow.ports: writeOperational(offset - XHCIWindow.operational, value)
    case ..<(XHCIWindow.ports + Self.portCount * XHCIPortRegister.count):
      let place = offset - XHCIWindow.ports
      writePort(place / XHCIPortRegister.count, place % XHCIPortRegister.count, value)
    case interrupterWindow:
      let place = offset - XHCIWindow.interrupters
      writeInterrupter(place / XHCIInterrupterRegister.count, place % XHCIInterrupterRegister.count, value)
    case XHCIWindow.doorbells..<(XHCIWindow.doorbells + (Self.slotLimit + 1) * 4):
      ringDoorbell((offset - XHCIWindow.doorbells) / 4, value)
    default: break
    }
  }

  private func writeOperational(_ offset: Int, _ value: UInt32) {
    switch offset {
    case XHCIOperational.command: writeCommand(XHCICommand(rawValue: value))
    case XHCIOperational.status:
      status.subtract(XHCIStatus(rawValue: value).intersection(.clearOnWrite))
    case XHCIOperational.deviceNotification: deviceNotification = value & 0xFFFF
    case XHCIOperational.commandRing:
      writeCommandRing(commandRing.pointer.replacingLowWord(value), isLow: true)
    case XHCIOperational.commandRing + 4:
      writeCommandRing(commandRing.pointer.replacingHighWord(value), isLow: false)
    case XHCIOperational.contextArray: contextArray = contextArray.replacingLowWord(value & ~63)
    case XHCIOperational.contextArray + 4: contextArray = contextArray.replacingHighWord(value)
    case XHCIOperational.configure: enabledSlotLimit = min(Int(value & 0xFF), Self.slotLimit)
    default: break
    }
  }

  /// CRCR (section 5.4.5): the pointer is taken while the ring is not running.
  private func writeCommandRing(_ value: UInt64, isLow: Bool) {
    // CS and CA
    if isLow && value & 6 != 0 { return stopCommandRing(.commandRingStopped) }
    guard !isCommandRingRunning else { return }
    commandRing = XHCIRing(pointer: value)
    // Bits 5 and 4 are reserved: rings lie at multiples of 64.
    commandRing.dequeue &= ~63
  }

  private func ringDoorbell(_ number: Int, _ value: UInt32) {
    guard isRunning else { return }
    guard number > 0 else {
      guard value & 0xFF == 0 else { return }
      isCommandRingRunning = true
      return runCommands()
    }
    ringDoorbell(slot: number, endpoint: Int(value & 0xFF))
  }

  // MARK: The command register

  var isRunning: Bool { usbCommand.contains(.run) }

  private func writeCommand(_ new: XHCICommand) {
    if new.contains(.controllerReset) {
      trace("host controller reset")
      return resetController()
    }
    // What the controller has is kept until the next reset, so there is nothing to save. But there is nothing to
    // restore, either: the driver begins anew.
    if new.contains(.saveState) { status.remove(.saveRestoreError) }
    if new.contains(.restoreState) { status.insert(.saveRestoreError) }
    let wasRunning = isRunning
    usbCommand = new.intersection(.kept)
    if wasRunning && !isRunning {
      endWork()
    } else if !wasRunning && isRunning {
      origin = clock.now
      postPortChanges()
      wakeAll()
    }
    updateInterrupt()
  }

  /// The controller does not run any more.
  private func endWork() {
    isCommandRingRunning = false
    timer.disarm()
    cancelAll()
  }

  private func resetController() {
    endWork()
    (usbCommand, status) = ([], [])
    (deviceNotification, contextArray, enabledSlotLimit) = (0, 0, 0)
    commandRing = XHCIRing()
    for index in interrupters.indices { interrupters[index] = XHCIInterrupter() }
    (waitingEvents, isHeldBack) = ([], false)
    for index in slots.indices { slots[index] = nil }
    resetPorts()
    updateInterrupt()
  }

  // MARK: Interrupts

  /// Sets status bits and shows them.
  func report(_ new: XHCIStatus) {
    status.formUnion(new)
    updateInterrupt()
  }

  /// Stops for memory that is not where the driver said (section 4.10.2.6).
  func haltForSystemError() {
    guard isRunning else { return }
    trace("stopped: no memory where it should be")
    usbCommand.remove(.run)
    endWork()
    report(.hostSystemError)
  }

  func updateInterrupt() {
    let isPending = interrupters.contains { $0.management.contains([.pending, .enabled]) }
    setInterrupt(isPending && usbCommand.contains(.interrupterEnable))
  }

  public override func writeConfiguration(_ offset: Int, _ value: UInt32, _ width: AccessWidth) {
    super.writeConfiguration(offset, value, width)
    if isBusMaster { wakeAll() }
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    resetController()
  }

  /// Configuration space, the registers, the slots, and the events that wait for room.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var usbCommand: XHCICommand
    var status: XHCIStatus
    var deviceNotification: UInt32
    var contextArray: UInt64
    var enabledSlotLimit: Int
    var commandRing: XHCIRing
    var isCommandRingRunning: Bool
    var interrupters: [XHCIInterrupter]
    var waitingEvents: [WaitingEvent]
    var slots: [XHCISlot.State]
    var ports: [RootPort]
    /// How long the microframes have been counted, in nanoseconds.
    var elapsed: UInt64
  }

  /// Transfers that are with a device are taken back; the rings still have them, whether the machine goes on or the
  /// state is restored.
  public func save() -> State {
    cancelAll()
    defer { wakeAll() }
    return State(
      configuration: saveConfiguration(), usbCommand: usbCommand, status: status,
      deviceNotification: deviceNotification, contextArray: contextArray, enabledSlotLimit: enabledSlotLimit,
      commandRing: commandRing, isCommandRingRunning: isCommandRingRunning, interrupters: interrupters,
      waitingEvents: waitingEvents,
      slots: slots.indices.compactMap { index in slots[index]?.save(number: index) },
      ports: rootPorts, elapsed: isRunning ? clock.now &- origin : 0)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.ports.count == Self.portCount, state.interrupters.count == Self.interrupterCount,
      state.interrupters.allSatisfy(\.isValid),
      state.slots.allSatisfy({ (1...Self.slotLimit).contains($0.number) }),
      state.waitingEvents.allSatisfy({ (0..<Self.interrupterCount).contains($0.interrupter) })
    else { throw RestoreError("\(deviceName): its saved state is damaged") }
    try restoreConfiguration(state.configuration)
    endWork()
    usbCommand = state.usbCommand.intersection(.kept)
    status = state.status.intersection(.clearOnWrite)
    deviceNotification = state.deviceNotification & 0xFFFF
    contextArray = state.contextArray & ~63
    enabledSlotLimit = min(max(state.enabledSlotLimit, 0), Self.slotLimit)
    commandRing = XHCIRing(pointer: state.commandRing.pointer)
    isCommandRingRunning = state.isCommandRingRunning
    interrupters = state.interrupters
    (waitingEvents, isHeldBack) = (state.waitingEvents, true)
    for index in slots.indices { slots[index] = nil }
    for slot in state.slots { slots[slot.number] = XHCISlot(slot) }
    restorePorts(state.ports)
    origin = clock.now &- state.elapsed
    updateInterrupt()
    wakeAll()
  }
}
