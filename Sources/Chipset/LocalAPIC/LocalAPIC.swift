// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The local APIC of one processor (SDM volume 3, chapter 10), in xAPIC and x2APIC mode.
///
/// Its timer counts nanoseconds of guest time. Called with the machine's lock held.
public final class LocalAPIC: LocalInterruptController {
  static let masked: UInt32 = 1 << 16
  /// Version 0x14, six entries in the local vector table.
  static let version: UInt32 = 5 << 16 | 0x14
  static let baseEnable: UInt64 = 1 << 11
  static let baseExtended: UInt64 = 1 << 10
  static let baseWritable: UInt64 = 0xFF_FFFF_F000 | baseEnable | baseExtended | 1 << 8

  /// A register of the page by its number: offset / 16.
  var words = InlineArray<64, UInt32>(repeating: 0)
  var base: UInt64
  /// IA32_TSC_DEADLINE; 0 if not armed.
  var deadline: UInt64 = 0
  var errors: UInt32 = 0
  /// When the timer's count was loaded.
  var countStart: UInt64 = 0
  let initialID: UInt32
  let isBootstrap: Bool
  let clock: Clock
  unowned let bus: APICBus
  var countTimer: Clock.Timer?
  var isRequested = false
  /// INT of the 8259 pair, for the bootstrap processor.
  var isExternalRaised = false
  public weak var processor: (any InterruptibleProcessor)?

  init(id: UInt32, isBootstrap: Bool, clock: Clock, bus: APICBus) {
    (initialID, self.isBootstrap, self.clock, self.bus) = (id, isBootstrap, clock, bus)
    base = 0
    countTimer = clock.makeTimer { [unowned self] in timerElapsed() }
    bus.add(self)
    reset()
  }

  subscript(_ offset: Int) -> UInt32 {
    get { words[offset >> 4 & 63] }
    set { words[offset >> 4 & 63] = newValue }
  }

  public func reset() {
    base = 0xFEE0_0000 | Self.baseEnable | (isBootstrap ? 1 << 8 : 0)
    deadline = 0
    resetRegisters()
  }

  /// After power-up, INIT, or disabling (SDM volume 3, section 10.4.7).
  func resetRegisters() {
    for word in 0..<64 { words[word] = 0 }
    self[Register.id] = isExtended ? initialID : initialID << 24
    self[Register.version] = Self.version
    self[Register.destinationFormat] = ~0
    self[Register.spurious] = 0xFF
    for offset in stride(from: Register.timer, through: Register.error, by: 16) { self[offset] = Self.masked }
    // The 8259 pair reaches the bootstrap processor before the firmware sets anything up.
    if isBootstrap { self[Register.lint0] = 0x700 }
    errors = 0
    countTimer?.disarm()
    update()
  }

  // MARK: What the processor sees

  public var isEnabled: Bool { base & Self.baseEnable != 0 }
  var isExtended: Bool { base & Self.baseExtended != 0 }
  public var registerPage: UInt64? { isEnabled && !isExtended ? base & 0xF_FFFF_F000 : nil }
  var isSoftwareEnabled: Bool { isEnabled && self[Register.spurious] & 0x100 != 0 }

  /// The highest bit of a 256-bit register; nil if none is set.
  func highest(_ offset: Int) -> UInt8? {
    var index = 7
    while index >= 0 {
      let word = self[offset + index * 16]
      if word != 0 { return UInt8(index * 32 + 31 - word.leadingZeroBitCount) }
      index -= 1
    }
    return nil
  }

  func set(_ offset: Int, _ vector: UInt8, _ isSet: Bool) {
    let place = offset + Int(vector >> 5) * 16
    let bit = (1 as UInt32) << UInt32(vector & 31)
    self[place] = isSet ? self[place] | bit : self[place] & ~bit
  }

  func isSet(_ offset: Int, _ vector: UInt8) -> Bool {
    self[offset + Int(vector >> 5) * 16] >> UInt32(vector & 31) & 1 != 0
  }

  /// PPR (SDM volume 3, section 10.8.3.1).
  var processorPriority: UInt8 {
    let task = UInt8(truncatingIfNeeded: self[Register.taskPriority])
    let service = (highest(Register.inService) ?? 0) & 0xF0
    return task & 0xF0 >= service ? task : service
  }

