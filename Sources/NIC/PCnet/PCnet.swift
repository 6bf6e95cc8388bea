// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI

/// AMD's Am79C970A, PCnet-PCI II, a 10 Mb/s Ethernet controller: QEMU's `pcnet`, PCI 1022:2000.
public final class PCnet: PCIFunction, RegisterFile, Device, PacketReceiver {
  /// The windows, which show the same: ports (BAR 0) and memory (BAR 1).
  public enum Window {
    case ports
    case memory
  }

  public let deviceName: String
  let memory: GuestMemory
  let port: any PacketPort
  let clock: Clock
  private let prom: [UInt8]
  private let stationAddress: MACAddress

  /// The control and status registers, and the bus configuration registers.
  let csr = UnsafeMutablePointer<UInt16>.allocate(capacity: PCnetCSR.count)
  private let bcr = UnsafeMutablePointer<UInt16>.allocate(capacity: PCnetBCR.count)
  /// A frame being put together.
  let frame = UnsafeMutableRawPointer.allocate(byteCount: PCnet.frameByteCount, alignment: 8)
  static let frameByteCount = 16384

  private var registerAddress: UInt16 = 0
  /// DWIO: registers are four bytes apart.
  private var isDoubleWordMode = false
  var style = PCnetSoftwareStyle.lance
  /// The rings' present descriptors.
  var receiveIndex = 0
  var transmitIndex = 0

  private(set) lazy var pollTimer = clock.makeTimer { [unowned self] in poll() }
  /// The driver says when there is something to send, so that nobody has to look.
  private var usesDemand = false
  var isPortFull = false
  var isTransmitting = false
  var hasRefusedFrame = false
  var isPaused = false

  /// The card.
  /// - Parameters:
  ///   - memory: where its rings and buffers are.
  ///   - port: the socket; the card becomes its receiver.
  ///   - address: what its PROM says of its address.
  ///   - clock: what it looks at its rings by.
  ///   - optionROM: a region of a power of two of bytes, or nil.
  ///   - name: its name on the board.
  public init(
    memory: GuestMemory, port: any PacketPort, address: MACAddress, clock: Clock, optionROM: MemoryRegion?,
    name: String = "pcnet"
  ) {
    self.memory = memory
    self.port = port
    self.clock = clock
    deviceName = name
    stationAddress = address
    var prom = address.bytes + [0, 0, 0, 0x11, 0, 0, 0, 0, 0x57, 0x57]
    let sum = prom.reduce(0) { $0 + UInt16($1) }
    prom[12] = UInt8(truncatingIfNeeded: sum)
    prom[13] = UInt8(truncatingIfNeeded: sum >> 8)
    self.prom = prom
    csr.initialize(repeating: 0, count: PCnetCSR.count)
    bcr.initialize(repeating: 0, count: PCnetBCR.count)
    super.init(
      name: name,
      identity: PCIIdentity(
        vendor: PCnetIdentity.vendor, device: PCnetIdentity.device, revision: PCnetIdentity.revision,
        classCode: 0x020000, subsystemVendor: 0, subsystem: 0),
      interruptPin: 1)
    // MIN_GNT and MAX_LAT.
    define(0x3E, UInt16(0xFF06))
    addPortBAR(
      0, window: RegisterWindow(self, .ports, name: "\(name)-io", count: PCnetPort.byteCount, widest: .dword))
    let window = RegisterWindow(
      self, .memory, name: "\(name)-mmio", count: PCnetPort.byteCount, widest: .dword)
    addMemoryBAR(1, region: MemoryRegion(window: window, base: GuestAddress(UInt64(0)), priority: 1))
    if let optionROM { addROM(region: optionROM) }
    port.receiver = self
    powerOn()
  }

  deinit {
    csr.deallocate()
    bcr.deallocate()
    frame.deallocate()
  }

