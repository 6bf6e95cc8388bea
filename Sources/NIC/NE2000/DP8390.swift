// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Glibc
import Network

/// National's DP8390, the Ethernet controller of the NE2000, with what Realtek added in its RTL8029.
///
/// It knows nothing of the bus: whoever owns it hands it accesses to its sixteen registers and to the data port, and
/// is told of its interrupt line.
final class DP8390 {
  let memory: NE2000Memory
  let port: any PacketPort
  private let setInterrupt: (Bool) -> Void

  private(set) var command: DP8390Command = [.stop, .remoteAbort]
  /// The receive ring's pages of 256 bytes: its first, the one behind its last, the one the driver reads next, and
  /// the one the chip writes next.
  private(set) var pageStart: UInt8 = 0
  private(set) var pageStop: UInt8 = 0
  private(set) var boundary: UInt8 = 0
  var current: UInt8 = 0
  private var transmitPage: UInt8 = 0
  private var transmitCount: UInt16 = 0
  private var transmitStatus: UInt8 = 0
  private var remoteAddress: UInt16 = 0
  private var remoteCount: UInt16 = 0
  var receiveStatus: UInt8 = 0
  private(set) var receiveConfiguration: DP8390ReceiveConfiguration = []
  private var transmitConfiguration: UInt8 = 0
  private var dataConfiguration: UInt8 = 0
  private var interrupts: DP8390Interrupts = .reset
  private var interruptMask: UInt8 = 0
  /// CNTR2: frames that were not stored.
  private var missed: UInt8 = 0
  /// PAR, as six bytes in eight.
  private(set) var physicalAddress: UInt64 = 0
  /// MAR.
  private(set) var groups: UInt64 = 0

  /// The port may hold a frame that was refused.
  var hasRefusedFrame = false
  /// The driver has taken something since it was last called for a frame that waits.
  private var hasBoundaryMoved = false
  private(set) var isPaused = false
  private let piece = UnsafeMutablePointer<iovec>.allocate(capacity: 1)
  let trailer = FrameTrailer()

  /// A chip on a card with `memory`, on a cable at `port`; `setInterrupt` is called with its line's level.
  init(memory: NE2000Memory, port: any PacketPort, setInterrupt: @escaping (Bool) -> Void) {
    self.memory = memory
    self.port = port
    self.setInterrupt = setInterrupt
    piece.initialize(to: iovec())
  }

  deinit { piece.deallocate() }

  // MARK: Registers

  /// Reads register `offset`, 0 … 15, of the page the command register names.
  func read(_ offset: Int) -> UInt8 {
    if offset == 0 { return command.rawValue }
    switch command.page {
    case 0: return readPage0(offset)
    case 1:
      switch offset {
      case DP8390Page1.par: return UInt8(truncatingIfNeeded: physicalAddress >> UInt64((offset - 1) * 8))
      case DP8390Page1.curr: return current
      default: return UInt8(truncatingIfNeeded: groups >> UInt64((offset & 7) * 8))
      }
    case 2:
      switch offset {
      case DP8390Page2.pstart: return pageStart
      case DP8390Page2.pstop: return pageStop
      case DP8390Page2.tpsr: return transmitPage
      case DP8390Page2.rcr: return receiveConfiguration.rawValue
      case DP8390Page2.tcr: return transmitConfiguration
      case DP8390Page2.dcr: return dataConfiguration
      case DP8390Page2.imr: return interruptMask
      default: return 0
      }
    default:
      switch offset {
      case DP8390Page3.config2: return DP8390Page3.config2Value
      case DP8390Page3.config3: return DP8390Page3.config3Value
      default: return 0
      }
    }
  }

