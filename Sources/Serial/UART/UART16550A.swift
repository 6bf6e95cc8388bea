// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice

/// A 16550A UART (National Semiconductor PC16550D data sheet): eight registers, an interrupt, and a host port. It knows no
/// bus.
///
/// Bytes leave as fast as the host takes them; the baud rate only sets the receiver's time-out.
public final class UART16550A: RegisterFile, CharacterReceiver, Device {
  private static let fifoByteCount = 16
  /// The clock most PCs give a UART, divided by 16: bits a second at divisor 1.
  private static let baseRate: UInt64 = 115_200

  public let deviceName: String
  private let clock: Clock
  private let interrupt: InterruptLine
  private let port: any CharacterPort
  private var timeoutTimer: Clock.Timer?
  /// When the receiver times out. The timer is not moved for every byte: if it fires early, it is armed anew.
  private var timeoutDeadline: Clock.Nanoseconds?
  private var registers = State()
  /// The host offered more than there was room for, and waits to be told of room.
  private var hasRefusedInput = false

  /// Everything the UART keeps.
  public struct State: SavedState {
    public static let version = 1
    var divisor: UInt16 = 12
    var interruptEnable: UInt8 = 0
    var fifoControl: UInt8 = 0
    var lineControl: UInt8 = 0
    var modemControl: UInt8 = 0
    var lineStatus: UInt8 = 0x60
    var modemStatus: UInt8 = 0xB0
    var scratch: UInt8 = 0
    var receiver: [UInt8] = []
    var transmitter: [UInt8] = []
    /// The transmitter became empty and nobody has been told yet.
    var isTransmitterInterruptPending = false
    var isTimedOut = false
  }

  /// A UART whose bytes go to and come from `port`.
  public init(name: String, clock: Clock, interrupt: InterruptLine, port: any CharacterPort) {
    deviceName = name
    self.clock = clock
    self.interrupt = interrupt
    self.port = port
    registers.receiver.reserveCapacity(Self.fifoByteCount)
    registers.transmitter.reserveCapacity(Self.fifoByteCount)
    timeoutTimer = clock.makeTimer { [unowned self] in timeoutTimerFired() }
    port.receiver = self
  }

  /// Maps it at an ISA address: 0x3F8, 0x2F8, 0x3E8 or 0x2E8.
  public func map(in ports: PortSpace, at base: UInt16) {
    ports.map(RegisterWindow(self, (), name: deviceName, count: 8), at: base)
  }

  // MARK: Registers

  private var usesFIFO: Bool { registers.fifoControl & UARTFIFOControl.enable != 0 }
  private var showsDivisor: Bool { registers.lineControl & UARTLineControl.divisorLatch != 0 }
  private var isLoopback: Bool { registers.modemControl & UARTModemControl.loopback != 0 }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset {
    case UARTOffset.data:
      return UInt64(showsDivisor ? UInt8(truncatingIfNeeded: registers.divisor) : takeReceived())
    case UARTOffset.interruptEnable:
      return UInt64(showsDivisor ? UInt8(registers.divisor >> 8) : registers.interruptEnable)
    case UARTOffset.interruptIdentification:
      let identification = self.identification
      if identification == UARTInterruptIdentification.transmitterEmpty {
        registers.isTransmitterInterruptPending = false
        updateInterrupt()
      }
      return UInt64(identification | (usesFIFO ? UARTInterruptIdentification.fifosEnabled : 0))
    case UARTOffset.lineControl: return UInt64(registers.lineControl)
    case UARTOffset.modemControl: return UInt64(registers.modemControl)
    case UARTOffset.lineStatus:
      let value = registers.lineStatus
      registers.lineStatus &= ~UARTLineStatus.errors
      updateInterrupt()
      return UInt64(value)
    case UARTOffset.modemStatus:
      let value = modemStatus
      registers.modemStatus &= 0xF0
      updateInterrupt()
      return UInt64(value)
    default: return UInt64(registers.scratch)
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch offset {
    case UARTOffset.data:
      if showsDivisor {
        registers.divisor = registers.divisor & 0xFF00 | UInt16(byte)
      } else {
        transmit(byte)
      }
    case UARTOffset.interruptEnable:
      if showsDivisor {
        registers.divisor = registers.divisor & 0x00FF | UInt16(byte) << 8
      } else {
        let added = byte & ~registers.interruptEnable
        registers.interruptEnable = byte & 0x0F
        // Enabling it while the transmitter is empty raises it at once.
        if added & UARTInterruptEnable.transmitterEmpty != 0 && isHoldingEmpty {
          registers.isTransmitterInterruptPending = true
        }
      }
    case UARTOffset.interruptIdentification: writeFIFOControl(byte)
    case UARTOffset.lineControl: registers.lineControl = byte
    case UARTOffset.modemControl: writeModemControl(byte & 0x1F)
    case UARTOffset.scratch: registers.scratch = byte
    default: return
    }
    updateInterrupt()
  }