  // MARK: Windows

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    if offset < PCnetPort.promByteCount {
      var value: UInt64 = 0
      for index in 0..<width.count where offset + index < PCnetPort.promByteCount {
        value |= UInt64(prom[offset + index]) << UInt64(index * 8)
      }
      return value
    }
    guard let place = place(offset, width) else { return width.allOnes }
    switch place {
    case .data: return UInt64(readCSR(Int(registerAddress)))
    case .address: return UInt64(registerAddress)
    case .reset:
      softReset()
      port.receiveFilterChanged()
      return 0
    case .busData: return UInt64(readBCR(Int(registerAddress)))
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    guard offset >= PCnetPort.promByteCount else { return }
    if !isDoubleWordMode, width == .dword {
      // The first such write to RDP changes the mode and nothing else.
      if offset == PCnetPort.promByteCount { isDoubleWordMode = true }
      return
    }
    guard width != .byte, let place = place(offset, width) else { return }
    let value = UInt16(truncatingIfNeeded: value)
    switch place {
    case .data: writeCSR(Int(registerAddress), value)
    case .address: registerAddress = value & 0x7F
    case .reset: break
    case .busData: writeBCR(Int(registerAddress), value)
    }
  }

  private func place(_ offset: Int, _ width: AccessWidth) -> PCnetPlace? {
    let offset = offset - PCnetPort.promByteCount
    let step = isDoubleWordMode ? 4 : 2
    guard offset % step == 0, width != .dword || isDoubleWordMode else { return nil }
    return PCnetPlace(rawValue: offset / step)
  }

  // MARK: Control and status registers

  var status: PCnetStatus { PCnetStatus(rawValue: csr[PCnetCSR.status]) }
  var mode: PCnetMode { PCnetMode(rawValue: csr[PCnetCSR.mode]) }
  private var isSuspended: Bool { csr[PCnetCSR.extended] & PCnetExtended.suspend != 0 }

  private func readCSR(_ index: Int) -> UInt16 {
    switch index {
    case PCnetCSR.status:
      let value = csr[index]
      return value | (value & PCnetStatus.errors != 0 ? PCnetStatus.error.rawValue : 0)
    case 16, 17: return csr[index - 15]
    case PCnetCSR.softwareStyle: return style.registerValue
    case PCnetCSR.receiveCounter:
      return UInt16(truncatingIfNeeded: receiveIndex - ringCount(PCnetCSR.receiveLength))
    case PCnetCSR.transmitCounter:
      return UInt16(truncatingIfNeeded: transmitIndex - ringCount(PCnetCSR.transmitLength))
    case PCnetCSR.chipIDLow: return UInt16(truncatingIfNeeded: PCnetIdentity.chipID)
    case PCnetCSR.chipIDHigh: return UInt16(truncatingIfNeeded: PCnetIdentity.chipID >> 16)
    case 0..<PCnetCSR.count: return csr[index]
    default: return 0
    }
  }

  private func writeCSR(_ index: Int, _ value: UInt16) {
    switch index {
    case PCnetCSR.status: writeStatus(value)
    case PCnetCSR.masks:
      csr[index] = value & PCnetMasks.writable
      updateInterrupt()
      poll()
    case PCnetCSR.features:
      let kept = csr[index] & PCnetFeatures.clearedByOnes & ~value
      csr[index] = value & PCnetFeatures.writable & ~PCnetFeatures.clearedByOnes | kept
      if value & PCnetFeatures.userCommand != 0 { csr[index] |= PCnetFeatures.userInterrupt }
      updateInterrupt()
    case PCnetCSR.extended:
      let kept = csr[index] & PCnetExtended.clearedByOnes & ~value
      csr[index] = value & PCnetExtended.writable | kept
      poll()
    case PCnetCSR.softwareStyle: writeBCR(PCnetBCR.softwareStyle, value)
    case PCnetCSR.pollingInterval, PCnetCSR.missedFrames: csr[index] = value
    case 1, 2, 8...15, 18...41, 60...71, PCnetCSR.receiveLength, PCnetCSR.transmitLength, 80, 82, 84, 85, 86,
      PCnetCSR.busTimeout:
      // These change while the chip rests only. The positions in the rings stay: drivers suspend it to change the
      // group filter and go on where they were.
      guard status.contains(.stop) || isSuspended else { return }
      let old = csr[index]
      csr[index] = value
      if 8...15 ~= index, value != old { port.receiveFilterChanged() }
    case 16, 17: writeCSR(index - 15, value)
    default: break
    }
  }

