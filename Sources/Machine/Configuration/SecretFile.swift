// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import OptionSyntax

/// A file that holds a secret.
enum SecretFile {
  private static let limit = 1 << 16

  /// All of its bytes, at most 64 KiB.
  static func read(_ path: String, option: String) throws(OptionError) -> [UInt8] {
    let descriptor = martlet_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      throw OptionError("\(option): cannot open '\(path)': \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count <= limit {
      let piece = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        count = max(Glibc.read(descriptor, buffer.baseAddress, buffer.count), 0)
      }
      guard !piece.isEmpty else { return bytes }
      bytes += piece
    }
    throw OptionError("\(option): '\(path)' is longer than \(limit) bytes")
  }
}
