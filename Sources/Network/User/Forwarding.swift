// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import OptionSyntax

/// `hostfwd=[tcp|udp]:[HOST]:PORT-[GUEST]:PORT`: connections to a port of the host go to one of the guest's.
public struct HostForward: Equatable, Sendable, CustomStringConvertible {
  public var isUDP = false
  /// The host's address that is listened on; all of them by default, as in QEMU.
  public var hostAddress = IPv4Address(bits: 0)
  /// 0 for any free one.
  public var hostPort: UInt16
  /// The guest's address; nil for the first that DHCP gives.
  public var guestAddress: IPv4Address?
  public var guestPort: UInt16

  /// Reads a rule.
  public init(_ text: String, option: String) throws(OptionError) {
    let wrong = OptionError(
      "\(option): hostfwd=\(text) must be [tcp|udp]:[HOST]:PORT-[GUEST]:PORT, such as tcp::2222-:22")
    let sides = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard sides.count == 2 else { throw wrong }
    let from = sides[0].split(separator: ":", omittingEmptySubsequences: false)
    let to = sides[1].split(separator: ":", omittingEmptySubsequences: false)
    guard from.count == 3, to.count == 2, let hostPort = UInt16(from[2]), let guestPort = UInt16(to[1]),
      guestPort > 0
    else { throw wrong }
    switch from[0] {
    case "", "tcp": isUDP = false
    case "udp": isUDP = true
    default: throw wrong
    }
    if !from[1].isEmpty {
      guard let address = IPv4Address(from[1]) else { throw wrong }
      hostAddress = address
    }
    if !to[0].isEmpty {
      guard let address = IPv4Address(to[0]) else { throw wrong }
      guestAddress = address
    }
    (self.hostPort, self.guestPort) = (hostPort, guestPort)
  }

  /// The host's side of it: "tcp:0.0.0.0:2222".
  public var source: String { "\(isUDP ? "udp" : "tcp"):\(hostAddress):\(hostPort)" }

  public var description: String {
    "\(source)-\(guestAddress?.description ?? ""):\(guestPort)"
  }
}

/// `guestfwd=[tcp]:ADDRESS:PORT-WHERE`: connections of the guest's to an address of its network go somewhere else.
public struct GuestForward: Equatable, Sendable, CustomStringConvertible {
  /// Who answers.
  public enum Target: Equatable, Sendable {
    /// `cmd:COMMAND`: the input and output of a program, started for each connection.
    case command(String)
    /// `unix:PATH`: a Unix socket, connected to for each connection.
    case unixSocket(String)
    /// A character device, opened once: `chardev:ID` (or `ID` alone), or what `-serial` takes.
    case characterPort(String)
  }
  public var address: IPv4Address
  public var port: UInt16
  public var target: Target

  /// Reads a rule.
  public init(_ text: String, option: String) throws(OptionError) {
    let wrong = OptionError(
      "\(option): guestfwd=\(text) must be [tcp]:ADDRESS:PORT-cmd:COMMAND, …-unix:PATH, …-chardev:ID or a character"
        + " device, such as tcp:10.0.2.100:80-tcp:127.0.0.1:8080")
    let sides = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard sides.count == 2 else { throw wrong }
    let from = sides[0].split(separator: ":", omittingEmptySubsequences: false)
    guard from.count == 3, ["", "tcp"].contains(from[0]), let address = IPv4Address(from[1]),
      let port = UInt16(from[2]),
      port > 0
    else { throw wrong }
    (self.address, self.port) = (address, port)
    if sides[1].hasPrefix("cmd:"), sides[1].count > 4 {
      target = .command(String(sides[1].dropFirst(4)))
    } else if sides[1].hasPrefix("unix:"), sides[1].count > 5 {
      target = .unixSocket(String(sides[1].dropFirst(5)))
    } else {
      guard let text = Self.characterPort(String(sides[1])) else { throw wrong }
      target = .characterPort(text)
    }
  }

  /// The device in the form that ``CharacterPortSpecification`` or `chardev:` have; nil if it is neither.
  private static func characterPort(_ text: String) -> String? {
    if text.hasPrefix("chardev:") { return text.count > 8 ? text : nil }
    if let specification = try? CharacterPortSpecification.parse(text) {
      return specification == .none ? nil : text
    }
    let isName = !text.isEmpty && text.utf8.allSatisfy { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ",") }
    return isName ? "chardev:\(text)" : nil
  }

  public var description: String {
    let to =
      switch target {
      case .command(let text): "cmd:\(text)"
      case .unixSocket(let path): "unix:\(path)"
      case .characterPort(let text): text
      }
    return "tcp:\(address):\(port)-\(to)"
  }
}