  /// Whether the 8259 pair's interrupts come through: by LINT0 as ExtINT, or directly if this APIC is off.
  var acceptsExternal: Bool {
    isEnabled ? self[Register.lint0] & (Self.masked | 0x700) == 0x700 : isBootstrap
  }

  var deliverable: UInt8? {
    guard isSoftwareEnabled, let vector = highest(Register.request), vector & 0xF0 > processorPriority & 0xF0
    else {
      return nil
    }
    return vector
  }

  /// Tells the processor whether there is something for it.
  func update() {
    let requested = deliverable != nil || isExternalRaised && acceptsExternal
    guard requested != isRequested else { return }
    isRequested = requested
    processor?.interruptRequestChanged(isRaised: requested)
  }

  /// INT of the 8259 pair changed.
  func externalChanged(isRaised: Bool, isEdge: Bool) {
    // As a fixed interrupt or an NMI LINT0 takes the edge.
    if isEdge, isEnabled { fire(Register.lint0) }
    isExternalRaised = isRaised
    update()
  }

  public func acknowledge() -> UInt8? {
    defer { update() }
    if isExternalRaised, acceptsExternal { return bus.acknowledgeExternal?() }
    guard let vector = deliverable else { return nil }
    set(Register.request, vector, false)
    set(Register.inService, vector, true)
    return vector
  }

  public var taskPriority: UInt8 {
    get { UInt8(truncatingIfNeeded: self[Register.taskPriority] >> 4 & 15) }
    set {
      self[Register.taskPriority] = UInt32(newValue & 15) << 4
      update()
    }
  }

  // MARK: What the bus brings

  /// Whether a message is for this APIC (SDM volume 3, sections 10.6.2 and 10.12.10).
  func matches(_ message: APICMessage) -> Bool {
    guard isEnabled else { return false }
    let id = isExtended ? initialID : self[Register.id] >> 24
    let isBroadcast = message.destination == (message.isWide ? ~0 : 0xFF)
    if !message.isLogical { return isBroadcast || id == message.destination }
    if isBroadcast { return true }
    if isExtended {
      let destination = message.destination
      return destination >> 16 == initialID >> 4 && destination & 0xFFFF & 1 << (initialID & 15) != 0
    }
    let own = self[Register.logicalDestination] >> 24
    if self[Register.destinationFormat] >> 28 == 15 { return own & message.destination & 0xFF != 0 }
    return own >> 4 == message.destination >> 4 & 15 && own & message.destination & 15 != 0
  }

  /// - Returns: Whether it was taken.
  @discardableResult
  func accept(_ message: APICMessage) -> Bool {
    switch message.mode {
    case .fixed, .lowestPriority: return request(message.vector, isLevel: message.isLevel)
    case .nonMaskable: processor?.deliverNMI()
    case .initialize:
      guard message.isAsserted else { return false }
      let id = self[Register.id]
      resetRegisters()
      self[Register.id] = id
      processor?.deliverINIT()
    case .startup: processor?.deliverStartup(vector: message.vector)
    case .external:
      // Who cannot take it must not take it from the 8259s.
      guard isSoftwareEnabled, let vector = bus.acknowledgeExternal?() else { return false }
      return request(vector, isLevel: false)
    case .systemManagement, .reserved3: return false
    }
    return true
  }

  @discardableResult
  func request(_ vector: UInt8, isLevel: Bool) -> Bool {
    guard isSoftwareEnabled else { return false }
    guard vector >= 16 else {
      note(error: 1 << 6)
      return false
    }
    set(Register.triggerMode, vector, isLevel)
    set(Register.request, vector, true)
    update()
    return true
  }

  /// An error for ESR, which interrupts by its own vector.
  func note(error: UInt32) {
    // Once until the guest has seen it.
    guard errors & error == 0 else { return }
    errors |= error
    fire(Register.error)
  }

  /// An interrupt of the local vector table.
  func fire(_ entry: Int) {
    let value = self[entry]
    guard value & Self.masked == 0 else { return }
    switch value >> 8 & 7 {
    case 4: processor?.deliverNMI()
    case 0: request(UInt8(truncatingIfNeeded: value), isLevel: false)
    default: break
    }
  }

