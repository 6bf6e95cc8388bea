// SPDX-License-Identifier: GPL-2.0-or-later

/// Cylinders, heads and sectors of a disk as IDENTIFY DEVICE tells them (ATA/ATAPI-6, section 6.2.2): at most 16383
/// cylinders of 16 heads of 63 sectors.
public struct DiskGeometry: Codable, Equatable, Sendable {
  /// At most 16383.
  public internal(set) var cylinders: UInt16
  /// 16, until the guest sets others.
  public internal(set) var heads: UInt16
  /// Sectors a track: 63, until the guest sets others.
  public internal(set) var sectors: UInt16

  /// The geometry of a disk with so many sectors.
  public init(sectorCount: UInt64) {
    heads = 16
    sectors = 63
    cylinders = UInt16(min(max(sectorCount / (16 * 63), 1), 16383))
  }

  /// The sectors that cylinders, heads and sectors reach.
  var capacity: UInt64 { UInt64(cylinders) * UInt64(heads) * UInt64(sectors) }
}
