// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI

/// Realtek's RTL8139C+ or RTL8139C, a Fast Ethernet controller: QEMU's `rtl8139`, PCI 10EC:8139.
public final class RTL8139: PCIFunction, RegisterFile, Device, PacketReceiver {
  /// The windows, which show the same registers: ports (BAR 0) and memory (BAR 1).
  public enum Window {
    case ports
    case memory
  }

  /// Which of the family it is. Linux drives each with a driver of its own, by the revision in configuration space.
  public enum Chip: String, Sendable, CaseIterable {
    /// RTL8139C: four transmit descriptors in registers and a receive ring; Linux's `8139too`.
    case c = "8139c"
    /// RTL8139C+: rings of descriptors besides; Linux's `8139cp`.
    case cPlus = "8139c+"
  }

  public let deviceName: String
  private let chip: Chip
  let trace = TraceCategory("rtl8139")
  public var traceCategories: [TraceCategory] { [trace] }
  let memory: GuestMemory
  let port: any PacketPort
  let clock: Clock
  let pieces = RTL8139Pieces()
  let trailer = FrameTrailer()

  /// The registers by their offset divided by four, as far as they just keep what was written.
  let registers = UnsafeMutablePointer<UInt32>.allocate(capacity: registerCount)
  private let writable = UnsafeMutablePointer<UInt32>.allocate(capacity: registerCount)
  private static let registerCount = RTL8139Register.end / 4
  var eeprom: EEPROM93C46
  /// CR's two enable bits.
  private(set) var chipCommand: UInt32 = 0
  private(set) var interrupts: RTL8139Interrupts = []
  private(set) var interruptMask: UInt16 = 0
  private var phyControl = RTL8139PHY.controlAtReset
  private var phyAdvertisement = RTL8139PHY.advertisement
  private var isLinkUp = false
  private var hasLinkChanged = false
  var statistics = RTL8139Statistics()
  /// MPC.
  var missed: UInt32 = 0

  // The timer of 33 MHz: TCTR was zero at this time.
  private static let tick: UInt64 = 30
  private var timerBase: UInt64 = 0
  private lazy var timer = clock.makeTimer { [unowned self] in timeOut() }

  // Transmission.
  private(set) lazy var transmitTimer = clock.makeTimer { [unowned self] in transmit() }
  /// Which of the four descriptors of C mode is sent next.
  var transmitIndex = 0
  /// The rings of C+ mode.
  var normalQueue = TransmitQueue()
  var highQueue = TransmitQueue()
  /// The port refused a frame and did not call yet.
  var isPortFull = false
  /// A frame is being handed over; nothing may come in.
  var isTransmitting = false

  // Reception.
  /// Where the card writes next in the ring of C mode, and how far the driver has read.
  var writeOffset = 0
  var readOffset = 0
  /// The next descriptor of C+ mode.
  var receiveIndex = 0
  /// The port may hold a frame that was refused.
  var hasRefusedFrame = false
  /// The driver has taken something since it was last called for a frame that waits.
  var hasReadMoved = false
  /// In C+ mode drivers need not tell of new descriptors.
  private(set) lazy var retryTimer = clock.makeTimer { [unowned self] in offerAgain() }
  private(set) var isPaused = false