  private func readPage0(_ offset: Int) -> UInt8 {
    switch offset {
    case DP8390Page0.clda1: return current
    case DP8390Page0.bnry: return boundary
    case DP8390Page0.tpsr: return transmitStatus
    case DP8390Page0.isr: return interrupts.rawValue
    case DP8390Page0.rsar0: return UInt8(truncatingIfNeeded: remoteAddress)
    case DP8390Page0.rsar1: return UInt8(truncatingIfNeeded: remoteAddress >> 8)
    // "PC", by which drivers tell the RTL8029.
    case DP8390Page0.rbcr0: return 0x50
    case DP8390Page0.rbcr1: return 0x43
    case DP8390Page0.rcr: return receiveStatus
    case DP8390Page0.imr:
      defer { missed = 0 }
      return missed
    default: return 0
    }
  }

  /// Writes register `offset`, 0 … 15. Frames may come in during the call.
  func write(_ offset: Int, _ value: UInt8) {
    if offset == 0 { return writeCommand(DP8390Command(rawValue: value)) }
    switch command.page {
    case 0: writePage0(offset, value)
    case 1: writePage1(offset, value)
    default: break
    }
  }

  private func writePage0(_ offset: Int, _ value: UInt8) {
    switch offset {
    case DP8390Page0.pstart: pageStart = value
    case DP8390Page0.pstop: pageStop = value
    case DP8390Page0.bnry:
      boundary = value
      hasBoundaryMoved = true
      offerAgain()
    case DP8390Page0.tpsr: transmitPage = value
    case DP8390Page0.tbcr0: transmitCount = transmitCount & 0xFF00 | UInt16(value)
    case DP8390Page0.tbcr1: transmitCount = transmitCount & 0xFF | UInt16(value) << 8
    case DP8390Page0.isr:
      // The reset bit shows a state, and is not cleared by hand.
      interrupts.subtract(DP8390Interrupts(rawValue: value & 0x7F))
      updateInterrupt()
      if hasRefusedFrame { callDriverAgain() }
    case DP8390Page0.rsar0: remoteAddress = remoteAddress & 0xFF00 | UInt16(value)
    case DP8390Page0.rsar1: remoteAddress = remoteAddress & 0xFF | UInt16(value) << 8
    case DP8390Page0.rbcr0: remoteCount = remoteCount & 0xFF00 | UInt16(value)
    case DP8390Page0.rbcr1: remoteCount = remoteCount & 0xFF | UInt16(value) << 8
    case DP8390Page0.rcr:
      let old = receiveConfiguration
      receiveConfiguration = DP8390ReceiveConfiguration(rawValue: value & 0x3F)
      if receiveConfiguration != old { port.receiveFilterChanged() }
      offerAgain()
    case DP8390Page0.tcr:
      transmitConfiguration = value & 0x1F
      offerAgain()
    case DP8390Page0.dcr: dataConfiguration = value & 0x7F
    case DP8390Page0.imr:
      interruptMask = value & 0x7F
      updateInterrupt()
    default: break
    }
  }

  private func writePage1(_ offset: Int, _ value: UInt8) {
    switch offset {
    case DP8390Page1.par:
      let shift = UInt64((offset - 1) * 8)
      let old = physicalAddress
      physicalAddress = old & ~(0xFF << shift) | UInt64(value) << shift
      if physicalAddress != old { port.receiveFilterChanged() }
    case DP8390Page1.curr:
      current = value
      offerAgain()
    default:
      let shift = UInt64((offset & 7) * 8)
      let old = groups
      groups = old & ~(0xFF << shift) | UInt64(value) << shift
      if groups != old { port.receiveFilterChanged() }
    }
  }

  private func writeCommand(_ value: DP8390Command) {
    let wasStopped = command.contains(.stop)
    // What is being sent is sent to its end.
    let wasTransmitting = command.contains(.transmit)
    command = wasTransmitting ? value.union(.transmit) : value
    if value.contains(.stop) {
      interrupts.insert(.reset)
      if !wasTransmitting { command.remove(.transmit) }
    } else {
      interrupts.remove(.reset)
      if remoteCount == 0, value.contains(.remoteRead) || value.contains(.remoteWrite),
        !value.contains(.remoteAbort)
      {
        interrupts.insert(.remoteDone)
      }
    }
    updateInterrupt()
    if wasStopped != value.contains(.stop) {
      port.receiveFilterChanged()
      offerAgain()
    }
    if command.contains(.transmit), !wasTransmitting { transmit() }
  }

