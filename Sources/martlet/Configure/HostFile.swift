// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import OptionSyntax

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

  /// Writes a text to a file, which is made anew, or to standard output if that is "-".
  static func write(_ text: String, to path: String, option: String) throws(OptionError) {
    let isOutput = path == "-"
    let descriptor =
      isOutput ? STDOUT_FILENO : martlet_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    defer { if !isOutput && descriptor >= 0 { close(descriptor) } }
    var rest = Array(text.utf8)[...]
    while descriptor >= 0, !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    guard descriptor >= 0, rest.isEmpty else {
      throw OptionError("\(option): cannot write '\(path)': \(String(cString: strerror(errno)))")
    }
  }
}
