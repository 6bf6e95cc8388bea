// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// A network inside the process (`-netdev user`): the guest reaches what the process can reach, by address translation.
public struct UserNetworkConfiguration: Equatable, Sendable {
  /// `ipv4=`.
  public var hasIPv4 = true
  /// `ipv6=`.
  public var hasIPv6 = true
  /// `net=`: the guest's network, and the bits of its mask.
  public var network = IPv4Address(bits: 0x0A00_0200)
  public var prefixLength = 24
  /// `host=`, `dhcpstart=`, `dns=`; nil for numbers 2, 15 and 3 of the network.
  public var host: IPv4Address?
  public var dhcpStart: IPv4Address?
  public var nameServer: IPv4Address?
  /// `ipv6-prefix=`, `ipv6-prefixlen=`, `ipv6-host=`, `ipv6-dns=`; nil for fec0::/64 and numbers 2 and 3 of it.
  public var prefix6: IPv6Address?
  public var prefix6Length = 64
  public var host6: IPv6Address?
  public var nameServer6: IPv6Address?
  /// `restrict=`: the guest reaches nothing but what is forwarded.
  public var isRestricted = false
  /// `hostname=`: what DHCP calls the guest.
  public var hostName: String?
  /// `domainname=` and `dnssearch=`.
  public var domainName: String?
  public var searchDomains: [String] = []
  /// `tftp=`: a directory whose files the guest can read; `tftp-server-name=`; `bootfile=`.
  public var tftpDirectory: String?
  public var tftpServerName: String?
  public var bootFile: String?
  /// `hostfwd=`.
  public var hostForwards: [HostForward] = []
  /// `guestfwd=`.
  public var guestForwards: [GuestForward] = []

  /// 10.0.2.0/24 and fec0::/64, open.
  public init() {}

  /// Takes its properties out of a `-netdev user,…` or `-nic user,…`.
  public init(_ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    func address(_ key: String, _ text: String?) throws(OptionError) -> IPv4Address? {
      guard let text else { return nil }
      guard let address = IPv4Address(text) else {
        throw OptionError("\(option): \(key)=\(text) is no IPv4 address, such as 10.0.2.2")
      }
      return address
    }
    func address6(_ key: String, _ text: String?) throws(OptionError) -> IPv6Address? {
      guard let text else { return nil }
      guard let address = IPv6Address(text) else {
        throw OptionError("\(option): \(key)=\(text) is no IPv6 address, such as fec0::2")
      }
      return address
    }
    if let on = try list.takeFlag("ipv4") { hasIPv4 = on }
    if let on = try list.takeFlag("ipv6") { hasIPv6 = on }
    guard hasIPv4 || hasIPv6 else { throw OptionError("\(option): one of ipv4 and ipv6 must be on") }
    if let text = list.take("net") { (network, prefixLength) = try Self.network(text, option: option) }
    host = try address("host", list.take("host"))
    dhcpStart = try address("dhcpstart", list.take("dhcpstart"))
    nameServer = try address("dns", list.take("dns"))
    for (key, address) in [("host", host), ("dhcpstart", dhcpStart), ("dns", nameServer)] {
      if let address, address.bits & mask != network.bits {
        throw OptionError("\(option): \(key)=\(address) is not in the network \(network)/\(prefixLength)")
      }
    }
    if let text = list.take("ipv6-net") {
      let parts = text.split(separator: "/", maxSplits: 1)
      prefix6 = try address6("ipv6-net", parts.first.map(String.init))
      if parts.count == 2 {
        guard let length = Int(parts[1]), (0...126).contains(length) else {
          throw OptionError("\(option): ipv6-net=\(text) must end in a length from 0 to 126")
        }
        prefix6Length = length
      }
    }
    if let prefix = try address6("ipv6-prefix", list.take("ipv6-prefix")) { prefix6 = prefix }
    if let length = try list.takeInteger("ipv6-prefixlen", in: 0...126) { prefix6Length = length }
    host6 = try address6("ipv6-host", list.take("ipv6-host"))
    nameServer6 = try address6("ipv6-dns", list.take("ipv6-dns"))
    isRestricted = try list.takeFlag("restrict") ?? false
    hostName = list.take("hostname")
    domainName = list.take("domainname")
    searchDomains = list.takeEach("dnssearch")
    tftpDirectory = list.take("tftp")
    tftpServerName = list.take("tftp-server-name")
    bootFile = list.take("bootfile")
    for text in list.takeEach("hostfwd") { hostForwards.append(try HostForward(text, option: option)) }
    for text in list.takeEach("guestfwd") { guestForwards.append(try GuestForward(text, option: option)) }
    if list.take("smb") != nil || list.take("smbserver") != nil {
      throw OptionError(
        "\(option): smb= is not supported; tftp= lets the guest read files, hostfwd= reach its ssh")
    }
  }

  /// The mask of the guest's network.
  public var mask: UInt32 { prefixLength == 0 ? 0 : ~0 << UInt32(32 - prefixLength) }

  /// `10.0.2.0/24`, or with a mask behind the slash, or alone with the mask of its class.
  private static func network(_ text: String, option: String) throws(OptionError) -> (IPv4Address, Int) {
    let parts = text.split(separator: "/", maxSplits: 1)
    let wrong = OptionError("\(option): net=\(text) must be a network such as 10.0.2.0/24")
    guard let base = parts.first.flatMap({ IPv4Address($0) }) else { throw wrong }
    var length = base.bits < 0x8000_0000 ? 8 : base.bits < 0xC000_0000 ? 16 : 24
    if parts.count == 2 {
      if let mask = IPv4Address(parts[1]), parts[1].contains(".") {
        length = (~mask.bits).leadingZeroBitCount
        guard length == 32 || mask.bits << UInt32(length) == 0 else { throw wrong }
      } else {
        guard let given = Int(parts[1]) else { throw wrong }
        length = given
      }
    }
    // The host, the name server and a first guest must fit.
    guard (1...28).contains(length) else {
      throw OptionError("\(option): net=\(text) must have a length from 1 to 28")
    }
    return (IPv4Address(bits: base.bits & ~0 << UInt32(32 - length)), length)
  }
}
