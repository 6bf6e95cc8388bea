// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Glibc

/// A medium in memory that completes requests at once, or when told to, or fails them.
public final class MemoryDisk: BlockDevice {
  public var bytes: [UInt8]
  public var isReadOnly = false
  public var canDiscard = true
  public let label = "memory"
  /// Requests wait for ``completeWaiting()``.
  public var isLate = false
  /// The `errno` of requests, if they are to fail.
  public var failure: Int32?
  /// Requests are begun at once: they cannot be taken back, but waited for.
  public var isCommitted = false
  /// Requests already begun can neither be taken back nor waited for.
  public var isStubborn = false
  /// Operations in the order they were done.
  public private(set) var log: [BlockOperation] = []
  public private(set) var waiting: [BlockRequest] = []
  public private(set) var flushes = 0

  public var byteCount: UInt64 { UInt64(bytes.count) }

  public init(sectors: Int) { bytes = [UInt8](repeating: 0, count: sectors * 512) }

  /// A medium of 4096 sectors, each filled with numbers that tell which it is.
  public static func numbered() -> MemoryDisk {
    let disk = MemoryDisk(sectors: 0)
    disk.bytes = numbers
    disk.log.reserveCapacity(64)
    return disk
  }

  private static let numbers: [UInt8] = (0..<4096).flatMap { sector in
    (0..<512).map { UInt8(truncatingIfNeeded: sector &* 7 &+ $0) }
  }

  public func submit(_ request: BlockRequest) {
    if isLate { waiting.append(request) } else { perform(request) }
  }

  public func completeWaiting() {
    let requests = waiting
    waiting = []
    for request in requests { perform(request) }
  }

  public func cancel(_ request: BlockRequest) {
    guard !isStubborn, !isCommitted, let index = waiting.firstIndex(where: { $0 === request }) else { return }
    waiting.remove(at: index)
    request.complete(.cancelled)
  }

  public func drain() { if !isStubborn { completeWaiting() } }
  public func close() {}

  private func perform(_ request: BlockRequest) {
    if log.count < 64 { log.append(request.operation) }
    if let failure { return request.complete(.failed(code: failure)) }
    var position = Int(request.offset)
    switch request.operation {
    case .read, .write:
      // Done without slices: tests count what a request allocates.
      guard position + request.segmentByteCount <= bytes.count else {
        return request.complete(.failed(code: EINVAL))
      }
      for index in 0..<request.segmentCount {
        let segment = request.segments[index]
        guard let base = segment.iov_base else { continue }
        let isRead = request.operation == .read
        bytes.withUnsafeMutableBytes { disk in
          guard let start = disk.baseAddress else { return }
          let place = start + position
          if isRead { memcpy(base, place, segment.iov_len) } else { memcpy(place, base, segment.iov_len) }
        }
        position += segment.iov_len
      }
    case .flush: flushes += 1
    case .discard, .writeZeroes:
      let end = min(position + Int(request.byteCount), bytes.count)
      for index in position..<end { bytes[index] = 0 }
    }
    request.complete(.success)
  }
}
