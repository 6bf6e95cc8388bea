// SPDX-License-Identifier: GPL-2.0-or-later

/// Linux's ioctl numbers for block devices (`linux/fs.h`), whose macros cannot be imported.
enum BlockIoctl {
  /// BLKSSZGET: the logical sector size, an `int`.
  static let getSectorSize: UInt = 0x1268
  /// BLKDISCARD: offset and length, two `uint64_t`.
  static let discard: UInt = 0x1277
  /// BLKZEROOUT: offset and length, two `uint64_t`.
  static let zeroOut: UInt = 0x127F
  /// BLKGETSIZE64: the size in bytes, a `uint64_t`.
  static let getSize64: UInt = 0x8008_1272
}