  private func writeStatus(_ value: UInt16) {
    let command = PCnetStatus(rawValue: value)
    var bits = csr[PCnetCSR.status] & ~(value & PCnetStatus.clearedByOnes)
    bits = bits & ~PCnetStatus.interruptEnable.rawValue | value & PCnetStatus.interruptEnable.rawValue
    csr[PCnetCSR.status] = bits
    if command.contains(.stop) {
      if !status.contains(.stop) { stop() }
    } else {
      if command.contains(.initialize), !status.contains(.initialize) { initialize() }
      if command.contains(.start), !status.contains(.start) { start() }
    }
    if command.contains(.transmitDemand), status.contains(.transmitOn) { usesDemand = true }
    updateInterrupt()
    poll()
  }

  private func stop() {
    let wasReceiving = status.contains(.receiveOn)
    csr[PCnetCSR.status] = PCnetStatus.stop.rawValue
    csr[PCnetCSR.features] &= ~0x02C2
    csr[PCnetCSR.extended] &= ~0x0011
    usesDemand = false
    isPortFull = false
    pollTimer.disarm()
    if wasReceiving { port.receiveFilterChanged() }
  }

  /// Reads the initialization block ("Initialization Block").
  private func initialize() {
    let base = GuestAddress(
      UInt64(csr[PCnetCSR.initializationAddressLow]) | UInt64(csr[PCnetCSR.initializationAddressHigh]) << 16)
    var isRead = true
    func word(_ offset: Int) -> UInt16 {
      let value = memory.load(base + offset, as: UInt16.self)
      if value == nil { isRead = false }
      return value ?? 0
    }
    let addressOffset = style.is32Bit ? 4 : 2
    let filterOffset = style.is32Bit ? 12 : 8
    let ringOffset = style.is32Bit ? 20 : 16
    csr[PCnetCSR.mode] = word(0)
    for index in 0..<3 { csr[PCnetCSR.physicalAddress + index] = word(addressOffset + index * 2) }
    for index in 0..<4 { csr[PCnetCSR.groupFilter + index] = word(filterOffset + index * 2) }
    let receiveHigh = word(ringOffset + 2)
    let transmitHigh = word(ringOffset + 6)
    let lengths = word(2)
    let receiveCode = style.is32Bit ? lengths >> 4 & 0xF : receiveHigh >> 13
    let transmitCode = style.is32Bit ? lengths >> 12 : transmitHigh >> 13
    let highMask: UInt16 = style.is32Bit ? 0xFFFF : 0xFF
    let upper = style.is32Bit ? 0 : csr[PCnetCSR.initializationAddressHigh] & 0xFF00
    let alignment: UInt16 = style.is32Bit ? 0xF : 0x7
    csr[PCnetCSR.receiveBase] = word(ringOffset) & ~alignment
    csr[PCnetCSR.receiveBase + 1] = receiveHigh & highMask | upper
    csr[PCnetCSR.transmitBase] = word(ringOffset + 4) & ~alignment
    csr[PCnetCSR.transmitBase + 1] = transmitHigh & highMask | upper
    csr[PCnetCSR.receiveLength] = 0 &- 1 << min(receiveCode, 9)
    csr[PCnetCSR.transmitLength] = 0 &- 1 << min(transmitCode, 9)
    csr[PCnetCSR.ringLengths] = transmitCode << 12 | receiveCode << 8
    receiveIndex = 0
    transmitIndex = 0
    var bits = status.subtracting(.stop).union(.initialize)
    bits.insert(isRead ? .initializationDone : .memoryError)
    csr[PCnetCSR.status] = bits.rawValue
    port.receiveFilterChanged()
  }

