// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// A socket address in the kernel's form.
struct SocketAddress {
  let family: Int32
  /// For messages.
  let text: String
  private var storage = sockaddr_storage()
  private let byteCount: socklen_t

  init(_ address: DatagramNetwork.Settings.Address) {
    switch address {
    case .udp(let host, let port):
      family = AF_INET
      text = "\(host):\(port)"
      var value = sockaddr_in()
      value.sin_family = sa_family_t(AF_INET)
      value.sin_addr = host.inAddress
      value.sin_port = port.bigEndian
      byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: sockaddr_in.self) }
    case .unix(let path):
      family = AF_UNIX
      text = path
      var value = sockaddr_un()
      value.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &value.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
      byteCount = socklen_t(MemoryLayout<sockaddr_un>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: sockaddr_un.self) }
    }
  }

  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, byteCount) }
    }
  }
}
