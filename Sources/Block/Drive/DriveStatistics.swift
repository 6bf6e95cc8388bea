// SPDX-License-Identifier: GPL-2.0-or-later

/// What a drive has done since it was made.
public struct DriveStatistics: Equatable, Sendable {
  /// The count of one kind of operation.
  public struct Counter: Equatable, Sendable {
    /// Operations that succeeded.
    public var operations: UInt64 = 0
    /// The bytes they moved or concerned.
    public var bytes: UInt64 = 0
    /// Operations the host could not do, each attempt counted.
    public var failures: UInt64 = 0
  }

  public var reads = Counter()
  public var writes = Counter()
  public var flushes = Counter()
  public var discards = Counter()
  public var zeroings = Counter()

  /// Counts an operation that has ended.
  mutating func count(_ operation: BlockOperation, byteCount: UInt64, succeeded: Bool) {
    switch operation {
    case .read: Self.count(&reads, byteCount, succeeded)
    case .write: Self.count(&writes, byteCount, succeeded)
    case .flush: Self.count(&flushes, byteCount, succeeded)
    case .discard: Self.count(&discards, byteCount, succeeded)
    case .writeZeroes: Self.count(&zeroings, byteCount, succeeded)
    }
  }

  private static func count(_ counter: inout Counter, _ byteCount: UInt64, _ succeeded: Bool) {
    if succeeded {
      counter.operations &+= 1
      counter.bytes &+= byteCount
    } else {
      counter.failures &+= 1
    }
  }
}