  /// Sets bits of the interrupt status.
  func raise(_ causes: DP8390Interrupts) {
    interrupts.formUnion(causes)
    updateInterrupt()
  }

  /// A frame waits in front of a full ring. Drivers take so many frames at a time, acknowledge, and go on when the next one
  /// comes (Linux's lib8390), which cannot come in now: so the driver is called, as long as it moves on.
  func callDriverAgain() {
    guard hasBoundaryMoved, !interrupts.contains(.received) else { return }
    hasBoundaryMoved = false
    raise(.received)
  }

  private func updateInterrupt() { setInterrupt(interrupts.rawValue & interruptMask != 0) }

  /// Counts a frame that was let in but not stored.
  func countMissed() {
    guard missed < 0xC0 else { return }
    missed &+= 1
    if missed >= 0x80 { raise(.counterOverflow) }
  }

  /// The reset port: all but the address, the ring and the counts stays (section 11).
  func hardReset() {
    command = [.stop, .remoteAbort]
    interrupts = .reset
    interruptMask = 0
    dataConfiguration &= ~DP8390Bits.wordTransfers
    transmitConfiguration &= ~DP8390Bits.loopbackMask
    remoteCount = 0
    updateInterrupt()
    port.receiveFilterChanged()
    offerAgain()
  }

  /// All registers as after power-on.
  func powerOn() {
    (pageStart, pageStop, boundary, current) = (0, 0, 0, 0)
    (transmitPage, transmitCount, transmitStatus) = (0, 0, 0)
    (remoteAddress, receiveStatus, missed) = (0, 0, 0)
    (receiveConfiguration, transmitConfiguration, dataConfiguration) = ([], 0, 0)
    (physicalAddress, groups) = (0, 0)
    memset(memory.ram, 0, NE2000Memory.ramByteCount)
    hardReset()
  }

  // MARK: The data port

  /// The end of the remote write under way will call the driver.
  var owesRemoteDone: Bool {
    DP8390Interrupts(rawValue: interruptMask).contains(.remoteDone) && command.contains(.remoteWrite)
      && !command.contains(.remoteAbort) && remoteCount > 0
  }

  private func step(_ width: AccessWidth) -> Int {
    width == .dword ? 4 : dataConfiguration & DP8390Bits.wordTransfers != 0 ? 2 : 1
  }

  /// Reads the data port: the next bytes of a remote read. A narrow access takes a whole word if the chip is set to
  /// words.
  func readData(_ width: AccessWidth) -> UInt32 {
    guard command.contains(.remoteRead), !command.contains(.remoteAbort), remoteCount > 0 else { return 0 }
    let count = step(width)
    let address = Int(remoteAddress) & (count == 1 ? ~0 : ~1)
    var value: UInt32 = 0
    for index in 0..<count { value |= UInt32(memory[address &+ index]) << UInt32(index * 8) }
    advanceRemote(count)
    return value
  }

  /// Writes the data port: the next bytes of a remote write.
  func writeData(_ value: UInt32, _ width: AccessWidth) {
    guard command.contains(.remoteWrite), !command.contains(.remoteAbort), remoteCount > 0 else { return }
    let count = step(width)
    let address = Int(remoteAddress) & (count == 1 ? ~0 : ~1)
    for index in 0..<count {
      memory[address &+ index] = UInt8(truncatingIfNeeded: value >> UInt32(index * 8))
    }
    advanceRemote(count)
  }

  private func advanceRemote(_ count: Int) {
    remoteAddress &+= UInt16(truncatingIfNeeded: count)
    // The remote channel, too, goes round the ring.
    if remoteAddress == UInt16(pageStop) << 8 { remoteAddress = UInt16(pageStart) << 8 }
    if Int(remoteCount) <= count {
      remoteCount = 0
      raise(.remoteDone)
    } else {
      remoteCount &-= UInt16(truncatingIfNeeded: count)
    }
  }

  // MARK: Transmission

