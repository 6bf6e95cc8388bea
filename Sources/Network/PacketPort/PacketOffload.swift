// SPDX-License-Identifier: GPL-2.0-or-later

/// What the other side of a ``PacketPort`` does itself.
public struct PacketOffloads: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Fills in a TCP or UDP checksum.
  public static let checksum = PacketOffloads(rawValue: 1)
  /// Cuts a long TCP segment over IPv4.
  public static let tcpSegmentation4 = PacketOffloads(rawValue: 2)
  /// Cuts a long TCP segment over IPv6.
  public static let tcpSegmentation6 = PacketOffloads(rawValue: 4)
}

/// What is left to do for one frame (in the words of virtio's `virtio_net_hdr`).
public struct PacketOffload: Equatable, Sendable {
  /// How a long segment is to be cut.
  public enum Segmentation: UInt8, Sendable {
    case none = 0
    case tcp4 = 1
    case tcp6 = 4
  }
  /// Whether a checksum is to be filled in: over the bytes from `checksumStart` to the end, stored at
  /// `checksumStart + checksumOffset`, where the sum of the pseudo header is.
  public var needsChecksum = false
  /// In bytes from the start of the frame.
  public var checksumStart: UInt16 = 0
  /// In bytes from `checksumStart`.
  public var checksumOffset: UInt16 = 0
  /// How to cut the segment.
  public var segmentation = Segmentation.none
  /// The length in bytes of all headers, which are repeated in each part.
  public var headerLength: UInt16 = 0
  /// The payload of a part in bytes.
  public var segmentSize: UInt16 = 0

  /// A frame that is complete.
  public static let none = PacketOffload()
  /// A frame that is complete.
  public init() {}
}
