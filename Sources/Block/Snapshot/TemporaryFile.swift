// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Files without a name, gone with the process however it ends.
enum TemporaryFile {
  /// `TMPDIR`, else `/var/tmp`: unlike `/tmp`, it is on a disk.
  static var defaultDirectory: String {
    guard let value = getenv("TMPDIR") else { return "/var/tmp" }
    let path = String(cString: value)
    return path.isEmpty ? "/var/tmp" : path
  }

  /// Makes a file that reads as `byteCount` zeroes and takes no space yet.
  static func make(in directory: String, byteCount: UInt64) throws(BlockError) -> Int32 {
    var descriptor: Int32 = -1
    for _ in 0..<16 {
      let path = "\(directory)/martlet-\(String(UInt64.random(in: .min ... .max), radix: 36))"
      descriptor = martlet_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      if descriptor >= 0 {
        unlink(path)
        break
      }
      if errno != EEXIST { break }
    }
    guard descriptor >= 0 else {
      throw .host(path: directory, what: "cannot make a temporary file there (set TMPDIR)", code: errno)
    }
    guard ftruncate(descriptor, Int(clamping: byteCount)) == 0 else {
      let code = errno
      close(descriptor)
      throw .host(
        path: directory, what: "cannot make a temporary file of \(byteCount) bytes there (set TMPDIR)",
        code: code)
    }
    return descriptor
  }
}
