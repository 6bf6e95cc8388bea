// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// A file that gets a copy of each frame of a cable, for Wireshark and tcpdump (`-object filter-dump`): the classic
/// format of libpcap (draft-ietf-opsawg-pcap), in the host's byte order, with microseconds.
public final class PacketCapture {
  /// `id=`.
  public let name: String
  /// How much of a frame is kept at most, in bytes.
  private let longest: Int
  private var descriptor: Int32
  private let pieces = UnsafeMutableBufferPointer<iovec>.allocate(capacity: PacketLimits.mostPieces + 1)

  /// Makes the file anew.
  public init(name: String, path: String, longest: Int = 65536) throws(NetworkError) {
    self.name = name
    self.longest = longest
    descriptor = martlet_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .capture(path: path, reason: String(cString: strerror(errno))) }
    // Magic number, version 2.4, no time zone, no accuracy, length of the longest, Ethernet.
    let header: [UInt32] = [0xA1B2_C3D4, 4 << 16 | 2, 0, 0, UInt32(clamping: longest), 1]
    let isWritten = header.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) == $0.count }
    guard isWritten else {
      let reason = String(cString: strerror(errno))
      Glibc.close(descriptor)
      descriptor = -1
      throw .capture(path: path, reason: reason)
    }
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
    pieces.deallocate()
  }

  /// Appends a frame that was received.
  func write(_ frame: UnsafeRawBufferPointer) {
    var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: frame.baseAddress), iov_len: frame.count)
    withUnsafePointer(to: &piece) { write(UnsafeBufferPointer(start: $0, count: 1)) }
  }

  /// Appends a frame that was sent.
  func write(_ frame: UnsafeBufferPointer<iovec>) {
    guard descriptor >= 0, frame.count < pieces.count else { return }
    var length = 0
    var room = longest
    var count = 1
    for piece in frame {
      length += piece.iov_len
      let kept = min(piece.iov_len, room)
      if kept > 0 {
        pieces[count] = iovec(iov_base: piece.iov_base, iov_len: kept)
        count += 1
        room -= kept
      }
    }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var header = (
      UInt32(truncatingIfNeeded: now.tv_sec), UInt32(now.tv_nsec / 1000), UInt32(longest - room),
      UInt32(length)
    )
    withUnsafeMutableBytes(of: &header) { bytes in
      pieces[0] = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
      // A file that cannot be written any more, on a full disk, gets no more: a torn record would make what follows
      // unreadable.
      if writev(descriptor, pieces.baseAddress, Int32(count)) != longest - room + bytes.count {
        Glibc.close(descriptor)
        descriptor = -1
      }
    }
  }
}
