// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Sockets that whoever started the process opened for it, by the protocol of systemd (sd_listen_fds(3)): from descriptor 3
/// on, with names.
public struct PassedSockets: Sendable {
  private let names: [String]
  private static let first: Int32 = 3

  /// Those of this process. The environment's variables are removed when it is asked first, which is to happen before the
  /// process becomes another.
  public static let current: PassedSockets = {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    let sockets = PassedSockets(
      process: variable("LISTEN_PID"), count: variable("LISTEN_FDS"), names: variable("LISTEN_FDNAMES"),
      own: getpid())
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
    for index in sockets.names.indices {
      _ = martlet_fcntl(first + Int32(index), F_SETFD, Int(FD_CLOEXEC))
    }
    return sockets
  }()

  /// - Parameters:
  ///   - process: for which process they are; for another they are nothing to us.
  ///   - count: how many there are.
  ///   - names: with colons between them.
  ///   - own: the process's number.
  init(process: String?, count: String?, names: String?, own: Int32) {
    guard let process, Int32(process) == own, let count = count.flatMap({ Int($0) }),
      (1...1024).contains(count)
    else {
      self.names = []
      return
    }
    let given =
      names.map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) } ?? []
    // What has no name is called as systemd calls it.
    self.names = (0..<count).map { $0 < given.count && !given[$0].isEmpty ? given[$0] : "unknown" }
  }

  /// The names, in order.
  public var allNames: [String] { names }

  /// The descriptor with a number or a name; nil if the name is none of them.
  public func descriptor(_ text: String) -> Int32? {
    if let number = Int32(text) { return number >= 0 ? number : nil }
    return names.firstIndex(of: text).map { Self.first + Int32($0) }
  }

  /// Why a descriptor was not found, for messages.
  public func reason(for text: String) -> String {
    let known =
      names.isEmpty ? "none were passed" : "those that were passed are \(names.joined(separator: ", "))"
    return "'\(text)' is neither the number of a descriptor nor the name of a socket of systemd: \(known)"
  }
}
