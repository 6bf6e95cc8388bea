// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// What can be asked of a block device.
public enum BlockOperation: UInt8, Sendable {
  /// Fill the segments from the medium.
  case read
  /// Write the segments to the medium.
  case write
  /// Return when all completed writes are on stable storage.
  case flush
  /// The bytes' content no longer matters (TRIM).
  case discard
  /// The bytes read as zeroes from now on.
  case writeZeroes
}

/// How a request ended.
public enum BlockResult: Equatable, Sendable {
  case success
  /// The host could not do it; `code` is the `errno`.
  case failed(code: Int32)
  /// It was taken back before it had an effect that the guest could rely on.
  case cancelled
}

/// Who learns that a request is done. Called with the machine's lock held, possibly from within
/// `submit(_:)`: a read from the host's page cache need not wait.
public protocol BlockRequestOwner: AnyObject {
  /// `request` is done, its `result` is set, and it may be used again.
  func blockRequestCompleted(_ request: BlockRequest)
}

/// One request, made once by a device and used again and again, so that I/O allocates nothing.
///
/// The owner fills in the fields, submits it, and leaves it alone until its completion.
public final class BlockRequest: @unchecked Sendable {
  // Unchecked: handed over whole. Its owner uses it with the machine's lock held while it is idle; the
  // back end, under its own synchronization, while it is in flight.

  /// What to do.
  public var operation = BlockOperation.read
  /// The first byte on the medium.
  public var offset: UInt64 = 0
  /// The number of bytes of a discard or writeZeroes; reads and writes are as long as their segments.
  public var byteCount: UInt64 = 0
  /// Where the data is or goes: host addresses, usually of guest memory.
  public private(set) var segments: UnsafeMutableBufferPointer<iovec>
  /// The number of segments in use.
  public private(set) var segmentCount = 0
  /// The sum of the segments' lengths.
  public private(set) var segmentByteCount = 0
  /// A number for the owner's use.
  public var tag = 0
  /// How it ended; set before the owner is told.
  public var result = BlockResult.success
  /// Set from submission to completion by the back end.
  public var isInFlight = false
  /// Room for the back end's own bookkeeping, made once for a request.
  public var backEndStorage: AnyObject?

  /// Who is told. Strong: the owner outlives its requests anyway.
  public let owner: any BlockRequestOwner

  /// An idle request with room for `capacity` segments; more are refused.
  public init(owner: any BlockRequestOwner, segmentCapacity capacity: Int = 64) {
    self.owner = owner
    segments = .allocate(capacity: max(1, capacity))
    segments.initialize(repeating: iovec())
  }

  deinit { segments.deallocate() }

  /// Forgets all segments.
  public func removeSegments() { (segmentCount, segmentByteCount) = (0, 0) }

  /// Appends a segment, joining it to the last where it continues it.
  /// - Returns: false if there is no room.
  public func append(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
    if segmentCount > 0 {
      let last = segments[segmentCount - 1]
      if let lastBase = last.iov_base, lastBase + last.iov_len == base {
        segments[segmentCount - 1].iov_len += bytes.count
        segmentByteCount += bytes.count
        return true
      }
    }
    guard segmentCount < segments.count else { return false }
    segments[segmentCount] = iovec(iov_base: base, iov_len: bytes.count)
    segmentCount += 1
    segmentByteCount += bytes.count
    return true
  }
}
