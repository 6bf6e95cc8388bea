// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

/// A host that takes as many bytes as the test lets it, and offers what the test sends.
final class SlowPort: CharacterPort {
  var receiver: (any CharacterReceiver)?
  private(set) var written: [UInt8] = []
  private(set) var waiting: [UInt8] = []
  /// How many bytes it takes yet.
  var room = Int.max
  private(set) var readyCalls = 0

  init(capacity: Int = 4096) { written.reserveCapacity(capacity) }

  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(room, bytes.count)
    written.append(contentsOf: bytes.prefix(count))
    room -= count
    return count
  }

  func receiverBecameReady() {
    readyCalls += 1
    offer()
  }

  /// Bytes come in.
  func send(_ bytes: [UInt8]) {
    waiting += bytes
    offer()
  }

  /// The host takes `count` bytes more.
  func makeRoom(_ count: Int) {
    room += count
    receiver?.characterPortBecameWritable()
  }

  func clear() { written.removeAll(keepingCapacity: true) }

  private func offer() {
    let taken = waiting.withUnsafeBytes { receiver?.receive($0) ?? 0 }
    waiting.removeFirst(taken)
  }
}
