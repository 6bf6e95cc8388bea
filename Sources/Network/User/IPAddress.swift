// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// An IPv4 address in host byte order.
public struct IPv4Address: Hashable, Sendable, CustomStringConvertible {
  /// 10.0.2.2 is 0x0A000202.
  public var bits: UInt32

  /// An address of 32 bits.
  public init(bits: UInt32) { self.bits = bits }

  /// An address in dotted notation; nil if it is none.
  public init?(_ text: some StringProtocol) {
    var address = in_addr()
    guard inet_pton(AF_INET, String(text), &address) == 1 else { return nil }
    bits = UInt32(bigEndian: address.s_addr)
  }

  /// In the C library's form.
  var inAddress: in_addr { in_addr(s_addr: bits.bigEndian) }

  public var description: String {
    [24, 16, 8, 0].map { String(bits >> UInt32($0) & 0xFF) }.joined(separator: ".")
  }
}

/// An IPv6 address.
public struct IPv6Address: Equatable, Sendable, CustomStringConvertible {
  var inAddress: in6_addr

  /// An address in colon notation; nil if it is none.
  public init?(_ text: some StringProtocol) {
    inAddress = in6_addr()
    guard inet_pton(AF_INET6, String(text), &inAddress) == 1 else { return nil }
  }

  /// The 16 bytes.
  public var bytes: [UInt8] { withUnsafeBytes(of: inAddress) { Array($0) } }

  /// This network with another host part: the low 64 bits are `host`.
  func with(host: UInt64) -> IPv6Address {
    var copy = self
    withUnsafeMutableBytes(of: &copy.inAddress) {
      $0.storeBytes(of: host.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return copy
  }

  public static func == (a: IPv6Address, b: IPv6Address) -> Bool { a.bytes == b.bytes }

  public var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    var address = inAddress
    guard inet_ntop(AF_INET6, &address, &text, socklen_t(text.count)) != nil else { return "?" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
