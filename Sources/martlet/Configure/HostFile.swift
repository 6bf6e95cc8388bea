// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Small files that options name.
enum HostFile {
  /// What a file, or a pipe like `/dev/stdin`, holds, at most 1 MiB; nil if it cannot be read, with `errno` set.
  static func read(_ path: String) -> [UInt8]? {
    let descriptor = martlet_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= 1 << 20 {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
    errno = EFBIG
    return nil
  }
}