  var isLoopback: Bool { transmitConfiguration & DP8390Bits.loopbackMask != 0 }

  /// Sends the frame in memory; the command's bit stays set while the port is full.
  func transmit() {
    guard command.contains(.transmit), !isPaused else { return }
    // Less than a header, or what is not in memory, is no frame; in loopback it only gets to the FIFO.
    if !isLoopback, transmitCount >= 14,
      let bytes = memory.bytes(at: Int(transmitPage) << 8, count: Int(transmitCount))
    {
      piece.pointee = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
      guard port.send(UnsafeBufferPointer(start: piece, count: 1), .none) else { return }
    }
    command.remove(.transmit)
    transmitStatus = DP8390Bits.transmitted
    raise(.transmitted)
    port.endOfBatch()
  }

  // MARK: Life

  /// Frames that the port kept are offered again. The last thing in a register access.
  func offerAgain() {
    guard hasRefusedFrame, !isPaused else { return }
    hasRefusedFrame = false
    port.receiverBecameReady()
  }

  func pause() { isPaused = true }

  func run() {
    isPaused = false
    transmit()
    offerAgain()
  }

  /// The registers, and the card's RAM.
  struct State: Codable, Equatable, Sendable {
    var command: UInt8
    var pageStart: UInt8
    var pageStop: UInt8
    var boundary: UInt8
    var current: UInt8
    var transmitPage: UInt8
    var transmitCount: UInt16
    var transmitStatus: UInt8
    var remoteAddress: UInt16
    var remoteCount: UInt16
    var receiveStatus: UInt8
    var receiveConfiguration: UInt8
    var transmitConfiguration: UInt8
    var dataConfiguration: UInt8
    var interrupts: UInt8
    var interruptMask: UInt8
    var missed: UInt8
    var physicalAddress: UInt64
    var groups: UInt64
    /// 32 KiB.
    var ram: [UInt8]
  }

  func save() -> State {
    State(
      command: command.rawValue, pageStart: pageStart, pageStop: pageStop, boundary: boundary,
      current: current, transmitPage: transmitPage, transmitCount: transmitCount,
      transmitStatus: transmitStatus, remoteAddress: remoteAddress, remoteCount: remoteCount,
      receiveStatus: receiveStatus, receiveConfiguration: receiveConfiguration.rawValue,
      transmitConfiguration: transmitConfiguration, dataConfiguration: dataConfiguration,
      interrupts: interrupts.rawValue, interruptMask: interruptMask, missed: missed,
      physicalAddress: physicalAddress, groups: groups,
      ram: Array(UnsafeBufferPointer(start: memory.ram, count: NE2000Memory.ramByteCount)))
  }

  func restore(_ state: State) throws(RestoreError) {
    guard state.ram.count == NE2000Memory.ramByteCount else {
      throw RestoreError("ne2k: \(state.ram.count) bytes of memory, not \(NE2000Memory.ramByteCount)")
    }
    command = DP8390Command(rawValue: state.command)
    (pageStart, pageStop, boundary, current) = (
      state.pageStart, state.pageStop, state.boundary, state.current
    )
    (transmitPage, transmitCount) = (state.transmitPage, state.transmitCount)
    transmitStatus = state.transmitStatus
    (remoteAddress, remoteCount) = (state.remoteAddress, state.remoteCount)
    receiveStatus = state.receiveStatus
    receiveConfiguration = DP8390ReceiveConfiguration(rawValue: state.receiveConfiguration & 0x3F)
    transmitConfiguration = state.transmitConfiguration & 0x1F
    dataConfiguration = state.dataConfiguration & 0x7F
    interrupts = DP8390Interrupts(rawValue: state.interrupts)
    interruptMask = state.interruptMask & 0x7F
    missed = state.missed
    physicalAddress = state.physicalAddress & 0xFFFF_FFFF_FFFF
    groups = state.groups
    for (index, byte) in state.ram.enumerated() { memory.ram[index] = byte }
    (hasRefusedFrame, hasBoundaryMoved) = (true, true)
    updateInterrupt()
    port.receiveFilterChanged()
  }
}
