// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice

/// A PC parallel port in its standard mode (IBM PS/2 Hardware Interface Technical Reference, parallel port): data, status and
/// control, with a printer that takes every byte at once.
public final class ParallelPort: RegisterFile, CharacterReceiver, Device {
  private enum Offset {
    static let data = 0
    static let status = 1
    static let control = 2
  }
  private enum Control {
    static let strobe: UInt8 = 1 << 0
    static let notInitialize: UInt8 = 1 << 2
    static let interruptEnable: UInt8 = 1 << 4
    /// The data lines are inputs.
    static let direction: UInt8 = 1 << 5
  }
  /// Not busy, selected, no error, no acknowledge; bits 0 … 2 read as zero.
  private static let readyStatus: UInt8 = 0xD8

  public let deviceName: String
  private let interrupt: InterruptLine
  private let port: any CharacterPort
  private var registers = State()

  /// The registers.
  public struct State: SavedState {
    public static let version = 1
    var data: UInt8 = 0
    var control: UInt8 = 0x0C
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

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset {
    case Offset.data: registers.control & Control.direction != 0 ? 0xFF : UInt64(registers.data)
    case Offset.status: UInt64(Self.readyStatus)
    default: UInt64(registers.control | 0xC0)
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch offset {
    case Offset.data: registers.data = byte
    case Offset.control:
      let isStrobed = byte & Control.strobe != 0 && registers.control & Control.strobe == 0
      registers.control = byte & 0x3F
      guard isStrobed, byte & Control.notInitialize != 0 else { return }
      _ = withUnsafeBytes(of: &registers.data) { port.write($0) }
      // The printer acknowledges at once, by an edge.
      if byte & Control.interruptEnable != 0 { interrupt.pulse() }
    default: break
    }
  }

  // A printer says nothing.
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }
  public func characterPortBecameWritable() {}

  public func reset() {
    registers = State()
    interrupt.lower()
  }
  public func save() -> State { registers }
  public func restore(_ state: State) throws(RestoreError) { registers = state }
}
