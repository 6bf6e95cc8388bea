// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Where messages and traces go: standard error, or the file of `-D`.
///
/// Lines are written whole, so those of several threads do not mix.
public final class Log: Sendable {
  private let descriptor: Int32

  /// A log on standard error, or in `file`, which is replaced.
  public init(file: String?) throws(HostError) {
    guard let file else {
      descriptor = STDERR_FILENO
      return
    }
    descriptor = martlet_open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw HostError("cannot write the log \(file)") }
  }

  /// Writes one message.
  public func message(_ text: String) { Self.put("\(text)\n", to: descriptor) }

  /// Writes to standard error, before there is a log.
  public static func standardError(_ text: String) { put(text, to: STDERR_FILENO) }

  private static func put(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while let base = rest.baseAddress, rest.count > 0 {
        let count = write(descriptor, base, rest.count)
        if count < 0 && errno == EINTR { continue }
        // A log that cannot be written must not stop the guest.
        guard count > 0 else { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }
}
