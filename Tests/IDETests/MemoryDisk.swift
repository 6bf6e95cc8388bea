// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Glibc

/// A medium in memory that completes requests at once, or when told to, or fails them.
final class MemoryDisk: BlockDevice {
  var bytes: [UInt8]
  var isReadOnly = false
  var canDiscard = true
  let label = "memory"
  /// Requests wait for ``completeWaiting()``.
  var isLate = false
  /// The `errno` of requests, if they are to fail.
  var failure: Int32?
  private(set) var waiting: [BlockRequest] = []
  private(set) var flushes = 0

  var byteCount: UInt64 { UInt64(bytes.count) }

  init(sectors: Int) { bytes = [UInt8](repeating: 0, count: sectors * 512) }

  /// Fills each sector with its number.
  func number() {
    for sector in 0..<(bytes.count / 512) {
      for index in 0..<512 { bytes[sector * 512 + index] = UInt8(truncatingIfNeeded: sector &* 7 &+ index) }
    }
  }

  func submit(_ request: BlockRequest) {
    if isLate { waiting.append(request) } else { perform(request) }
  }

  func completeWaiting() {
    let requests = waiting
    waiting = []
    for request in requests { perform(request) }
  }

  func cancel(_ request: BlockRequest) {
    guard let index = waiting.firstIndex(where: { $0 === request }) else { return }
    waiting.remove(at: index)
    request.complete(.cancelled)
  }

  func drain() { completeWaiting() }
  func close() {}

  private func perform(_ request: BlockRequest) {
    if let failure { return request.complete(.failed(code: failure)) }
    var position = Int(request.offset)
    switch request.operation {
    case .read, .write:
      for segment in request.segments.prefix(request.segmentCount) {
        guard let base = segment.iov_base, position + segment.iov_len <= bytes.count else {
          return request.complete(.failed(code: EINVAL))
        }
        bytes.withUnsafeMutableBytes { disk in
          guard let target = disk.baseAddress else { return }
          if request.operation == .read {
            base.copyMemory(from: target + position, byteCount: segment.iov_len)
          } else {
            (target + position).copyMemory(from: base, byteCount: segment.iov_len)
          }
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
