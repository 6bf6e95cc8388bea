// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Where messages and traces go: standard error, or the file of `-D`.
///
/// Lines are written whole, so those of several threads do not mix.
public final class Log: Sendable {
  /// What each message begins with.
  public struct Prefix: Sendable {
    /// The time, as in RFC 3339, in UTC with microseconds.
    public var hasTime = false
    /// The guest's name; nil for none.
    public var guestName: String?
    /// Nothing.
    public init() {}
  }

  private let descriptor: Int32
  private let prefix: Prefix

  /// A log on standard error, or in `file`, which is replaced.
  public init(file: String?, prefix: Prefix = Prefix()) throws(HostError) {
    self.prefix = prefix
    guard let file else {
      descriptor = STDERR_FILENO
      return
    }
    descriptor = martlet_open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw HostError("cannot write the log \(file)") }
  }

  /// Writes one message.
  public func message(_ text: String) {
    let time = prefix.hasTime ? Self.time + " " : ""
    let name = prefix.guestName.map { $0 + " " } ?? ""
    Self.put("\(time)\(name)\(text)\n", to: descriptor)
  }

  private static var time: String {
    var now = timeval()
    gettimeofday(&now, nil)
    var parts = tm()
    gmtime_r(&now.tv_sec, &parts)
    func digits(_ value: some BinaryInteger, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let date = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
    let clock = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
    return "\(date)T\(clock).\(digits(now.tv_usec, 6))Z"
  }

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
