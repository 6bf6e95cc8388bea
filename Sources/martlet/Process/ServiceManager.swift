// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Whoever supervises the process and wants to know when it is ready (sd_notify(3)): a datagram to a socket that the
/// environment names. Without one, nothing is said.
struct ServiceManager {
  private var descriptor: Int32 = -1

  /// Finds it. The environment's variable is removed.
  init() {
    guard let name = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }) else { return }
    unsetenv("NOTIFY_SOCKET")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard name.utf8.count > 1, name.utf8.count < capacity, ["/", "@"].contains(name.first) else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
    // An abstract name begins with a zero, and ends where the address does.
    if name.first == "@" { address.sun_path.0 = 0 }
    let count = socklen_t(MemoryLayout<sockaddr_un>.size - capacity + name.utf8.count)
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(AF_UNIX, kind, 0)
    guard socket >= 0 else { return }
    let isConnected = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, count) == 0 }
    }
    // Connected now: later there may be another root directory.
    if isConnected { descriptor = socket } else { close(socket) }
  }

  /// Everything listens.
  func tellReady(name: String?) {
    tell("READY=1\nMAINPID=\(getpid())\nSTATUS=\(name ?? "The guest") is there\n")
  }

  /// The end has begun.
  func tellStopping() { tell("STOPPING=1\n") }

  private func tell(_ text: String) {
    guard descriptor >= 0 else { return }
    _ = text.withCString { send(descriptor, $0, strlen($0), 0) }
  }
}
