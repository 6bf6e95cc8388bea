// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// An IPv4 or IPv6 address of this host.
struct HostAddress: CustomStringConvertible {
  private enum Kind {
    case v4(in_addr_t)
    case v6(sockaddr_in6)
  }
  private let kind: Kind

  private init(_ kind: Kind) { self.kind = kind }

  /// An IPv4 address, in network byte order.
  static func v4(_ address: in_addr_t) -> HostAddress { HostAddress(.v4(address)) }

  /// An IPv6 address.
  static func v6(_ address: in6_addr) -> HostAddress {
    var full = sockaddr_in6()
    full.sin6_family = sa_family_t(AF_INET6)
    full.sin6_addr = address
    return HostAddress(.v6(full))
  }

  /// What `getaddrinfo` found; nil if it is neither.
  init?(_ address: UnsafePointer<sockaddr>?) {
    guard let address else { return nil }
    let raw = UnsafeRawPointer(address)
    switch Int32(address.pointee.sa_family) {
    case AF_INET: kind = .v4(raw.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr)
    case AF_INET6: kind = .v6(raw.loadUnaligned(as: sockaddr_in6.self))
    default: return nil
    }
  }

  /// `AF_INET` or `AF_INET6`.
  var family: Int32 {
    switch kind {
    case .v4: return AF_INET
    case .v6: return AF_INET6
    }
  }

  /// Whether only this host can reach it.
  var isLoopback: Bool {
    switch kind {
    case .v4(let address): return UInt32(bigEndian: address) >> 24 == 127
    case .v6(let address):
      return withUnsafeBytes(of: address.sin6_addr) { bytes in
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? bytes[12] == 127 : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
      }
    }
  }

  /// Binds a socket to the address.
  /// - Returns: false, with `errno` set, if it cannot be.
  func bind(_ descriptor: Int32, port: Int) -> Bool {
    let port = UInt16(truncatingIfNeeded: port).bigEndian
    switch kind {
    case .v4(let address):
      var full = sockaddr_in()
      full.sin_family = sa_family_t(AF_INET)
      full.sin_addr.s_addr = address
      full.sin_port = port
      return Self.bind(descriptor, full)
    case .v6(var full):
      full.sin6_port = port
      return Self.bind(descriptor, full)
    }
  }

  private static func bind<Address>(_ descriptor: Int32, _ address: Address) -> Bool {
    withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) == 0
      }
    }
  }

  /// In numbers.
  var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      guard let base = text.baseAddress else { return "" }
      let isWritten: Bool
      switch kind {
      case .v4(var address): isWritten = inet_ntop(AF_INET, &address, base, socklen_t(text.count)) != nil
      case .v6(var address):
        isWritten = inet_ntop(AF_INET6, &address.sin6_addr, base, socklen_t(text.count)) != nil
      }
      return isWritten ? String(cString: base) : ""
    }
  }
}
