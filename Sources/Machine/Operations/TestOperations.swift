// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// Playing the guest's part: accesses as a CPU makes them, interrupt lines, time. Called on the event loop with the
/// machine's lock held.
extension Machine {
  // MARK: Memory

  /// Reads 1, 2, 4 or 8 bytes of memory or of a device.
  public func readBus(_ address: UInt64, byteCount: Int) -> UInt64 {
    let width = AccessWidth(fitting: byteCount)
    return board.memory.read(GuestAddress(address), width) & width.allOnes
  }

  /// Writes 1, 2, 4 or 8 bytes to memory or to a device.
  public func writeBus(_ address: UInt64, _ value: UInt64, byteCount: Int) {
    let width = AccessWidth(fitting: byteCount)
    board.memory.write(GuestAddress(address), value & width.allOnes, width)
  }

  /// Fills `bytes` from memory at `address`; what is a device's is read in pieces of at most four bytes, what is nobody's
  /// reads as ones.
  public func readBus(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    forEachPage(of: address, count: bytes.count) { address, range in
      let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
      guard !board.memory.memory.read(GuestAddress(address), into: piece) else { return }
      forEachUnit(of: address, count: piece.count) { address, offset, width in
        let value = board.memory.read(GuestAddress(address), width)
        for byte in 0..<width.count {
          piece[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
        }
      }
    }
  }

  /// Writes `bytes` to memory at `address`, as ``readBus(_:into:)`` reads them.
  public func writeBus(_ address: UInt64, from bytes: UnsafeRawBufferPointer) {
    forEachPage(of: address, count: bytes.count) { address, range in
      let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
      guard !board.memory.memory.write(GuestAddress(address), from: piece) else { return }
      forEachUnit(of: address, count: piece.count) { address, offset, width in
        var value: UInt64 = 0
        for byte in 0..<width.count { value |= UInt64(piece[offset + byte]) << UInt64(byte * 8) }
        board.memory.write(GuestAddress(address), value, width)
      }
    }
  }

  private func forEachPage(of address: UInt64, count: Int, _ body: (UInt64, Range<Int>) -> Void) {
    var done = 0
    while done < count {
      let position = address &+ UInt64(done)
      let piece = min(count - done, 4096 - Int(position & 4095))
      body(position, done..<done + piece)
      done += piece
    }
  }

  /// The widest aligned accesses that make up a stretch.
  private func forEachUnit(of address: UInt64, count: Int, _ body: (UInt64, Int, AccessWidth) -> Void) {
    var done = 0
    while done < count {
      let position = address &+ UInt64(done)
      let aligned = 1 << min(2, position.trailingZeroBitCount)
      let width = AccessWidth(fitting: min(count - done, aligned))
      body(position, done, width)
      done += width.count
    }
  }

  // MARK: Interrupt lines

  /// The chips whose inputs can be listened to and set, when the engine leaves them to the board.
  public enum InterruptChip: Sendable, Equatable {
    /// The 8259 pair: inputs 0 … 15.
    case pic
    /// The IOAPIC: inputs 0 … 23, of which 0 is the 8254's line.
    case ioapic

    /// How many inputs it has.
    public var inputCount: Int { self == .pic ? 16 : 24 }
  }

  /// Whether ``observeInterruptLines(_:)`` and ``setInterruptInput(of:_:isRaised:)`` have any effect.
  public var hasOwnInterruptChips: Bool { board.interruptPlatform != nil }

  /// Has `body` told of every change of an interrupt line, 0 … 23; nil ends that.
  public func observeInterruptLines(_ body: ((_ number: Int, _ isRaised: Bool) -> Void)?) {
    board.interruptPlatform?.onLineChange = body
  }

  /// Sets an input of one chip, whatever the device at the line says; a number that is no input has no effect.
  public func setInterruptInput(of chip: InterruptChip, _ number: Int, isRaised: Bool) {
    switch chip {
    case .pic: board.interruptPlatform?.setPICInput(number, isRaised: isRaised)
    case .ioapic: board.interruptPlatform?.setIOAPICInput(number, isRaised: isRaised)
    }
  }

  // MARK: Time

  /// Guest time in nanoseconds.
  public var guestTime: UInt64 { clock.now }

  /// Whether guest time is moved by ``advanceTime(to:deadlineLimit:)`` alone.
  public var isTimeStepped: Bool { clock is SteppedClock }

  /// When the next timer of a device is due; nil if none is.
  public var nextDeadline: UInt64? { clock.nextDeadline }

  /// Moves guest time forward, calling the timers on the way, if it is stepped by hand.
  /// - Returns: false if there were more than `deadlineLimit` moments to stop at; time then stands at the last.
  public func advanceTime(to time: UInt64, deadlineLimit: Int) -> Bool {
    (clock as? SteppedClock)?.advance(to: time, deadlineLimit: deadlineLimit) ?? true
  }
}
