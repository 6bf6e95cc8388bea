// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// What cards store behind a frame's data: padding up to Ethernet's shortest frame, and the frame check sequence.
final class FrameTrailer {
  /// The shortest frame without its frame check sequence.
  static let leastByteCount = 60
  static let fcsByteCount = 4

  private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: leastByteCount + fcsByteCount)

  /// A trailer of zeros.
  init() { bytes.initialize(repeating: 0, count: Self.leastByteCount + Self.fcsByteCount) }

  deinit { bytes.deallocate() }

  /// The trailer for a frame as it was on the cable, with `padding` (0 … 60) bytes of padding in it. Valid until the
  /// next call.
  func make(for frame: UnsafeRawBufferPointer, padding: Int) -> UnsafeRawBufferPointer {
    var checksum: UInt32
    if frame.count >= Self.leastByteCount {
      checksum = EthernetCRC.checksum(frame)
    } else {
      checksum = 0
      withUnsafeTemporaryAllocation(byteCount: Self.leastByteCount, alignment: 8) { padded in
        padded.initializeMemory(as: UInt8.self, repeating: 0)
        padded.copyMemory(from: frame)
        checksum = EthernetCRC.checksum(UnsafeRawBufferPointer(padded))
      }
    }
    let padding = min(max(padding, 0), Self.leastByteCount)
    memset(bytes, 0, padding)
    for index in 0..<Self.fcsByteCount {
      bytes[padding &+ index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8))
    }
    return UnsafeRawBufferPointer(start: bytes, count: padding &+ Self.fcsByteCount)
  }
}
