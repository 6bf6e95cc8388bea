// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// Frames of a burst on their way out: the event loop sends them, while the guest's processor goes on.
///
/// The first ones of a burst need not come here, so that a question does not wait until the loop has woken up. Used with
/// the machine's lock held.
final class SendQueue {
  private let loop: EventLoop
  /// Sends frames, on the loop, without the lock: says how many were taken.
  private let transmit: (UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Int
  /// Whoever was refused may try again.
  private let onRoom: () -> Void
  private var doorbell: Notifier?
  private let frames = PacketQueue(capacity: SendQueue.capacity)
  private static let capacity = 256 << 10
  private var isRefusing = false
  private var isRung = false
  private var isSending = false
  /// How many frames of this burst went past.
  private var directCount = 0
  /// The other side takes no more until ``unblock()``.
  private(set) var isBlocked = false

  private static let mostDirect = 4
  /// How many frames are sent between two looks at what the card wants, and how often in a turn of the loop.
  private static let chunk = 32
  private static let mostChunksATurn = 8

  init(
    on loop: EventLoop, transmit: @escaping (UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Int,
    onFlush: @escaping () -> Void, onRoom: @escaping () -> Void
  ) throws(HostError) {
    (self.loop, self.transmit, self.onRoom) = (loop, transmit, onRoom)
    doorbell = try Notifier(on: loop) { [unowned self] in
      isRung = false
      onFlush()
    }
  }

  /// Whether the next frame may be sent without waiting here; asked once for each.
  func allowsDirect() -> Bool {
    guard frames.isEmpty, !isSending, !isBlocked, directCount < Self.mostDirect else { return false }
    directCount += 1
    return true
  }

  /// Appends a frame; false if there is no room for it.
  func append(_ pieces: UnsafeBufferPointer<iovec>) -> Bool {
    if frames.append(pieces) { return true }
    isRefusing = true
    return false
  }

  /// Whether any frame would fit; if not, whoever asks is told like one that was refused.
  func hasRoom() -> Bool {
    if frames.byteCount <= Self.capacity - 2 * (PacketLimits.largestFrame + 16) { return true }
    isRefusing = true
    return false
  }

  /// The burst is over: what waits is sent soon.
  /// - Parameter callsLoop: false if ``flush()`` will be called anyway.
  func endOfBatch(callsLoop: Bool = true) {
    directCount = 0
    if callsLoop { ring() }
  }

  private func ring() {
    guard !frames.isEmpty, !isSending, !isBlocked, !isRung else { return }
    isRung = true
    doorbell?.signal()
  }

  /// The other side has refused a frame.
  func block() { isBlocked = true }

  /// The other side takes frames again; ``flush()`` sends them.
  func unblock() { isBlocked = false }

  /// Sends what waits. On the loop.
  func flush() {
    guard !isSending else { return }
    isSending = true
    var budget = Self.mostChunksATurn
    while budget > 0, !frames.isEmpty, !isBlocked {
      budget -= 1
      sendChunk()
      if isRefusing {
        isRefusing = false
        onRoom()
      }
    }
    isSending = false
    ring()
  }

  private func sendChunk() {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: Self.chunk) { chunk in
      let count = frames.first(into: chunk)
      let taken = loop.withoutLock { transmit(UnsafeBufferPointer(rebasing: chunk[..<count])) }
      frames.removeFirst(taken)
      if taken < count { isBlocked = true }
    }
  }

  /// Calls nobody any more.
  func cancel() {
    doorbell?.close()
    doorbell = nil
    frames.removeAll()
  }

  /// Sends what it can at once, with the lock held, and forgets the rest.
  func close() {
    while let frame = frames.first {
      let taken = withUnsafePointer(to: frame) { transmit(UnsafeBufferPointer(start: $0, count: 1)) }
      guard taken == 1 else { break }
      frames.removeFirst()
    }
    cancel()
  }
}
