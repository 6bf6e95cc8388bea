// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// System control port B at I/O port 0x61: the speaker and its gate on the 8254, and the refresh toggle (PIIX3 data sheet,
/// section 2.5.3.1).
public final class Port61: RegisterFile, Device {
  private enum Bit {
    static let gate2: UInt8 = 1 << 0
    static let speaker: UInt8 = 1 << 1
    static let refresh: UInt8 = 1 << 4
    static let output2: UInt8 = 1 << 5
  }
  /// The refresh toggle changes at this interval: 15 µs, as guests that count it expect.
  private static let refreshInterval: UInt64 = 15_085

  public let deviceName = "port61"
  private let clock: Clock
  private let gate: any SpeakerGate
  private var register: UInt8 = 0

  /// The port; `gate` is counter 2 of the engine's or the board's 8254.
  public init(clock: Clock, gate: any SpeakerGate) {
    self.clock = clock
    self.gate = gate
  }

  /// Maps it at 0x61.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, (), name: "port61", count: 1), at: 0x61)
  }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    var value = register
    if clock.now / Self.refreshInterval & 1 != 0 { value |= Bit.refresh }
    if gate.output { value |= Bit.output2 }
    return UInt64(value)
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    // Bits 2 and 3 mask NMIs that nothing on this board raises; they read back.
    let byte = UInt8(truncatingIfNeeded: value) & 0x0F
    let isGateChanged = (byte ^ register) & Bit.gate2 != 0
    register = byte
    if isGateChanged { gate.isGateOpen = byte & Bit.gate2 != 0 }
  }

  public func reset() {
    if register & Bit.gate2 != 0 { gate.isGateOpen = false }
    register = 0
  }

  /// The writable bits.
  public struct State: SavedState {
    public static let version = 1
    public var register: UInt8
  }
  public func save() -> State { State(register: register) }
  public func restore(_ state: State) throws(RestoreError) {
    register = state.register & 0x0F
    gate.isGateOpen = register & Bit.gate2 != 0
  }
}