  // MARK: Registers

  public func readRegister(_ offset: Int) -> UInt32 {
    switch offset & 0xFF0 {
    case Register.arbitrationPriority, Register.processorPriority: UInt32(processorPriority)
    case Register.currentCount: currentCount
    case Register.endOfInterrupt: 0
    case 0x400...: 0
    default: self[offset & 0x3F0]
    }
  }

  public func writeRegister(_ offset: Int, _ value: UInt32) {
    switch offset & 0xFF0 {
    case Register.id: if !isExtended { self[Register.id] = value & 0xFF00_0000 }
    case Register.taskPriority:
      self[Register.taskPriority] = value & 0xFF
      update()
    case Register.endOfInterrupt: endOfInterrupt()
    case Register.logicalDestination:
      if !isExtended { self[Register.logicalDestination] = value & 0xFF00_0000 }
    case Register.destinationFormat: if !isExtended { self[Register.destinationFormat] = value | 0x0FFF_FFFF }
    case Register.spurious: writeSpurious(value)
    case Register.errorStatus:
      self[Register.errorStatus] = errors
      errors = 0
    case Register.commandLow:
      self[Register.commandLow] = value & ~(1 << 12)
      sendCommand(value, destination: self[Register.commandHigh] >> 24)
    case Register.commandHigh: self[Register.commandHigh] = value & 0xFF00_0000
    case Register.timer:
      let old = self[Register.timer]
      self[Register.timer] = softwareMask(value & 0x7_00FF)
      if ((old >> 17 & 3) == 2) != (timerMode == 2) {
        deadline = 0
        self[Register.initialCount] = 0
      }
      scheduleTimer()
    case Register.thermal, Register.performance: self[offset & 0x3F0] = softwareMask(value & 0x1_07FF)
    case Register.lint0, Register.lint1:
      self[offset & 0x3F0] = softwareMask(value & 0x1_A7FF)
      update()
    case Register.error: self[Register.error] = softwareMask(value & 0x1_00FF)
    case Register.initialCount:
      guard timerMode != 2 else { return }
      self[Register.initialCount] = value
      countStart = clock.now
      scheduleTimer()
    case Register.divide:
      let remaining = currentCount
      self[Register.divide] = value & 0xB
      startCount(from: remaining)
      scheduleTimer()
    case Register.version, Register.arbitrationPriority, Register.processorPriority, Register.remoteRead,
      Register.inService..<Register.errorStatus, Register.currentCount:
      break
    default: note(error: 1 << 7)
    }
  }

  /// The local vector table stays masked while the APIC is disabled by software.
  func softwareMask(_ value: UInt32) -> UInt32 {
    self[Register.spurious] & 0x100 != 0 ? value : value | Self.masked
  }

  func writeSpurious(_ value: UInt32) {
    self[Register.spurious] = value & 0x1FF
    if value & 0x100 == 0 {
      for offset in stride(from: Register.timer, through: Register.error, by: 16) {
        self[offset] |= Self.masked
      }
    }
    update()
  }

  func endOfInterrupt() {
    guard let vector = highest(Register.inService) else { return }
    set(Register.inService, vector, false)
    if isSet(Register.triggerMode, vector) { bus.onEndOfInterrupt?(vector) }
    update()
  }

  /// ICR (SDM volume 3, section 10.6.1).
  func sendCommand(_ low: UInt32, destination: UInt32) {
    // ExtINT is no inter-processor interrupt.
    guard let mode = APICMessage.Mode(rawValue: UInt8(low >> 8 & 7)), mode != .external else { return }
    let vector = UInt8(truncatingIfNeeded: low)
    if mode == .fixed || mode == .lowestPriority, vector < 16 {
      // It is sent all the same, and those who receive it note that in turn.
      note(error: 1 << 5)
    }
    // INIT level de-assert only synchronises arbitration, which there is none of.
    let isDeassert = mode == .initialize && low & 1 << 15 != 0 && low & 1 << 14 == 0
    guard !isDeassert else { return }
    bus.deliver(
      APICMessage(
        destination: destination, isLogical: low & 1 << 11 != 0, mode: mode, vector: vector,
        isWide: isExtended),
      shorthand: low >> 18 & 3, from: self)
  }
}
