// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// The 65,536 I/O ports: which window answers at each, and the dispatch of an access to it.
///
/// A look-up is one load from a table with an entry per port. Called with the machine's lock held.
public final class PortSpace {
  private struct Entry {
    let base: UInt16
    let window: Unmanaged<AddressWindow>
  }

  /// One byte-sized index a port would limit a machine to 255 windows; two bytes do not.
  private let index: UnsafeMutablePointer<UInt16>
  private var entries: UnsafeMutablePointer<Entry>
  private var capacity = 64
  private var mapped: [(base: UInt16, window: AddressWindow)] = []

  /// Accesses to ports at which nothing answered, since the start.
  public private(set) var unclaimedAccesses: UInt64 = 0
  /// Traces every access when set: port, value, width, and whether it was a write.
  public var trace: ((_ port: UInt16, _ value: UInt64, _ width: AccessWidth, _ isWrite: Bool) -> Void)?

  /// Told of each window that comes or goes.
  public var onMap: ((_ window: AddressWindow, _ base: UInt16, _ isMapped: Bool) -> Void)?

  /// No windows: every port reads as all ones.
  public init() {
    index = .allocateZeroed(capacity: 65536)
    entries = .allocate(capacity: capacity)
  }

  deinit {
    free(index)
    entries.deallocate()
  }

  /// Puts `window` at `base`. Where windows overlap the one mapped last answers, until it is unmapped.
  public func map(_ window: AddressWindow, at base: UInt16) {
    mapped.append((base, window))
    // The new one lies on top of all others.
    if mapped.count < capacity { enter(mapped.count - 1) } else { rebuild() }
    onMap?(window, base, true)
  }

  /// Takes `window` away from wherever it is mapped.
  public func unmap(_ window: AddressWindow) {
    let gone = mapped.filter { $0.window === window }
    mapped.removeAll { $0.window === window }
    rebuild()
    for (base, window) in gone { onMap?(window, base, false) }
  }

  /// The windows, in the order they were mapped, for `info mtree` and the like.
  public var windows: [(base: UInt16, window: AddressWindow)] { mapped }

  private func rebuild() {
    if mapped.count >= capacity {
      entries.deallocate()
      while mapped.count >= capacity { capacity *= 2 }
      entries = .allocate(capacity: capacity)
    }
    index.update(repeating: 0, count: 65536)
    for number in mapped.indices { enter(number) }
  }

  private func enter(_ number: Int) {
    let (base, window) = mapped[number]
    (entries + number + 1).initialize(to: Entry(base: base, window: .passUnretained(window)))
    let end = min(UInt64(base) + window.count, 65536)
    (index + Int(base)).update(repeating: UInt16(number + 1), count: Int(end) - Int(base))
  }

  /// Reads `width` (at most dword) from `port`.
  public func read(_ port: UInt16, _ width: AccessWidth) -> UInt64 {
    let value = dispatchRead(port, width)
    if trace != nil { trace?(port, value, width, false) }
    return value
  }

  /// Writes the low `width` (at most dword) of `value` to `port`.
  public func write(_ port: UInt16, _ value: UInt64, _ width: AccessWidth) {
    if trace != nil { trace?(port, value & width.allOnes, width, true) }
    dispatchWrite(port, value, width)
  }

  @inline(__always)
  private func dispatchRead(_ port: UInt16, _ width: AccessWidth) -> UInt64 {
    let number = Int(index[Int(port)])
    guard number != 0 else {
      // Nothing here; a wider access may still touch a window further on.
      if width == .byte { unclaimedAccesses &+= 1 }
      return width == .byte ? 0xFF : splitRead(port, width, by: .byte)
    }
    let entry = entries[number]
    let offset = UInt64(port &- entry.base)
    return entry.window._withUnsafeGuaranteedRef { window in
      if width <= window.widest && offset + UInt64(width.rawValue) <= window.count {
        return window.readWidened(offset, width)
      }
      return splitRead(port, width, by: width > window.widest ? window.widest : .byte)
    }
  }

  @inline(__always)
  private func dispatchWrite(_ port: UInt16, _ value: UInt64, _ width: AccessWidth) {
    let number = Int(index[Int(port)])
    guard number != 0 else {
      if width == .byte { unclaimedAccesses &+= 1 } else { splitWrite(port, value, width, by: .byte) }
      return
    }
    let entry = entries[number]
    let offset = UInt64(port &- entry.base)
    entry.window._withUnsafeGuaranteedRef { window in
      if width <= window.widest && offset + UInt64(width.rawValue) <= window.count {
        return window.writeWidened(offset, value, width)
      }
      splitWrite(port, value, width, by: width > window.widest ? window.widest : .byte)
    }
  }

  @inline(never)
  private func splitRead(_ port: UInt16, _ width: AccessWidth, by part: AccessWidth) -> UInt64 {
    var value: UInt64 = 0
    var done: UInt8 = 0
    while done < width.rawValue {
      value |= dispatchReadPart(port &+ UInt16(done), part) << (UInt64(done) * 8)
      done += part.rawValue
    }
    return value
  }

  @inline(never)
  private func splitWrite(_ port: UInt16, _ value: UInt64, _ width: AccessWidth, by part: AccessWidth) {
    var done: UInt8 = 0
    while done < width.rawValue {
      dispatchWritePart(port &+ UInt16(done), value >> (UInt64(done) * 8) & part.allOnes, part)
      done += part.rawValue
    }
  }

  // The recursion of a split access ends after one step: its parts are no wider than the window allows,
  // or are bytes.
  @inline(never)
  private func dispatchReadPart(_ port: UInt16, _ width: AccessWidth) -> UInt64 { dispatchRead(port, width) }
  @inline(never)
  private func dispatchWritePart(_ port: UInt16, _ value: UInt64, _ width: AccessWidth) {
    dispatchWrite(port, value, width)
  }
}
