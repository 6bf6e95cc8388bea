// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice

/// QEMU's debug console (`isa-debugcon`): each byte written to an I/O port goes to the host.
public final class DebugConsole: RegisterFile, Device {
  public let deviceName: String
  private let port: any CharacterPort
  private let readback: UInt8

  /// A console; reads of its port return `readback`, by which guests find it.
  public init(name: String, port: any CharacterPort, readback: UInt8 = 0xE9) {
    deviceName = name
    self.port = port
    self.readback = readback
  }

  /// Maps it, usually at 0xE9.
  public func map(in ports: PortSpace, at base: UInt16) {
    ports.map(RegisterWindow(self, (), name: deviceName, count: 1), at: base)
  }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(readback) }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    var byte = UInt8(truncatingIfNeeded: value)
    // The guest does not learn that the host is slow: what it cannot take is lost.
    _ = withUnsafeBytes(of: &byte) { port.write($0) }
  }

  public func reset() {}
  /// There is nothing to keep.
  public struct State: SavedState { public static let version = 1 }
  public func save() -> State { State() }
  public func restore(_ state: State) throws(RestoreError) {}
}
