// SPDX-License-Identifier: GPL-2.0-or-later

/// Cylinders, heads and sectors of a disk as IDENTIFY DEVICE tells them (ATA/ATAPI-6, section 6.2.2): at most 16383
/// cylinders of 16 heads of 63 sectors.
struct DiskGeometry: Codable, Equatable, Sendable {
  var cylinders: UInt16
  var heads: UInt16
  var sectors: UInt16

  /// The geometry of a disk with so many sectors.
  init(sectorCount: UInt64) {
    heads = 16
    sectors = 63
    cylinders = UInt16(min(max(sectorCount / (16 * 63), 1), 16383))
  }

  /// The sectors that cylinders, heads and sectors reach.
  var capacity: UInt64 { UInt64(cylinders) * UInt64(heads) * UInt64(sectors) }
}