  private func start() {
    var bits = status.subtracting(.stop).union(.start)
    if !mode.contains(.disableTransmitter) { bits.insert(.transmitOn) }
    if !mode.contains(.disableReceiver) { bits.insert(.receiveOn) }
    let isReceivingAnew = bits.contains(.receiveOn) && !status.contains(.receiveOn)
    csr[PCnetCSR.status] = bits.rawValue
    receiveIndex = 0
    transmitIndex = 0
    if isReceivingAnew { port.receiveFilterChanged() }
  }

  /// How many descriptors a ring has: the register holds the two's complement.
  func ringCount(_ index: Int) -> Int { 0x10000 - Int(csr[index]) }

  func ringBase(_ index: Int) -> GuestAddress {
    GuestAddress(UInt64(csr[index]) | UInt64(csr[index + 1]) << 16)
  }

  /// Whether frames may be taken from memory and put there.
  var isRunning: Bool {
    !status.contains(.stop) && status.contains(.start) && !isSuspended && isBusMaster && !isPaused
  }

  func raise(_ cause: PCnetStatus) {
    csr[PCnetCSR.status] |= cause.rawValue
    updateInterrupt()
  }

  func updateInterrupt() {
    let bits = csr[PCnetCSR.status]
    let features = csr[PCnetCSR.features]
    var isPending = bits & ~csr[PCnetCSR.masks] & PCnetStatus.interrupts != 0
    if features >> 1 & ~features & PCnetFeatures.masks != 0 { isPending = true }
    if features & PCnetFeatures.userInterrupt != 0 { isPending = true }
    csr[PCnetCSR.status] =
      bits & ~PCnetStatus.interrupt.rawValue | (isPending ? PCnetStatus.interrupt.rawValue : 0)
    setInterrupt(isPending && bits & PCnetStatus.interruptEnable.rawValue != 0)
  }

  // MARK: Bus configuration registers

  private func readBCR(_ index: Int) -> UInt16 {
    switch index {
    case PCnetBCR.link...PCnetBCR.led3:
      let value = bcr[index] & ~PCnetBCR.ledOn
      let isOn = port.isLinkUp && value & PCnetBCR.linkSource != 0
      return value | (isOn ? PCnetBCR.ledOn : 0)
    case PCnetBCR.softwareStyle: return style.registerValue
    case PCnetBCR.burstControl: return bcr[index] & ~0x80 | (isDoubleWordMode ? 0x80 : 0)
    case 0..<PCnetBCR.count: return bcr[index]
    default: return 0
    }
  }

  private func writeBCR(_ index: Int, _ value: UInt16) {
    if index == PCnetBCR.softwareStyle {
      guard status.contains(.stop) || isSuspended else { return }
      style = PCnetSoftwareStyle(rawValue: UInt8(truncatingIfNeeded: value)) ?? style
    } else if let mask = PCnetBCR.writable[index] {
      bcr[index] = value & mask
    }
  }

  // MARK: Rings

  private static let pollInterval: UInt64 = 1_600_000

  /// Looks at the rings: something may be there to be sent, and room for what waits. The last thing in a
  /// register access.
  func poll() {
    guard isRunning else { return }
    transmit()
    if hasRefusedFrame {
      hasRefusedFrame = false
      port.receiverBecameReady()
    }
    let looksForFrames =
      status.contains(.transmitOn) && !usesDemand
      && csr[PCnetCSR.features] & PCnetFeatures.disablePolling == 0
    if looksForFrames || hasRefusedFrame, !pollTimer.isArmed {
      pollTimer.arm(at: clock.now &+ Self.pollInterval)
    }
  }

