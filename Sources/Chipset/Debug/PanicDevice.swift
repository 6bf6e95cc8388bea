// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// QEMU's `pvpanic`: a guest's kernel tells by it that it has crashed (QEMU's docs/specs/pvpanic.txt). One port: reads
/// say which events it understands, writes report them.
public final class PanicDevice: RegisterFile, Device {
  /// What a guest can report, as bits of the register.
  public struct Events: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The guest's kernel has panicked.
    public static let panicked = Events(rawValue: 1 << 0)
    /// It has panicked, and a second kernel takes over to save what there is.
    public static let crashLoaded = Events(rawValue: 1 << 1)
    /// Both.
    public static let all: Events = [.panicked, .crashLoaded]
  }

  public let deviceName = "pvpanic"
  private let events: Events
  private let control: any SystemControl

  /// The device, which tells the guest that it understands `events`.
  public init(events: Events = .all, control: any SystemControl) {
    self.events = events
    self.control = control
  }

  /// Maps it, usually at 0x505.
  public func map(in ports: PortSpace, at base: UInt16) {
    ports.map(RegisterWindow(self, (), name: deviceName, count: 1), at: base)
  }

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 { UInt64(events.rawValue) }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    // As in QEMU, also what the guest was not told of counts; bits without a meaning do not.
    let reported = Events(rawValue: UInt8(truncatingIfNeeded: value))
    if reported.contains(.panicked) { control.reportCrash(.panicked) }
    if reported.contains(.crashLoaded) { control.reportCrash(.crashLoaded) }
  }

  public func reset() {}
  /// There is nothing to keep.
  public struct State: SavedState { public static let version = 1 }
  public func save() -> State { State() }
  public func restore(_ state: State) throws(RestoreError) {}
}
