// SPDX-License-Identifier: GPL-2.0-or-later

/// Bytes that wait to be sent, first in, first out.
struct ByteQueue {
  private var storage: [UInt8] = []
  private var head = 0

  /// The number of bytes that wait.
  var count: Int { storage.count - head }
  /// Whether none wait.
  var isEmpty: Bool { count == 0 }

  /// Adds bytes at the end.
  mutating func append(_ bytes: some Sequence<UInt8>) { storage.append(contentsOf: bytes) }

  /// Hands the bytes to `body`, which returns how many of them it took.
  mutating func drain(_ body: (UnsafeRawBufferPointer) -> Int) {
    let taken = storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    head += min(max(taken, 0), count)
    if head == storage.count {
      // A large buffer was for one large update; do not keep it.
      storage.removeAll(keepingCapacity: storage.capacity <= 1 << 16)
      head = 0
    } else if head > 1 << 20 && head > storage.count / 2 {
      storage.removeFirst(head)
      head = 0
    }
  }
}
