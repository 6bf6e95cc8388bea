// SPDX-License-Identifier: GPL-2.0-or-later

/// Frames in a stream of bytes, each behind its length in four bytes, the highest first: as QEMU joins two guests.
///
/// A length beyond what a frame can have ends the connection: nothing after it could be understood.
final class StreamFraming {
  private let bytes = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 2 * PacketLimits.largestFrame, alignment: 16)
  private var start = 0
  private var end = 0

  deinit { bytes.deallocate() }

  /// Room for more bytes, at least a frame's.
  var room: UnsafeMutableRawBufferPointer {
    if start > 0, bytes.count - end < PacketLimits.largestFrame {
      bytes.baseAddress?.copyMemory(from: bytes.baseAddress! + start, byteCount: end - start)
      (start, end) = (0, end - start)
    }
    return UnsafeMutableRawBufferPointer(rebasing: bytes[end...])
  }

  /// `count` bytes were put into ``room``.
  func added(_ count: Int) { end += min(max(count, 0), bytes.count - end) }

  /// Forgets everything.
  func removeAll() { (start, end) = (0, 0) }

  /// What lies at the front.
  enum Front {
    case nothing
    case frame(UnsafeRawBufferPointer)
    case nonsense
  }

  /// The first frame, if all of it is there.
  var front: Front {
    guard end - start >= 4 else { return .nothing }
    let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
    guard length <= PacketLimits.largestFrame - 4 else { return .nonsense }
    guard end - start >= 4 + length else { return .nothing }
    return .frame(UnsafeRawBufferPointer(rebasing: bytes[(start + 4)..<(start + 4 + length)]))
  }

  /// Removes the first frame.
  func removeFront() {
    if case .frame(let frame) = front { start += 4 + frame.count }
    if start == end { (start, end) = (0, 0) }
  }
}
