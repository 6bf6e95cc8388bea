// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// A tap device of the host's (`-netdev tap`): the guest's cable ends in a network interface of the kernel's.
public struct TapConfiguration: Equatable, Sendable {
  /// `ifname=`; nil for the first free tapN. One that does not exist is made, which needs CAP_NET_ADMIN.
  public var interfaceName: String?
  /// `fd=`: an open tap device.
  public var descriptor: Int32?
  /// `helper=` and `br=`: a program that makes the device.
  public var helper: BridgeHelper?
  /// `script=` and `downscript=`: programs that get the interface's name, at the start and at the end; nil for none.
  public var upScript: String?
  public var downScript: String?
  /// `vnet_hdr=`: whether segments and checksums may be left to the kernel.
  public var hasOffloads = true
  /// `sndbuf=` in bytes; 0 for no limit.
  public var sendBufferByteCount = 0

  /// A new device.
  public init() {}

  /// Whether somebody else has made the device.
  var isMade: Bool { descriptor != nil || helper != nil }

  /// Takes the properties out of a `-netdev bridge,…`: a tap in a bridge of the host's, made by a helper.
  public init(bridge list: inout PropertyList) throws(OptionError) {
    helper = try BridgeHelper(command: list.take("helper") ?? BridgeHelper.usual, &list)
  }

  /// Takes its properties out of a `-netdev tap,…`.
  public init(_ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    interfaceName = list.take("ifname")
    if let name = interfaceName,
      name.isEmpty || name.utf8.count > 15 || name.contains("/") || name.contains(" ")
    {
      throw OptionError("\(option): ifname=\(name) must have 1 to 15 characters, none of them '/' or a space")
    }
    descriptor = try list.takeInteger("fd", in: 0...1 << 20).map { Int32($0) }
    if let command = list.take("helper") { helper = try BridgeHelper(command: command, &list) }
    upScript = Self.script(list.take("script"))
    downScript = Self.script(list.take("downscript"))
    guard !isMade || interfaceName == nil && upScript == nil && downScript == nil else {
      throw OptionError(
        "\(option): with fd= and helper= somebody else makes the device: ifname=, script= and downscript= say nothing"
      )
    }
    guard descriptor == nil || helper == nil else {
      throw OptionError("\(option): give fd= or helper=, not both")
    }
    hasOffloads = try list.takeFlag("vnet_hdr") ?? true
    if let text = list.take("sndbuf") {
      guard let size = parseSize(text), size <= 1 << 30 else {
        throw OptionError("\(option): sndbuf=\(text) must be a size up to 1G")
      }
      sendBufferByteCount = Int(size)
    }
    for key in ["vhost", "vhostforce"] where try list.takeFlag(key) == true {
      throw OptionError("\(option): \(key)=on is for virtio cards, which are not there")
    }
    if list.take("vhostfd") != nil {
      throw OptionError("\(option): vhostfd= is for virtio cards, which are not there")
    }
    for key in ["queues", "fds"] {
      if let text = list.take(key), text != "1" {
        throw OptionError("\(option): \(key)=\(text): the cards have one queue; use fd=")
      }
    }
  }

  private static func script(_ text: String?) -> String? { text == "no" || text == "" ? nil : text }
}
