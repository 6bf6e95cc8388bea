// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import Glibc

/// A ``UserNetworkConfiguration`` in libslirp's form.
enum SlirpSettings {
  /// The address that DHCP gives first, which forwarded ports go to by default.
  static func firstGuest(_ configuration: UserNetworkConfiguration) -> IPv4Address {
    configuration.dhcpStart ?? IPv4Address(bits: configuration.network.bits | 15)
  }

  /// Calls `body` with the settings, which are valid during the call; the library keeps copies.
  static func withConfiguration<Result>(
    _ configuration: UserNetworkConfiguration, _ body: (UnsafePointer<SlirpConfig>) -> Result
  ) -> Result {
    let network = configuration.network.bits
    let prefix6 = configuration.prefix6 ?? IPv6Address("fec0::")!
    var settings = SlirpConfig()
    settings.version = 4
    settings.restricted = configuration.isRestricted ? 1 : 0
    settings.in_enabled = configuration.hasIPv4
    settings.vnetwork = configuration.network.inAddress
    settings.vnetmask = IPv4Address(bits: configuration.mask).inAddress
    settings.vhost = (configuration.host ?? IPv4Address(bits: network | 2)).inAddress
    settings.vdhcp_start = firstGuest(configuration).inAddress
    settings.vnameserver = (configuration.nameServer ?? IPv4Address(bits: network | 3)).inAddress
    settings.in6_enabled = configuration.hasIPv6
    settings.vprefix_addr6 = prefix6.inAddress
    settings.vprefix_len = UInt8(configuration.prefix6Length)
    settings.vhost6 = (configuration.host6 ?? prefix6.with(host: 2)).inAddress
    settings.vnameserver6 = (configuration.nameServer6 ?? prefix6.with(host: 3)).inAddress
    var texts: [UnsafeMutablePointer<CChar>] = []
    defer { for text in texts { free(text) } }
    func copy(_ text: String?) -> UnsafePointer<CChar>? {
      guard let text, let copy = strdup(text) else { return nil }
      texts.append(copy)
      return UnsafePointer(copy)
    }
    settings.vhostname = copy(configuration.hostName)
    settings.tftp_server_name = copy(configuration.tftpServerName)
    settings.tftp_path = copy(configuration.tftpDirectory)
    settings.bootfile = copy(configuration.bootFile)
    settings.vdomainname = copy(configuration.domainName)
    var domains = configuration.searchDomains.map { copy($0) } + [nil]
    return domains.withUnsafeMutableBufferPointer { domains in
      settings.vdnssearch = configuration.searchDomains.isEmpty ? nil : domains.baseAddress
      return body(&settings)
    }
  }
}
