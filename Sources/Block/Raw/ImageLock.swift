// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// What keeps two emulators from using one image in ways that destroy it: byte-range locks of the open file
/// description, laid out as QEMU lays them out, so that QEMU's tools and Martlet refuse each other's images.
///
/// QEMU's scheme (docs/system/images.rst.inc, "Disk image file locking"): a user of an image holds a shared lock
/// on byte 100 + n for each permission n it uses, and on byte 200 + n for each permission it does not let others
/// use. It conflicts with others who hold a lock on byte 200 + n for an n it uses, or 100 + n for an n it forbids.
final class ImageLock {
  /// What can be done with an image, by QEMU's numbers.
  private struct Permissions: OptionSet {
    let rawValue: UInt8
    static let consistentRead = Permissions(rawValue: 1 << 0)
    static let write = Permissions(rawValue: 1 << 1)
    static let resize = Permissions(rawValue: 1 << 3)

    /// The numbers of the permissions contained.
    var numbers: [Int64] { (0..<8).filter { rawValue >> UInt8($0) & 1 != 0 } }
  }

  private static let usedBase: Int64 = 100
  private static let forbiddenBase: Int64 = 200

  private let file: ImageFile
  private let used: Permissions
  private let forbidden: Permissions

  /// Takes the locks; throws ``BlockError/locked(path:wanted:holder:)`` if another process stands against it.
  /// A file system that knows no locks is used without.
  init?(file: ImageFile, isWriter: Bool, sharesWrites: Bool) throws(BlockError) {
    self.file = file
    used = isWriter ? [.consistentRead, .write] : [.consistentRead]
    forbidden = sharesWrites ? [.resize] : [.write, .resize]
    let bytes = used.numbers.map { Self.usedBase + $0 } + forbidden.numbers.map { Self.forbiddenBase + $0 }
    var isContradicted = false
    for byte in bytes where !Self.setLock(file, byte, F_RDLCK) {
      guard errno == EAGAIN || errno == EACCES else { return nil }
      isContradicted = true
    }
    isContradicted =
      isContradicted
      || used.numbers.contains { Self.isHeldByAnother(file, Self.forbiddenBase + $0) }
      || forbidden.numbers.contains { Self.isHeldByAnother(file, Self.usedBase + $0) }
    if isContradicted {
      release()
      throw .locked(
        path: file.path, wanted: isWriter ? "writing" : "reading", holder: LockHolder.find(of: file))
    }
  }

  /// Gives the locks back.
  func release() {
    for number in used.numbers { _ = Self.setLock(file, Self.usedBase + number, F_UNLCK) }
    for number in forbidden.numbers { _ = Self.setLock(file, Self.forbiddenBase + number, F_UNLCK) }
  }

  private static func record(_ byte: Int64, _ kind: Int32) -> flock {
    var record = flock()
    record.l_type = Int16(kind)
    record.l_whence = Int16(SEEK_SET)
    record.l_start = Int(byte)
    record.l_len = 1
    return record
  }

  private static func setLock(_ file: ImageFile, _ byte: Int64, _ kind: Int32) -> Bool {
    var record = record(byte, kind)
    return martlet_fcntl_lock(file.descriptor, martlet_F_OFD_SETLK, &record) == 0
  }

  private static func isHeldByAnother(_ file: ImageFile, _ byte: Int64) -> Bool {
    var record = record(byte, F_WRLCK)
    return martlet_fcntl_lock(file.descriptor, martlet_F_OFD_GETLK, &record) == 0
      && record.l_type != Int16(F_UNLCK)
  }
}
