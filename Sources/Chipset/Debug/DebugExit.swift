// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// QEMU's `isa-debug-exit`: a write ends the process with the status `value × 2 + 1`.
public final class DebugExit: RegisterFile, Device {
  public let deviceName: String
  private let control: any SystemControl

  /// The device, not yet mapped.
  public init(name: String = "isa-debug-exit", control: any SystemControl) {
    deviceName = name
    self.control = control
  }

  /// Maps `count` (1, 2 or 4) ports at `base`.
  public func map(in ports: PortSpace, at base: UInt16, count: Int) {
    let widest = AccessWidth(fitting: min(count, 4))
    ports.map(RegisterWindow(self, (), name: deviceName, count: UInt64(count), widest: widest), at: base)
  }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { 0 }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    let status = UInt32(truncatingIfNeeded: value) << 1 | 1
    control.requestShutdown(.guestExit(status: Int32(bitPattern: status)))
  }

  public func reset() {}
  /// There is nothing to keep.
  public struct State: SavedState { public static let version = 1 }
  public func save() -> State { State() }
  public func restore(_ state: State) throws(RestoreError) {}
}
