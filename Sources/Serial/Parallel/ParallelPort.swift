// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice

/// A PC parallel port in its standard mode with the PS/2's direction bit (IBM PS/2 Hardware Interface Technical
/// Reference, parallel port): data, status and control, with a printer that is busy only while the host takes nothing.
public final class ParallelPort: RegisterFile, CharacterReceiver, Device {
  public let deviceName: String
  private let interrupt: InterruptLine
  private let port: any CharacterPort
  private var registers = State()

  /// The registers.
  public struct State: SavedState {
    public static let version = 1
    var data: UInt8 = 0
    var control: UInt8 = ParallelControl.notInitialize | ParallelControl.select
    /// A byte that the host has not taken: the printer is busy.
    var held: UInt8?
  }

  /// A port whose printer is `port`; the interrupt is ISA IRQ 7.
  public init(name: String, interrupt: InterruptLine, port: any CharacterPort) {
    deviceName = name
    self.interrupt = interrupt
    self.port = port
    port.receiver = self
  }

  /// Maps it, at 0x378 for the first.
  public func map(in ports: PortSpace, at base: UInt16) {
    ports.map(RegisterWindow(self, (), name: deviceName, count: 3), at: base)
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset {
    // Nobody drives the data lines towards the port.
    case ParallelOffset.data:
      registers.control & ParallelControl.direction != 0 ? 0xFF : UInt64(registers.data)
    case ParallelOffset.status:
      UInt64(
        registers.held == nil ? ParallelStatus.ready : ParallelStatus.ready & ~ParallelStatus.notBusy)
    default: UInt64(registers.control | ParallelControl.undriven)
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch offset {
    case ParallelOffset.data: registers.data = byte
    case ParallelOffset.control: writeControl(byte & ParallelControl.writable)
    default: break
    }
  }

  private func writeControl(_ value: UInt8) {
    let isStrobed = value & ~registers.control & ParallelControl.strobe != 0
    registers.control = value
    guard value & ParallelControl.notInitialize != 0 else {
      registers.held = nil
      return
    }
    // A busy printer does not see the strobe.
    if isStrobed && registers.held == nil { print(registers.data) }
  }

  /// Hands a byte to the host; the printer acknowledges by an edge when it is taken.
  private func print(_ byte: UInt8) {
    var byte = byte
    let isTaken = withUnsafeBytes(of: &byte) { port.write($0) } > 0
    registers.held = isTaken ? nil : byte
    if isTaken && registers.control & ParallelControl.interruptEnable != 0 { interrupt.pulse() }
  }

  public func characterPortBecameWritable() { if let held = registers.held { print(held) } }

  /// A printer says nothing: what comes from the host is lost.
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }

  // MARK: Life

  public func reset() {
    registers = State()
    interrupt.lower()
  }

  public func save() -> State { registers }

  public func restore(_ state: State) throws(RestoreError) {
    registers = state
    registers.control &= ParallelControl.writable
    characterPortBecameWritable()
  }
}