  public func packetPortBecameReady() {
    isPortFull = false
    poll()
  }

  public func linkChanged() {
    isPortFull = false
    poll()
  }

  // MARK: Life

  /// As after a read of RESET ("S_RESET").
  private func softReset() {
    csr.update(repeating: 0, count: PCnetCSR.count)
    csr[PCnetCSR.status] = PCnetStatus.stop.rawValue
    csr[PCnetCSR.features] = PCnetFeatures.atReset
    csr[PCnetCSR.burst] = 0x1410
    csr[PCnetCSR.busTimeout] = 0x0200
    csr[PCnetCSR.receiveLength] = 0xFFFF
    csr[PCnetCSR.transmitLength] = 0xFFFF
    for index in 0..<3 {
      csr[PCnetCSR.physicalAddress + index] =
        UInt16(stationAddress[index * 2]) | UInt16(stationAddress[index * 2 + 1]) << 8
    }
    receiveIndex = 0
    transmitIndex = 0
    usesDemand = false
    isPortFull = false
    pollTimer.disarm()
    updateInterrupt()
  }

  private func powerOn() {
    bcr.update(repeating: 0, count: PCnetBCR.count)
    for (index, value) in PCnetBCR.resetValues { bcr[index] = value }
    registerAddress = 0
    isDoubleWordMode = false
    style = .lance
    softReset()
  }

  public func reset() {
    powerOn()
    resetConfiguration()
    port.receiveFilterChanged()
    offerAgain()
  }

  private func offerAgain() {
    guard hasRefusedFrame, !isPaused else { return }
    hasRefusedFrame = false
    port.receiverBecameReady()
  }

  public func pause() { isPaused = true }

  public func run() {
    isPaused = false
    poll()
    offerAgain()
  }

  /// The configuration space and the registers.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var controlRegisters: [UInt16]
    var busRegisters: [UInt16]
    var registerAddress: UInt16
    var isDoubleWordMode: Bool
    var style: UInt8
    var receiveIndex: Int
    var transmitIndex: Int
    var usesDemand: Bool
    var pollDeadline: UInt64?
  }

  public func save() -> State {
    State(
      configuration: saveConfiguration(),
      controlRegisters: Array(UnsafeBufferPointer(start: csr, count: PCnetCSR.count)),
      busRegisters: Array(UnsafeBufferPointer(start: bcr, count: PCnetBCR.count)),
      registerAddress: registerAddress, isDoubleWordMode: isDoubleWordMode, style: style.rawValue,
      receiveIndex: receiveIndex, transmitIndex: transmitIndex, usesDemand: usesDemand,
      pollDeadline: pollTimer.deadline)
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.controlRegisters.count == PCnetCSR.count, state.busRegisters.count == PCnetBCR.count,
      let style = PCnetSoftwareStyle(rawValue: state.style)
    else { throw RestoreError("\(deviceName): the state's registers are not those of a PCnet") }
    let indices = 0..<0x10000
    guard indices.contains(state.receiveIndex), indices.contains(state.transmitIndex) else {
      throw RestoreError("\(deviceName): a ring's position outside of any ring")
    }
    try restoreConfiguration(state.configuration)
    for (index, value) in state.controlRegisters.enumerated() { csr[index] = value }
    for (index, value) in state.busRegisters.enumerated() { bcr[index] = value }
    registerAddress = state.registerAddress & 0x7F
    isDoubleWordMode = state.isDoubleWordMode
    self.style = style
    receiveIndex = state.receiveIndex
    transmitIndex = state.transmitIndex
    usesDemand = state.usesDemand
    isPortFull = false
    hasRefusedFrame = true
    if let deadline = state.pollDeadline { pollTimer.arm(at: deadline) } else { pollTimer.disarm() }
    updateInterrupt()
    port.receiveFilterChanged()
  }
}
