// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Glibc
import GuestMemory
import Network
import PCI

/// Intel's 82540EM, a gigabit Ethernet controller: QEMU's `e1000`, PCI 8086:100E.
public final class E1000: PCIFunction, RegisterFile, Device, PacketReceiver {
  /// The windows: registers in memory (BAR 0), and an index and data in ports (BAR 1).
  public enum Window {
    case memory
    case ports
  }

  public let deviceName: String
  let trace = TraceCategory("e1000")
  public var traceCategories: [TraceCategory] { [trace] }
  let memory: GuestMemory
  let port: any PacketPort
  let clock: Clock
  let buffers = E1000Buffers()

  /// The registers by their offset divided by four; `E1000RegisterMap.count` of them.
  let registers: UnsafeMutablePointer<UInt32>
  private let writable: UnsafeMutablePointer<UInt32>
  var eeprom: EEPROM93C46
  var phy = E1000PHY()
  private var portIndex: UInt32 = 0

  // Interrupts.
  private(set) lazy var interruptTimer = clock.makeTimer { [unowned self] in flushDelayedInterrupts() }
  /// Causes that come up when the timer fires.
  var delayedCauses: UInt32 = 0
  /// The pin may not be raised before.
  var throttledUntil: UInt64 = 0
  var isInterruptRaised = false

  // Link.
  private lazy var negotiationTimer = clock.makeTimer { [unowned self] in endNegotiation() }
  /// STATUS without what never changes: link, duplex and speed.
  private(set) var linkStatus: UInt32 = 0

  // Transmission.
  private(set) lazy var transmitTimer = clock.makeTimer { [unowned self] in transmit() }
  /// What the last context descriptors said: for packets that are cut, and for others.
  var segmentationContext = E1000TransmitContext()
  var checksumContext = E1000TransmitContext()
  /// How many descriptors may be sent until the guest asks anew.
  var tripLeft = Int.max
  /// How many parts of the packet at the ring's head are sent already.
  var partsSent = 0
  /// The port refused a frame and did not call yet.
  var isPortFull = false
  /// A frame is being handed over; nothing may come in.
  var isTransmitting = false

  // Reception.
  /// Has the engine deliver the writes to RDT that it queues; nil if it queues none.
  public var deliverLateWrites: (() -> Void)? {
    get { lateRoom.deliver }
    set { lateRoom.deliver = newValue }
  }
  /// For room that the guest has made without doing anything else.
  private(set) lazy var lateRoom = LateWriteWatch(clock: clock) { [unowned self] in offerAgain() }
  /// The port may hold a frame that was refused.
  var hasRefusedFrame = false
  var isPaused = false

  /// The card.
  /// - Parameters:
  ///   - memory: where its rings and buffers are.
  ///   - port: the socket; the card becomes its receiver.
  ///   - address: what its EEPROM says of its address.
  ///   - clock: what throttles its interrupts.
  ///   - optionROM: a region of a power of two of bytes, or nil.
  ///   - name: its name on the board.
  public init(
    memory: GuestMemory, port: any PacketPort, address: MACAddress, clock: Clock, optionROM: MemoryRegion?,
    name: String = "e1000"
  ) {
    self.memory = memory
    self.port = port
    self.clock = clock
    deviceName = name
    eeprom = EEPROM93C46(
      address: address, identity: (vendor: E1000Identity.vendor, device: E1000Identity.device))
    registers = .allocate(capacity: E1000RegisterMap.count)
    registers.initialize(repeating: 0, count: E1000RegisterMap.count)
    writable = .allocate(capacity: E1000RegisterMap.count)
    writable.initialize(repeating: 0, count: E1000RegisterMap.count)
    for (offset, mask) in E1000RegisterMap.writable { writable[offset >> 2] = mask }
    super.init(
      name: name,
      identity: PCIIdentity(
        vendor: E1000Identity.vendor, device: E1000Identity.device, revision: E1000Identity.revision,
        classCode: 0x020000),
      interruptPin: 1)
    let nowhere = GuestAddress(UInt64(0))
    addMemoryBAR(
      0,
      region: MemoryRegion(
        window: RegisterWindow(
          self, .memory, name: "\(name)-mmio", count: E1000Identity.memoryByteCount, widest: .dword,
          lateWrites: E1000Identity.lateWrites),
        base: nowhere, priority: 1))
    addPortBAR(
      1,
      window: RegisterWindow(
        self, .ports, name: "\(name)-io", count: E1000Identity.portCount, widest: .dword))
    if let optionROM { addROM(region: optionROM) }
    port.receiver = self
    powerOn()
  }