  private func writeFIFOControl(_ value: UInt8) {
    let switches = (value ^ registers.fifoControl) & UARTFIFOControl.enable != 0
    // The other bits count only together with the enable bit.
    registers.fifoControl =
      value & UARTFIFOControl.enable == 0 ? 0 : value & (UARTFIFOControl.enable | UARTFIFOControl.trigger)
    if switches || value & UARTFIFOControl.clearReceiver != 0 {
      registers.receiver.removeAll(keepingCapacity: true)
      registers.lineStatus &= ~UARTLineStatus.dataReady
      clearTimeout()
      askForInput()
    }
    if switches || value & UARTFIFOControl.clearTransmitter != 0 {
      registers.transmitter.removeAll(keepingCapacity: true)
      noteTransmitter()
    }
  }

  // MARK: Modem lines

  /// In loop-back the four outputs are the four inputs (8.7).
  private var modemStatus: UInt8 {
    guard isLoopback else { return registers.modemStatus }
    return registers.modemStatus & 0x0F | Self.looped(registers.modemControl)
  }

  private static func looped(_ control: UInt8) -> UInt8 {
    var lines: UInt8 = 0
    if control & UARTModemControl.rts != 0 { lines |= UARTModemStatus.cts }
    if control & UARTModemControl.dtr != 0 { lines |= UARTModemStatus.dsr }
    if control & UARTModemControl.out1 != 0 { lines |= UARTModemStatus.ri }
    if control & UARTModemControl.out2 != 0 { lines |= UARTModemStatus.dcd }
    return lines
  }

  private func writeModemControl(_ value: UInt8) {
    let before = modemStatus & 0xF0
    registers.modemControl = value
    let after = modemStatus & 0xF0
    var changes = (before ^ after) >> 4
    // RI only tells its end.
    changes &= ~UARTModemStatus.trailingEdgeRI
    if before & UARTModemStatus.ri != 0 && after & UARTModemStatus.ri == 0 {
      changes |= UARTModemStatus.trailingEdgeRI
    }
    registers.modemStatus |= changes
  }

  // MARK: Transmitter

  private var isHoldingEmpty: Bool { registers.lineStatus & UARTLineStatus.transmitHoldingEmpty != 0 }

  private func transmit(_ byte: UInt8) {
    if isLoopback {
      receiveByte(byte)
      restartTimeout()
      registers.isTransmitterInterruptPending = true
      return
    }
    // A write ends the interrupt, if only for a moment: the next one must be an edge.
    registers.isTransmitterInterruptPending = false
    updateInterrupt()
    if registers.transmitter.isEmpty {
      var byte = byte
      if withUnsafeBytes(of: &byte, { port.write($0) }) == 1 {
        registers.isTransmitterInterruptPending = true
        return
      }
    }
    // The host is slow: the byte waits, and a full FIFO loses what comes.
    if registers.transmitter.count < (usesFIFO ? Self.fifoByteCount : 1) {
      registers.transmitter.append(byte)
    }
    noteTransmitter()
  }

  private func noteTransmitter() {
    let wasEmpty = isHoldingEmpty
    let isEmpty = registers.transmitter.isEmpty
    let bits = UARTLineStatus.transmitHoldingEmpty | UARTLineStatus.transmitterEmpty
    if isEmpty { registers.lineStatus |= bits } else { registers.lineStatus &= ~bits }
    if isEmpty && !wasEmpty { registers.isTransmitterInterruptPending = true }
  }

  public func characterPortBecameWritable() {
    guard !registers.transmitter.isEmpty else { return }
    let taken = registers.transmitter.withUnsafeBytes { port.write($0) }
    registers.transmitter.removeFirst(min(max(taken, 0), registers.transmitter.count))
    noteTransmitter()
    updateInterrupt()
  }