  /// The card.
  /// - Parameters:
  ///   - name: its name on the board.
  ///   - chip: which it is.
  ///   - memory: where its rings and buffers are.
  ///   - port: the socket; the card becomes its receiver.
  ///   - address: what its EEPROM says of its address.
  ///   - clock: what its timer runs by.
  ///   - optionROM: a region of a power of two of bytes, or nil.
  public init(
    name: String = "rtl8139", chip: Chip = .cPlus, memory: GuestMemory, port: any PacketPort,
    address: MACAddress, clock: Clock,
    optionROM: MemoryRegion?
  ) {
    deviceName = name
    self.chip = chip
    self.memory = memory
    self.port = port
    self.clock = clock
    // The identity, and the address in words 7 to 9 (section 7 "EEPROM contents").
    eeprom = EEPROM93C46(
      words: [0x8129, 0x10EC, 0x8139, 0x1AF4, 0x1100, 0, 0]
        + (0..<3).map { UInt16(address[$0 * 2]) | UInt16(address[$0 * 2 + 1]) << 8 })
    registers.initialize(repeating: 0, count: Self.registerCount)
    writable.initialize(repeating: 0, count: Self.registerCount)
    for (offset, mask) in RTL8139Register.writable { writable[offset >> 2] = mask }
    if chip == .c {
      for offset in RTL8139Register.plusOnly { writable[offset >> 2] = 0 }
    }
    super.init(
      name: name,
      identity: PCIIdentity(
        vendor: 0x10EC, device: 0x8139, revision: chip == .c ? 0x10 : 0x20, classCode: 0x020000),
      interruptPin: 1)
    let count = UInt64(RTL8139Register.end)
    addPortBAR(0, window: RegisterWindow(self, .ports, name: "\(name)-io", count: count, widest: .dword))
    addMemoryBAR(
      1,
      region: MemoryRegion(
        window: RegisterWindow(self, .memory, name: "\(name)-mmio", count: count, widest: .dword),
        base: GuestAddress(UInt64(0)), priority: 1))
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
    let shift = UInt64(offset & 3) * 8
    var value = UInt64(readRegister(offset & 0xFC)) >> shift
    if offset & 3 + width.count > 4 {
      value |= UInt64(readRegister((offset &+ 4) & 0xFC)) << (32 - shift)
    }
    return value & width.allOnes
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    let shift = UInt64(offset & 3) * 8
    let mask = width.allOnes << shift
    let value = value << shift
    writeRegister(offset & 0xFC, UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: mask))
    if mask >> 32 != 0 {
      writeRegister(
        (offset &+ 4) & 0xFC, UInt32(truncatingIfNeeded: value >> 32),
        UInt32(truncatingIfNeeded: mask >> 32))
    }
  }

  private func readRegister(_ offset: Int) -> UInt32 {
    let kept = registers[offset >> 2]
    switch offset {
    case RTL8139Register.command:
      return chipCommand | (readOffset == writeOffset ? RTL8139Command.isBufferEmpty : 0)
    case RTL8139Register.capr:
      return UInt32(truncatingIfNeeded: readOffset &- 16) & 0xFFFF | UInt32(writeOffset) << 16
    case RTL8139Register.imr: return UInt32(interruptMask) | UInt32(interrupts.rawValue) << 16
    case RTL8139Register.tcr: return kept | RTL8139TransmitConfiguration.version(of: chip)
    case RTL8139Register.tctr: return timerCount
    case RTL8139Register.mpc: return missed
    case RTL8139Register.cr9346: return kept | (eeprom.output ? RTL8139Configuration.dataOut : 0)
    case RTL8139Register.msr:
      let isSlow = phyControl & (RTL8139PHY.negotiate | RTL8139PHY.speed100) == 0
      return kept | RTL8139MediaStatus.base | (isLinkUp ? 0 : RTL8139MediaStatus.linkDown)
        | (isSlow ? RTL8139MediaStatus.speed10 : 0)
    case RTL8139Register.mulint: return kept | 0x10 << 16
    case RTL8139Register.summary: return transmitSummary | UInt32(phyControl) << 16
    case RTL8139Register.bmsr:
      return RTL8139PHY.status | (isLinkUp ? RTL8139PHY.statusLinkUp : 0) | UInt32(phyAdvertisement) << 16
    case RTL8139Register.anlpar:
      return isLinkUp ? RTL8139PHY.partner | RTL8139PHY.partnerNegotiates << 16 : 0
    case RTL8139Register.cscr:
      let value = RTL8139PHY.cscr | (isLinkUp ? RTL8139PHY.cscrLinkUp : 0)
      defer { hasLinkChanged = false }
      return hasLinkChanged ? value | RTL8139PHY.cscrLinkChanged : value
    default: return kept
    }
  }

  /// Writes the bits of `mask`. Frames may come in during the call.
  private func writeRegister(_ offset: Int, _ value: UInt32, _ mask: UInt32) {
    switch offset {
    case RTL8139Register.tsd: writeTransmitStatus(offset, value, mask)
    case RTL8139Register.command: if mask >> 24 != 0 { writeCommand(value) }
    case RTL8139Register.capr:
      guard mask & 0xFFFF != 0 else { return }
      let old = UInt32(truncatingIfNeeded: readOffset &- 16)
      let offset = (Int(old & ~mask & 0xFFFF | value & mask & 0xFFFF) &+ 16) & 0xFFFF
      readOffset = offset & (receiveConfiguration.ringByteCount &- 1)
      hasReadMoved = true
      offerAgain()
    case RTL8139Register.imr:
      let wanted = UInt32(interruptMask) & ~mask | value & mask
      interruptMask = UInt16(truncatingIfNeeded: wanted) & RTL8139Interrupts.all
      interrupts.subtract(RTL8139Interrupts(rawValue: UInt16(truncatingIfNeeded: (value & mask) >> 16)))
      updateInterrupt()
      if isPlusReceiver { offerAgain() } else if hasRefusedFrame { callDriverAgain() }
    case RTL8139Register.rcr:
      let old = receiveConfiguration
      keep(offset, value, mask)
      if (receiveConfiguration.rawValue ^ old.rawValue) & RTL8139ReceiveConfiguration.lengthMask != 0 {
        (writeOffset, readOffset) = (0, 0)
      }
      if receiveConfiguration != old { port.receiveFilterChanged() }
      offerAgain()
    case RTL8139Register.tcr:
      keep(offset, value, mask)
      offerAgain()
    case RTL8139Register.tctr:
      timerBase = clock.now
      armTimer()
    case RTL8139Register.mpc: missed = 0
    case RTL8139Register.cr9346: writeConfiguration01(value, mask)
    case RTL8139Register.timerInt:
      registers[offset >> 2] = registers[offset >> 2] & ~mask | value & mask
      armTimer()
    case RTL8139Register.msr: keepConfiguration(offset, value, mask, RTL8139Configuration.writable34)
    case RTL8139Register.summary: if mask >> 16 != 0 { writePHYControl(value, mask) }
    case RTL8139Register.bmsr:
      let mask = UInt16(truncatingIfNeeded: mask >> 16) & RTL8139PHY.advertisementWritable
      phyAdvertisement = phyAdvertisement & ~mask | UInt16(truncatingIfNeeded: value >> 16) & mask
    case RTL8139Register.config5: writePoll(value, mask)
    case RTL8139Register.idr0..<RTL8139Register.tsd.lowerBound:
      let old = registers[offset >> 2]
      keep(offset, value, mask)
      if registers[offset >> 2] != old { port.receiveFilterChanged() }
    case RTL8139Register.cpcr, RTL8139Register.rdsar, RTL8139Register.rdsar + 4:
      keep(offset, value, mask)
      offerAgain()
    default: keep(offset, value, mask)
    }
  }

  private func keep(_ offset: Int, _ value: UInt32, _ mask: UInt32) {
    let mask = mask & writable[offset >> 2]
    registers[offset >> 2] = registers[offset >> 2] & ~mask | value & mask
  }

  private func writeCommand(_ value: UInt32) {
    guard value & RTL8139Command.reset == 0 else {
      trace("reset")
      softwareReset()
      port.receiveFilterChanged()
      return offerAgain()
    }
    let started = value & ~chipCommand
    let changed = value ^ chipCommand
    chipCommand = value & (RTL8139Command.receive | RTL8139Command.transmit)
    if started & RTL8139Command.transmit != 0 {
      transmitIndex = 0
      normalQueue.rewind()
      highQueue.rewind()
    }
    if started & RTL8139Command.receive != 0 {
      (writeOffset, readOffset, receiveIndex) = (0, 0, 0)
    }
    if changed & RTL8139Command.receive != 0 { port.receiveFilterChanged() }
    offerAgain()
  }

  /// TPPoll and CONFIG5.
  private func writePoll(_ value: UInt32, _ mask: UInt32) {
    let mask5 = mask & RTL8139Configuration.writable5
    registers[RTL8139Register.config5 >> 2] =
      registers[RTL8139Register.config5 >> 2] & ~mask5 | value & mask5
    let value = value & mask
    if value & RTL8139Poll.softwareInterrupt != 0 { raise(.software) }
    if value & RTL8139Poll.high != 0 { highQueue.isPolled = true }
    if value & RTL8139Poll.normal != 0 { normalQueue.isPolled = true }
    if value & (RTL8139Poll.high | RTL8139Poll.normal) != 0 { transmit() }
  }

  var receiveConfiguration: RTL8139ReceiveConfiguration {
    RTL8139ReceiveConfiguration(rawValue: registers[RTL8139Register.rcr >> 2])
  }
  var plusCommand: RTL8139PlusCommand {
    RTL8139PlusCommand(rawValue: registers[RTL8139Register.cpcr >> 2])
  }
  var isPlusReceiver: Bool { plusCommand.contains(.receive) }
  var isLoopback: Bool {
    registers[RTL8139Register.tcr >> 2] & RTL8139TransmitConfiguration.loopbackMask
      == RTL8139TransmitConfiguration.loopbackMask
  }
  /// A pair of registers that hold an address of 64 bits.
  func wideRegister(_ offset: Int) -> UInt64 {
    UInt64(registers[offset >> 2]) | UInt64(registers[(offset >> 2) + 1]) << 32
  }

  // MARK: Interrupts and the timer

  func raise(_ causes: RTL8139Interrupts) {
    interrupts.formUnion(causes)
    updateInterrupt()
  }

  private func updateInterrupt() { setInterrupt(interrupts.rawValue & interruptMask != 0) }

  private var timerCount: UInt32 {
    UInt32(truncatingIfNeeded: (clock.now &- timerBase) / Self.tick)
  }

  /// The interrupt comes when TCTR reaches TimerInt, unless that is zero.
  private func armTimer() {
    let wanted = registers[RTL8139Register.timerInt >> 2]
    guard wanted != 0 else { return timer.disarm() }
    let now = clock.now
    let ticks = (now &- timerBase) / Self.tick
    let distance = wanted &- UInt32(truncatingIfNeeded: ticks)
    let ahead = distance == 0 ? 1 << 32 : UInt64(distance)
    timer.arm(at: timerBase &+ (ticks &+ ahead) &* Self.tick)
  }

  private func timeOut() {
    raise(.timeOut)
    armTimer()
  }

  // MARK: Configuration, EEPROM and PHY

  private var isUnlocked: Bool {
    registers[RTL8139Register.cr9346 >> 2] & RTL8139Configuration.modeMask
      == RTL8139Configuration.unlockedMode
  }

  /// Changes configuration registers, if they are unlocked.
  private func keepConfiguration(_ offset: Int, _ value: UInt32, _ mask: UInt32, _ writable: UInt32) {
    guard isUnlocked else { return }
    let mask = mask & writable
    registers[offset >> 2] = registers[offset >> 2] & ~mask | value & mask
  }

  /// CONFIG0 and CONFIG1, and 9346CR below them.
  private func writeConfiguration01(_ value: UInt32, _ mask: UInt32) {
    keepConfiguration(RTL8139Register.cr9346, value, mask, RTL8139Configuration.writable01)
    guard mask & 0xFF != 0 else { return }
    var pins = value & 0xCE
    switch value & RTL8139Configuration.modeMask {
    case RTL8139Configuration.loadMode:
      loadAddress()
      port.receiveFilterChanged()
      // It is back in normal mode at once.
      pins &= ~RTL8139Configuration.modeMask
      eeprom.deselect()
    case RTL8139Configuration.programMode:
      eeprom.setPins(
        selected: value & RTL8139Configuration.select != 0,
        clockHigh: value & RTL8139Configuration.clock != 0,
        data: value & RTL8139Configuration.dataIn != 0)
    default: eeprom.deselect()
    }
    registers[RTL8139Register.cr9346 >> 2] = registers[RTL8139Register.cr9346 >> 2] & ~0xFF | pins
  }

  private func loadAddress() {
    registers[RTL8139Register.idr0 >> 2] = UInt32(eeprom[7]) | UInt32(eeprom[8]) << 16
    registers[RTL8139Register.idr4 >> 2] = UInt32(eeprom[9])
  }

  private func writePHYControl(_ value: UInt32, _ mask: UInt32) {
    let value = UInt16(truncatingIfNeeded: value >> 16)
    var mask = UInt16(truncatingIfNeeded: mask >> 16)
    if value & mask & RTL8139PHY.reset != 0 {
      phyControl = RTL8139PHY.controlAtReset
      phyAdvertisement = RTL8139PHY.advertisement
      return
    }
    mask &= RTL8139PHY.writable
    if !isUnlocked { mask &= ~RTL8139PHY.locked }
    phyControl = phyControl & ~mask | value & mask
  }

  public func linkChanged() {
    guard port.isLinkUp != isLinkUp else { return }
    isLinkUp = port.isLinkUp
    hasLinkChanged = true
    isPortFull = false
    raise(.linkChange)
    transmit()
  }

  // MARK: Resets

  /// CR's reset bit (section 5.7): the address, the groups, the configuration and the PHY stay.
  private func softwareReset() {
    for offset in stride(from: RTL8139Register.tsd.lowerBound, to: RTL8139Register.end, by: 4) {
      switch offset {
      case RTL8139Register.tsd: registers[offset >> 2] = RTL8139TransmitStatus.own
      case RTL8139Register.cr9346, RTL8139Register.msr, RTL8139Register.config5: break
      default: registers[offset >> 2] = 0
      }
    }
    chipCommand = 0
    interrupts = []
    interruptMask = 0
    missed = 0
    transmitIndex = 0
    normalQueue = TransmitQueue()
    highQueue = TransmitQueue()
    (writeOffset, readOffset, receiveIndex) = (0, 0, 0)
    isPortFull = false
    transmitTimer.disarm()
    retryTimer.disarm()
    timerBase = clock.now
    timer.disarm()
    updateInterrupt()
  }

  private func powerOn() {
    registers.update(repeating: 0, count: Self.registerCount)
    softwareReset()
    registers[RTL8139Register.cr9346 >> 2] = RTL8139Configuration.reset01
    registers[RTL8139Register.msr >> 2] = RTL8139Configuration.reset34
    eeprom.deselect()
    loadAddress()
    statistics = RTL8139Statistics()
    phyControl = RTL8139PHY.controlAtReset
    phyAdvertisement = RTL8139PHY.advertisement
    isLinkUp = port.isLinkUp
    hasLinkChanged = false
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
    transmit()
    offerAgain()
  }

  /// All that is not made anew from configuration space and the port.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    /// 64 dwords.
    var registers: [UInt32]
    var eeprom: EEPROM93C46
    var command: UInt32
    var interrupts: UInt16
    var interruptMask: UInt16
    var phyControl: UInt16
    var phyAdvertisement: UInt16
    var isLinkUp: Bool
    var hasLinkChanged: Bool
    var statistics: RTL8139Statistics
    var missed: UInt32
    /// In nanoseconds of guest time.
    var timerBase: UInt64
    var timerDeadline: UInt64?
    var transmitDeadline: UInt64?
    var transmitIndex: Int
    var normalQueue: TransmitQueue
    var highQueue: TransmitQueue
    var writeOffset: Int
    var readOffset: Int
    var receiveIndex: Int
  }

  public func save() -> State {
    State(
      configuration: saveConfiguration(),
      registers: Array(UnsafeBufferPointer(start: registers, count: Self.registerCount)), eeprom: eeprom,
      command: chipCommand, interrupts: interrupts.rawValue, interruptMask: interruptMask,
      phyControl: phyControl, phyAdvertisement: phyAdvertisement, isLinkUp: isLinkUp,
      hasLinkChanged: hasLinkChanged, statistics: statistics, missed: missed, timerBase: timerBase,
      timerDeadline: timer.deadline, transmitDeadline: transmitTimer.deadline, transmitIndex: transmitIndex,
      normalQueue: normalQueue, highQueue: highQueue, writeOffset: writeOffset, readOffset: readOffset,
      receiveIndex: receiveIndex)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.registers.count == Self.registerCount else {
      throw RestoreError("\(deviceName): \(state.registers.count) registers, not \(Self.registerCount)")
    }
    guard state.eeprom.isValid else { throw RestoreError("\(deviceName): the EEPROM's state is none") }
    guard state.normalQueue.isValid, state.highQueue.isValid,
      (0..<RTL8139Descriptor.ringCount).contains(state.receiveIndex)
    else { throw RestoreError("\(deviceName): an index is out of its ring") }
    try restoreConfiguration(state.configuration)
    for (index, value) in state.registers.enumerated() {
      let mask = writable[index]
      registers[index] = mask == 0 ? value : value & mask
    }
    if chip == .c {
      for offset in RTL8139Register.plusOnly { registers[offset >> 2] = 0 }
    }
    // The EEPROM's output, and bits that are computed, are not kept.
    registers[RTL8139Register.cr9346 >> 2] &= RTL8139Configuration.writable01 | 0x000C_00CE
    registers[RTL8139Register.msr >> 2] &= RTL8139Configuration.writable34 | 0x0100
    eeprom = state.eeprom
    chipCommand = state.command & (RTL8139Command.receive | RTL8139Command.transmit)
    interrupts = RTL8139Interrupts(rawValue: state.interrupts & RTL8139Interrupts.all)
    interruptMask = state.interruptMask & RTL8139Interrupts.all
    phyControl = state.phyControl
    phyAdvertisement = state.phyAdvertisement
    isLinkUp = state.isLinkUp
    hasLinkChanged = state.hasLinkChanged
    statistics = state.statistics
    missed = state.missed & 0xFF_FFFF
    timerBase = state.timerBase
    transmitIndex = state.transmitIndex & 3
    normalQueue = state.normalQueue
    highQueue = state.highQueue
    let ringMask = receiveConfiguration.ringByteCount &- 1
    (writeOffset, readOffset) = (state.writeOffset & ringMask, state.readOffset & ringMask)
    receiveIndex = state.receiveIndex
    isPortFull = false
    (hasRefusedFrame, hasReadMoved) = (true, true)
    retryTimer.disarm()
    if let deadline = state.timerDeadline { timer.arm(at: deadline) } else { timer.disarm() }
    if let deadline = state.transmitDeadline {
      transmitTimer.arm(at: deadline)
    } else {
      transmitTimer.disarm()
    }
    updateInterrupt()
    // The cable here may be another.
    linkChanged()
    port.receiveFilterChanged()
  }
}
