// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A ring of bytes on their way to a descriptor that may not take them now. Its memory is made once.
public final class OutputBuffer {
  private let memory: UnsafeMutableRawPointer
  private let capacity: Int
  private var start = 0
  /// The number of bytes held.
  public private(set) var count = 0

  /// Whether nothing is held.
  public var isEmpty: Bool { count == 0 }
  /// Whether nothing more is taken.
  var isFull: Bool { count == capacity }

  /// An empty buffer for `capacity` bytes.
  public init(capacity: Int) {
    self.capacity = max(1, capacity)
    memory = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { memory.deallocate() }

  /// Takes as much of `bytes` as there is room for; returns how much.
  public func append(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let source = bytes.baseAddress else { return 0 }
    let accepted = min(bytes.count, capacity - count)
    let end = (start + count) % capacity
    let first = min(accepted, capacity - end)
    memcpy(memory + end, source, first)
    memcpy(memory, source + first, accepted - first)
    count += accepted
    return accepted
  }

  /// Takes the end of `bytes`, in place of the oldest held if there is no room.
  func appendNewest(_ bytes: UnsafeRawBufferPointer) {
    let new = UnsafeRawBufferPointer(rebasing: bytes.suffix(capacity))
    var excess = max(0, count + new.count - capacity)
    while excess > 0 { excess -= offer { min($0.count, excess) } }
    _ = append(new)
  }

  /// Offers the oldest bytes, in one piece, to `consume`, which returns how many it took; the rest stays.
  public func offer(_ consume: (UnsafeRawBufferPointer) -> Int) -> Int {
    guard count > 0 else { return 0 }
    let piece = UnsafeRawBufferPointer(start: memory + start, count: min(count, capacity - start))
    // Whoever consumes may have emptied the buffer.
    let taken = min(max(0, consume(piece)), piece.count, count)
    start = (start + taken) % capacity
    count -= taken
    return taken
  }

  /// Shows what is held, in one or two pieces, oldest first.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) -> Void) {
    let first = min(count, capacity - start)
    body(UnsafeRawBufferPointer(start: memory + start, count: first))
    body(UnsafeRawBufferPointer(start: memory, count: count - first))
  }

  /// Forgets everything.
  public func removeAll() { (start, count) = (0, 0) }
}
