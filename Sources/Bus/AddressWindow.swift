// SPDX-License-Identifier: GPL-2.0-or-later

/// A range of ports or of memory addresses behind which a device answers.
///
/// The base class is what address spaces call, through one virtual call, with the widths already
/// brought to what the device implements: an access wider than `widest` is split into several of
/// `widest`, each looked up on its own (as a bus does with an 8-bit card); one narrower than `narrowest`
/// is widened (reads) or read-modify-written. Devices do not subclass it; they adopt ``RegisterFile``.
open class AddressWindow {
  /// What it is, for the memory tree and traces: "ide0-command".
  public let name: String
  /// The number of addresses.
  public let count: UInt64
  /// The narrowest access the device implements.
  public let narrowest: AccessWidth
  /// The widest access the device implements.
  public let widest: AccessWidth
  /// The offsets at which an engine may queue writes and deliver them later, in order, before the next access that is
  /// not queued and before handlers of the event loop (KVM's coalesced MMIO). Only where writes have no effect the guest could
  /// notice being late.
  public let lateWrites: [Range<UInt64>]

  /// A window of `count` addresses.
  public init(
    name: String, count: UInt64, narrowest: AccessWidth = .byte, widest: AccessWidth = .byte,
    lateWrites: [Range<UInt64>] = []
  ) {
    self.name = name
    self.count = count
    self.narrowest = narrowest
    self.widest = widest
    self.lateWrites = lateWrites
  }

  /// Reads `width` bytes at `offset` from the window's base; bits above the width are ignored.
  open func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 { width.allOnes }
  /// Writes `width` bytes at `offset` from the window's base; bits above the width are zero.
  open func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {}
}

/// A device with registers. Each of its windows (an IDE controller has several) has a name of its own, so
/// that one device reads as one `switch`.
public protocol RegisterFile: AnyObject {
  /// The names of the device's windows: an enum, or `Void` for a device with one.
  associatedtype Window
  /// Reads a register. `offset` is from the window's base and inside it; bits above `width` are ignored.
  func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64
  /// Writes a register. `offset` is from the window's base and inside it; bits above `width` are zero.
  func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth)
}

/// One window of one ``RegisterFile``.
public final class RegisterWindow<Device: RegisterFile>: AddressWindow {
  private let device: Device
  private let window: Device.Window

  /// The window `window` of `device`, `count` addresses long.
  public init(
    _ device: Device, _ window: Device.Window, name: String, count: UInt64, narrowest: AccessWidth = .byte,
    widest: AccessWidth = .byte, lateWrites: [Range<UInt64>] = []
  ) {
    self.device = device
    self.window = window
    super.init(
      name: name, count: count, narrowest: narrowest, widest: widest, lateWrites: lateWrites)
  }

  public override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
    device.read(window, offset: Int(truncatingIfNeeded: offset), width: width)
  }

  public override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
    device.write(window, offset: Int(truncatingIfNeeded: offset), value: value, width: width)
  }
}

extension AddressWindow {
  /// Reads with an access that `widest` allows, widening it to `narrowest` where needed.
  @inline(__always)
  final func readWidened(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
    if width >= narrowest { return read(offset, width) & width.allOnes }
    let mask = UInt64(narrowest.rawValue) - 1
    let value = read(offset & ~mask, narrowest)
    return value >> ((offset & mask) * 8) & width.allOnes
  }

  /// Writes with an access that `widest` allows, read-modify-writing up to `narrowest` where needed.
  @inline(__always)
  final func writeWidened(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
    if width >= narrowest { return write(offset, value & width.allOnes, width) }
    let mask = UInt64(narrowest.rawValue) - 1
    let shift = (offset & mask) * 8
    let field = width.allOnes << shift
    let old = read(offset & ~mask, narrowest) & narrowest.allOnes
    write(offset & ~mask, old & ~field | value << shift & field, narrowest)
  }
}
