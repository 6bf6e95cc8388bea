// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// System control port A at I/O port 0x92: the fast way to the A20 gate and to a CPU reset (PIIX3 data sheet, section
/// 2.5.4.1, and the PS/2 technical reference).
public final class Port92: RegisterFile, Device {
  public let deviceName = "port92"
  private let control: any SystemControl
  private var register: UInt8 = 0

  private static let fastInit: UInt8 = 1
  private static let a20: UInt8 = 2

  /// The port, not yet mapped.
  public init(control: any SystemControl) { self.control = control }

  /// Maps it at 0x92.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, (), name: "port92", count: 1), at: 0x92)
  }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(register) }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let new = UInt8(truncatingIfNeeded: value)
    let old = register
    register = new & ~Self.fastInit
    if (old ^ new) & Self.a20 != 0 { control.setA20(isEnabled: new & Self.a20 != 0) }
    if new & Self.fastInit != 0 && old & Self.fastInit == 0 { control.requestCPUInit() }
  }

  public func reset() { register = 0 }

  /// The register.
  public struct State: SavedState {
    public static let version = 1
    public var register: UInt8
  }
  public func save() -> State { State(register: register) }
  public func restore(_ state: State) throws(RestoreError) { register = state.register & ~Self.fastInit }
}
