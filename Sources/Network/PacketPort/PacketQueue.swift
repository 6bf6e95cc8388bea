// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Frames that wait, first in, first out, in one piece of memory: bounded, and nothing is allocated per frame.
///
/// Each frame lies in one piece, behind its length; one that would not fit before the end of the memory begins at the
/// start.
final class PacketQueue {
  private let bytes: UnsafeMutableRawPointer
  private let capacity: Int
  /// Where the first frame's length is, and where the next one's will be.
  private var head = 0
  private var tail = 0
  /// How many frames wait.
  private(set) var count = 0

  private static let lengthSize = 4
  /// Written as a length where the rest up to the end is unused.
  private static let skip: UInt32 = .max

  /// An empty queue for `capacity` bytes.
  init(capacity: Int = 1 << 20) {
    self.capacity = capacity
    bytes = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit { bytes.deallocate() }

  var isEmpty: Bool { count == 0 }

  /// The bytes taken, gaps included.
  var byteCount: Int {
    if count == 0 { return 0 }
    return tail > head ? tail - head : capacity - head + tail
  }

  /// Forgets everything.
  func removeAll() { (head, tail, count) = (0, 0, 0) }

  /// Appends a frame made of pieces; false if there is no room for it.
  func append(_ pieces: UnsafeBufferPointer<iovec>) -> Bool {
    var length = 0
    for piece in pieces { length += piece.iov_len }
    guard let place = reserve(length) else { return false }
    var done = 0
    for piece in pieces {
      if let base = piece.iov_base { (place + done).copyMemory(from: base, byteCount: piece.iov_len) }
      done += piece.iov_len
    }
    return true
  }

  /// Appends a frame; false if there is no room for it.
  func append(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard let place = reserve(frame.count) else { return false }
    if let base = frame.baseAddress { place.copyMemory(from: base, byteCount: frame.count) }
    return true
  }

  /// Room for a frame, which counts as appended.
  private func reserve(_ length: Int) -> UnsafeMutableRawPointer? {
    let size = Self.lengthSize + (length + 3) & ~3
    if count == 0 { (head, tail) = (0, 0) }
    if count == 0 || tail > head {
      if size > capacity - tail {
        // Strictly less, so that a full queue is told from an empty one.
        guard size < head else { return nil }
        if capacity - tail >= Self.lengthSize {
          bytes.storeBytes(of: Self.skip, toByteOffset: tail, as: UInt32.self)
        }
        tail = 0
      }
    } else {
      guard size < head - tail else { return nil }
    }
    bytes.storeBytes(of: UInt32(truncatingIfNeeded: length), toByteOffset: tail, as: UInt32.self)
    let place = bytes + tail + Self.lengthSize
    tail += size
    count += 1
    return place
  }

  /// The frame that has waited longest; nil if none waits. Valid until it is removed.
  var first: UnsafeRawBufferPointer? {
    guard count > 0 else { return nil }
    var place = head
    return next(at: &place)
  }

  /// As many of the frames that have waited longest as fit into `list`, in order; says how many. Valid until they are
  /// removed, whatever is appended.
  func first(into list: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>) -> Int {
    var place = head
    let wanted = min(count, list.count)
    for index in 0..<wanted { list.initializeElement(at: index, to: next(at: &place)) }
    return wanted
  }

  /// Removes the first frame.
  func removeFirst() { removeFirst(1) }

  /// Removes the first `number` frames.
  func removeFirst(_ number: Int) {
    for _ in 0..<min(number, count) {
      _ = next(at: &head)
      count -= 1
    }
  }

  /// The frame whose length is at `place`, which becomes that of the next one.
  private func next(at place: inout Int) -> UnsafeRawBufferPointer {
    if capacity - place < Self.lengthSize || bytes.load(fromByteOffset: place, as: UInt32.self) == Self.skip {
      place = 0
    }
    let length = Int(bytes.load(fromByteOffset: place, as: UInt32.self))
    defer { place += Self.lengthSize + (length + 3) & ~3 }
    return UnsafeRawBufferPointer(start: bytes + place + Self.lengthSize, count: length)
  }
}
