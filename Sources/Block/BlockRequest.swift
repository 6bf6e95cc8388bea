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

  /// Who is told in the owner's place, to look at the result first: a ``Drive`` with its error policy.
  public var interceptor: (any BlockRequestOwner)?
  /// Who is told. Strong: the owner outlives its requests anyway.
  public let owner: any BlockRequestOwner

  /// An idle request with room for `capacity` segments; more are refused.
  public init(owner: any BlockRequestOwner, segmentCapacity capacity: Int = 64) {
    self.owner = owner
    segments = .allocate(capacity: max(1, capacity))
    segments.initialize(repeating: iovec())
  }

  deinit { segments.deallocate() }

  /// Ends the request: called by back ends, with the machine's lock held.
  public func complete(_ result: BlockResult) {
    self.result = result
    isInFlight = false
    if let interceptor { interceptor.blockRequestCompleted(self) } else { owner.blockRequestCompleted(self) }
  }

  /// The number of bytes concerned: of the segments for reads and writes, else ``byteCount``.
  public var transferByteCount: UInt64 {
    switch operation {
    case .read, .write: UInt64(segmentByteCount)
    case .discard, .writeZeroes: byteCount
    case .flush: 0
    }
  }

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

extension BlockRequest {
  /// Calls `body` with each piece of the segments' memory that lies in the data's bytes from `position` on, at
  /// most `byteCount` of them: its address, its length and its distance from `position`.
  @inline(__always)
  private func forEachPiece(
    from position: Int, byteCount: Int, _ body: (UnsafeMutableRawPointer, Int, Int) -> Void
  ) {
    var skipped = position
    var done = 0
    var index = 0
    while index < segmentCount && done < byteCount {
      let segment = segments[index]
      index += 1
      if skipped >= segment.iov_len {
        skipped -= segment.iov_len
        continue
      }
      let length = min(segment.iov_len - skipped, byteCount - done)
      body(segment.iov_base + skipped, length, done)
      done += length
      skipped = 0
    }
  }

  /// Copies the data from byte `position` on out of the segments into `destination`.
  public func copySegments(from position: Int, to destination: UnsafeMutableRawBufferPointer) {
    guard let base = destination.baseAddress else { return }
    forEachPiece(from: position, byteCount: destination.count) { memcpy(base + $2, $0, $1) }
  }

  /// Copies `source` into the segments, to the data's byte `position` and what follows.
  public func copy(_ source: UnsafeRawBufferPointer, toSegmentsFrom position: Int) {
    guard let base = source.baseAddress else { return }
    forEachPiece(from: position, byteCount: source.count) { memcpy($0, base + $2, $1) }
  }

  /// Fills the data from byte `position` on, at most `byteCount` bytes, with zeroes.
  public func zeroSegments(from position: Int, byteCount: Int) {
    forEachPiece(from: position, byteCount: byteCount) { memory, length, _ in memset(memory, 0, length) }
  }

  /// Appends the segments that hold `byteCount` bytes of `other`'s data from `position` on.
  /// - Returns: false if there is no room for them.
  func appendSegments(of other: BlockRequest, from position: Int, byteCount: Int) -> Bool {
    var fits = true
    other.forEachPiece(from: position, byteCount: byteCount) { memory, length, _ in
      fits = append(UnsafeMutableRawBufferPointer(start: memory, count: length)) && fits
    }
    return fits
  }
}