  deinit {
    registers.deallocate()
    writable.deallocate()
  }

  // MARK: Windows

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    var offset = offset
    if window == .ports {
      switch offset & ~3 {
      case E1000Port.ioaddr: return UInt64(portIndex) >> (UInt64(offset & 3) * 8)
      case E1000Port.iodata: offset = Int(portIndex & ~3) | offset & 3
      default: return 0
      }
    }
    // Registers are read whole; a narrow access sees its part.
    return UInt64(readRegister(offset & ~3)) >> (UInt64(offset & 3) * 8)
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    var offset = offset
    var value = UInt32(truncatingIfNeeded: value)
    if window == .ports {
      switch offset & ~3 {
      case E1000Port.ioaddr:
        portIndex = merge(value, offset, width, into: portIndex) & 0xF_FFFF
        return
      case E1000Port.iodata: offset = Int(portIndex & ~3) | offset & 3
      default: return
      }
    }
    guard offset < E1000Register.end else { return }
    if width != .dword || offset & 3 != 0 {
      value = merge(value, offset, width, into: registers[offset >> 2])
    }
    writeRegister(offset & ~3, value)
  }

  /// A narrow write changes the bytes it names. (An aligned dword, the common case, does not come here.)
  private func merge(_ value: UInt32, _ offset: Int, _ width: AccessWidth, into old: UInt32) -> UInt32 {
    let shift = UInt32(offset & 3) * 8
    let mask = UInt32(truncatingIfNeeded: width.allOnes) << shift
    return old & ~mask | value << shift & mask
  }

  private func readRegister(_ offset: Int) -> UInt32 {
    guard offset < E1000Register.end else { return 0 }
    switch offset {
    case E1000Register.icr: return readCauses()
    case E1000Register.status: return linkStatus | E1000Status.clockOK
    case E1000Register.eecd: return readEEPROMPins()
    case E1000Statistic.first..<E1000Statistic.end: return readStatistic(offset)
    default: return registers[offset >> 2]
    }
  }

  private func writeRegister(_ offset: Int, _ value: UInt32) {
    switch offset {
    case E1000Register.tdt:
      registers[offset >> 2] = value & 0xFFFF
      beginTransmit()
    case E1000Register.rdt:
      registers[offset >> 2] = value & 0xFFFF
      offerAgain()
    case E1000Register.icr:
      registers[offset >> 2] &= ~value
      delayedCauses &= ~value
      updateInterrupt()
    case E1000Register.ics: raise(E1000Interrupts(rawValue: value & E1000Interrupts.all))
    case E1000Register.ims:
      registers[offset >> 2] |= value & E1000Interrupts.all
      updateInterrupt()
    case E1000Register.imc:
      registers[E1000Register.ims >> 2] &= ~value
      updateInterrupt()
    case E1000Register.itr: writeThrottle(value)
    case E1000Register.rdtr, E1000Register.tidv:
      registers[offset >> 2] = value & 0xFFFF
      if value & E1000Delay.flush != 0 { flushDelayedInterrupts() }
    case E1000Register.ctrl: writeControl(value)
    case E1000Register.ctrlExt:
      keep(offset, value)
      if value & E1000ExtendedControl.eepromReset != 0 { loadAddress() }
    case E1000Register.eecd:
      registers[offset >> 2] = value & 0x77
      eeprom.setPins(value)
    case E1000Register.eerd: readEEPROMWord(value)
    case E1000Register.mdic: accessPHY(value)
    case E1000Register.rctl:
      keepFilter(offset, value)
      offerAgain()
    case E1000Register.tctl:
      keep(offset, value)
      beginTransmit()
    case E1000Register.tdh, E1000Register.tdbal, E1000Register.tdbah, E1000Register.tdlen:
      keep(offset, value)
      partsSent = 0
    case E1000Register.mta..<E1000Register.wuc: keepFilter(offset, value)
    default: keep(offset, value)
    }
  }

  private func keepFilter(_ offset: Int, _ value: UInt32) {
    let old = registers[offset >> 2]
    keep(offset, value)
    if registers[offset >> 2] != old { port.receiveFilterChanged() }
  }

  private func keep(_ offset: Int, _ value: UInt32) {
    let mask = writable[offset >> 2]
    registers[offset >> 2] = registers[offset >> 2] & ~mask | value & mask
  }

  var receiveControl: E1000ReceiveControl {
    E1000ReceiveControl(rawValue: registers[E1000Register.rctl >> 2])
  }
  var control: E1000Control { E1000Control(rawValue: registers[E1000Register.ctrl >> 2]) }

  // MARK: EEPROM and PHY

  private func readEEPROMPins() -> UInt32 {
    var value = registers[E1000Register.eecd >> 2] | E1000EEPROMPins.present
    // Nobody else wants the EEPROM.
    if value & E1000EEPROMPins.request != 0 { value |= E1000EEPROMPins.grant }
    if eeprom.output { value |= E1000EEPROMPins.dataOut }
    return value
  }

  private func readEEPROMWord(_ value: UInt32) {
    var result = value & 0xFF00
    if value & E1000EEPROMRead.start != 0 {
      result |= UInt32(eeprom[Int(value >> 8 & 0xFF)]) << 16 | E1000EEPROMRead.done
    }
    registers[E1000Register.eerd >> 2] = result
  }

  private func accessPHY(_ value: UInt32) {
    var result = value & ~(E1000MDI.ready | E1000MDI.error)
    let index = Int(value >> E1000MDI.registerShift & 31)
    var isRestarted = false
    if value >> E1000MDI.phyShift & 31 != E1000PHY.address {
      result |= E1000MDI.error
    } else if value & E1000MDI.read != 0 {
      result = result & ~0xFFFF | UInt32(phy.read(index))
    } else if value & E1000MDI.write != 0 {
      isRestarted = phy.write(index, UInt16(truncatingIfNeeded: value))
    }
    registers[E1000Register.mdic >> 2] = result | E1000MDI.ready
    if isRestarted { negotiate() } else { updateLink() }
    if value & E1000MDI.interrupt != 0 { raise(.mdac) }
  }

  /// The first receive address is what the EEPROM says.
  private func loadAddress() {
    registers[E1000Register.ral >> 2] = UInt32(eeprom[0]) | UInt32(eeprom[1]) << 16
    registers[E1000Register.rah >> 2] = UInt32(eeprom[2]) | E1000ReceiveAddress.valid
  }

  // MARK: Link

  /// How long two ends take to agree; on a real cable it is a second or two.
  private static let negotiationTime: UInt64 = 50_000_000

  private func negotiate() {
    phy.beginNegotiation()
    updateLink()
    negotiationTimer.arm(at: clock.now &+ Self.negotiationTime)
  }

  private func endNegotiation() {
    phy.endNegotiation()
    updateLink()
  }

  /// Whether frames go out and come in.
  var isLinkUp: Bool { linkStatus & E1000Status.linkUp != 0 }

  /// Whether what is sent is received, and nothing else.
  var isLoopback: Bool { receiveControl.loopbackMode != 0 || phy.isLoopback }

  /// Brings STATUS in line with the PHY and CTRL, and says so to the guest.
  private func updateLink() {
    let before = linkStatus
    setLinkStatus()
    if (linkStatus ^ before) & E1000Status.linkUp != 0 { raise(.lsc) }
  }

  private func setLinkStatus() {
    let mode = phy.mode ?? E1000PHY.Mode(speed: 2, isFullDuplex: true)
    let control = control
    let forced = UInt16(truncatingIfNeeded: (control.rawValue & E1000Control.speedMask) >> 8)
    let speed = UInt32(control.contains(.forceSpeed) ? min(forced, 2) : mode.speed)
    let isFullDuplex = control.contains(.forceDuplex) ? control.contains(.fullDuplex) : mode.isFullDuplex
    linkStatus =
      speed << E1000Status.speedShift | UInt32(mode.speed) << E1000Status.detectedSpeedShift
      | (isFullDuplex ? E1000Status.fullDuplex : 0)
      | (phy.mode != nil && control.contains(.setLinkUp) ? E1000Status.linkUp : 0)
  }

  public func linkChanged() {
    let isThere = port.isLinkUp
    guard isThere != phy.hasPartner else { return }
    phy.setPartner(isThere)
    isPortFull = false
    if isThere { negotiate() } else { updateLink() }
    if !isPaused { beginTransmit() }
  }

  // MARK: Resets

  private func writeControl(_ value: UInt32) {
    let wasInPHYReset = control.contains(.phyReset)
    if value & E1000Control.reset.rawValue != 0 {
      resetRegisters()
      updateLink()
      port.receiveFilterChanged()
      return offerAgain()
    }
    keep(E1000Register.ctrl, value)
    if value & E1000Control.phyReset.rawValue != 0, !wasInPHYReset, phy.reset() {
      negotiate()
    } else {
      updateLink()
    }
  }

  /// The registers as after CTRL.RST (section 14.1): the PHY and PBA stay as they are.
  private func resetRegisters() {
    let packetBuffer = registers[E1000Register.pba >> 2]
    registers.update(repeating: 0, count: E1000RegisterMap.count)
    for (offset, value) in E1000RegisterMap.resetValues { registers[offset >> 2] = value }
    registers[E1000Register.pba >> 2] = packetBuffer
    eeprom.setPins(0)
    loadAddress()
    delayedCauses = 0
    throttledUntil = 0
    interruptTimer.disarm()
    transmitTimer.disarm()
    segmentationContext = E1000TransmitContext()
    checksumContext = E1000TransmitContext()
    partsSent = 0
    isPortFull = false
    updateInterrupt()
  }

  private func powerOn() {
    registers[E1000Register.pba >> 2] = E1000RegisterMap.packetBufferAllocation
    resetRegisters()
    registers[E1000Register.pba >> 2] = E1000RegisterMap.packetBufferAllocation
    portIndex = 0
    negotiationTimer.disarm()
    phy = E1000PHY()
    phy.setPartner(port.isLinkUp)
    setLinkStatus()
  }

  public func reset() {
    powerOn()
    resetConfiguration()
    port.receiveFilterChanged()
    offerAgain()
  }

  // MARK: Life

  public func pause() { isPaused = true }

  public func run() {
    isPaused = false
    beginTransmit()
    offerAgain()
  }

  /// The configuration space, the registers in the order of their offsets, and what goes on inside.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var registers: [UInt32]
    var eeprom: EEPROM93C46
    var phy: E1000PHY
    var portIndex: UInt32
    var delayedCauses: UInt32
    var throttledUntil: UInt64
    var isInterruptRaised: Bool
    var interruptDeadline: UInt64?
    var negotiationDeadline: UInt64?
    var transmitDeadline: UInt64?
    var segmentationContext: E1000TransmitContext
    var checksumContext: E1000TransmitContext
    var partsSent: Int
  }

  public func save() -> State {
    State(
      configuration: saveConfiguration(), registers: E1000RegisterMap.kept.map { registers[$0 >> 2] },
      eeprom: eeprom, phy: phy, portIndex: portIndex, delayedCauses: delayedCauses,
      throttledUntil: throttledUntil, isInterruptRaised: isInterruptRaised,
      interruptDeadline: interruptTimer.deadline, negotiationDeadline: negotiationTimer.deadline,
      transmitDeadline: transmitTimer.deadline, segmentationContext: segmentationContext,
      checksumContext: checksumContext, partsSent: partsSent)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.registers.count == E1000RegisterMap.kept.count else {
      throw RestoreError(
        "\(deviceName): \(state.registers.count) registers, not \(E1000RegisterMap.kept.count)")
    }
    guard state.eeprom.isValid else { throw RestoreError("\(deviceName): the EEPROM's state is none") }
    guard state.phy.isValid else { throw RestoreError("\(deviceName): the PHY's state is none") }
    guard state.partsSent >= 0 else { throw RestoreError("\(deviceName): a negative number of parts sent") }
    try restoreConfiguration(state.configuration)
    for (offset, value) in zip(E1000RegisterMap.kept, state.registers) {
      let mask = writable[offset >> 2]
      registers[offset >> 2] = mask == 0 ? value : value & mask
    }
    registers[E1000Register.ims >> 2] &= E1000Interrupts.all
    registers[E1000Register.eecd >> 2] &= 0x77
    eeprom = state.eeprom
    phy = state.phy
    portIndex = state.portIndex & 0xF_FFFF
    delayedCauses = state.delayedCauses & E1000Interrupts.all
    throttledUntil = state.throttledUntil
    isInterruptRaised = state.isInterruptRaised
    setInterrupt(isInterruptRaised)
    segmentationContext = state.segmentationContext
    checksumContext = state.checksumContext
    partsSent = state.partsSent
    isPortFull = false
    hasRefusedFrame = true
    restore(interruptTimer, state.interruptDeadline)
    restore(negotiationTimer, state.negotiationDeadline)
    restore(transmitTimer, state.transmitDeadline)
    setLinkStatus()
    // The cable here may be another.
    linkChanged()
    port.receiveFilterChanged()
  }

  private func restore(_ timer: Clock.Timer, _ deadline: UInt64?) {
    if let deadline { timer.arm(at: deadline) } else { timer.disarm() }
  }
}