  // MARK: Receiver

  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard !isLoopback else { return bytes.count }
    let room = (usesFIFO ? Self.fifoByteCount : 1) - registers.receiver.count
    let count = min(max(room, 0), bytes.count)
    for byte in bytes.prefix(count) { receiveByte(byte) }
    if count > 0 { restartTimeout() }
    if count < bytes.count { hasRefusedInput = true }
    updateInterrupt()
    return count
  }

  private func askForInput() {
    guard hasRefusedInput else { return }
    hasRefusedInput = false
    port.receiverBecameReady()
  }

  public func receiveBreak() {
    registers.lineStatus |= UARTLineStatus.breakInterrupt
    receiveByte(0)
    restartTimeout()
    updateInterrupt()
  }

  private func receiveByte(_ byte: UInt8) {
    if registers.receiver.count >= (usesFIFO ? Self.fifoByteCount : 1) {
      registers.lineStatus |= UARTLineStatus.overrun
      // Without a FIFO the new byte replaces the old one (8.3).
      if !usesFIFO, !registers.receiver.isEmpty { registers.receiver[0] = byte }
    } else {
      registers.receiver.append(byte)
    }
    registers.lineStatus |= UARTLineStatus.dataReady
  }

  private func takeReceived() -> UInt8 {
    guard !registers.receiver.isEmpty else { return 0 }
    let byte = registers.receiver.removeFirst()
    registers.isTimedOut = false
    if registers.receiver.isEmpty { registers.lineStatus &= ~UARTLineStatus.dataReady }
    restartTimeout()
    updateInterrupt()
    if registers.receiver.isEmpty { askForInput() }
    return byte
  }

  /// The receiver's trigger level (8.4).
  private var trigger: Int {
    guard usesFIFO else { return 1 }
    switch registers.fifoControl >> 6 {
    case 0: return 1
    case 1: return 4
    case 2: return 8
    default: return 14
    }
  }

  /// Data that lies in the FIFO interrupts after four characters' time without a byte coming or going (8.11).
  private func restartTimeout() {
    guard usesFIFO, !registers.receiver.isEmpty else {
      timeoutDeadline = nil
      return
    }
    let deadline = clock.now &+ 4 * characterTime
    timeoutDeadline = deadline
    if timeoutTimer?.isArmed == false { timeoutTimer?.arm(at: deadline) }
  }

  /// How long a character takes on the line: start, data, parity and stop bits.
  private var characterTime: Clock.Nanoseconds {
    let control = registers.lineControl
    let bits: UInt64 =
      7 + UInt64(control & UARTLineControl.wordLength)
      + (control & UARTLineControl.parity != 0 ? 1 : 0) + (control & UARTLineControl.twoStopBits != 0 ? 1 : 0)
    return bits * UInt64(max(registers.divisor, 1)) * 1_000_000_000 / Self.baseRate
  }

  private func timeoutTimerFired() {
    guard let deadline = timeoutDeadline else { return }
    if deadline > clock.now {
      timeoutTimer?.arm(at: deadline)
    } else {
      timeoutDeadline = nil
      registers.isTimedOut = true
      updateInterrupt()
    }
  }

  private func clearTimeout() {
    registers.isTimedOut = false
    timeoutDeadline = nil
  }

  // MARK: Interrupt

  /// The interrupt with the highest priority.
  private var identification: UInt8 {
    let enable = registers.interruptEnable
    if enable & UARTInterruptEnable.lineStatus != 0 && registers.lineStatus & UARTLineStatus.errors != 0 {
      return UARTInterruptIdentification.lineStatus
    }
    if enable & UARTInterruptEnable.received != 0 {
      if registers.receiver.count >= trigger { return UARTInterruptIdentification.received }
      if registers.isTimedOut { return UARTInterruptIdentification.timeout }
    }
    if enable & UARTInterruptEnable.transmitterEmpty != 0 && registers.isTransmitterInterruptPending {
      return UARTInterruptIdentification.transmitterEmpty
    }
    if enable & UARTInterruptEnable.modemStatus != 0 && registers.modemStatus & 0x0F != 0 {
      return UARTInterruptIdentification.modemStatus
    }
    return UARTInterruptIdentification.none
  }

  private func updateInterrupt() { interrupt.set(identification != UARTInterruptIdentification.none) }

  // MARK: Life

  public func reset() {
    clearTimeout()
    timeoutTimer?.disarm()
    registers = State()
    registers.receiver.reserveCapacity(Self.fifoByteCount)
    registers.transmitter.reserveCapacity(Self.fifoByteCount)
    updateInterrupt()
    askForInput()
  }

  public func save() -> State { registers }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.receiver.count <= Self.fifoByteCount, state.transmitter.count <= Self.fifoByteCount else {
      throw RestoreError("\(deviceName): the state's FIFOs are longer than 16 bytes")
    }
    registers = state
    registers.receiver.reserveCapacity(Self.fifoByteCount)
    registers.transmitter.reserveCapacity(Self.fifoByteCount)
    let ready = UARTLineStatus.dataReady
    registers.lineStatus = state.lineStatus & ~ready | (state.receiver.isEmpty ? 0 : ready)
    timeoutDeadline = nil
    if !registers.isTimedOut { restartTimeout() }
    noteTransmitter()
    updateInterrupt()
    characterPortBecameWritable()
    port.receiverBecameReady()
  }
}
