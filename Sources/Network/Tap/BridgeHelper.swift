// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import OptionSyntax

/// A program with more rights than ours, which makes a tap device, puts it into a bridge, and hands it over by a socket
/// (SCM_RIGHTS): QEMU's `qemu-bridge-helper`, or one that takes its arguments.
public struct BridgeHelper: Equatable, Sendable {
  /// Where Debian has QEMU's.
  public static let usual = "/usr/lib/qemu/qemu-bridge-helper"

  /// `helper=`: the program, and arguments of its own after spaces.
  public var command: String
  /// `br=`
  public var bridge: String

  /// Takes the bridge's name out of a list.
  init(command: String, _ list: inout PropertyList) throws(OptionError) {
    self.command = command
    bridge = list.take("br") ?? "br0"
    guard !command.allSatisfy({ $0 == " " }) else {
      throw OptionError("\(list.option): helper= names no program")
    }
  }

  /// Has the program make a device.
  /// - Returns: the device's file descriptor, the caller's to close.
  func makeTap(id: String) throws(NetworkError) -> Int32 {
    var ends: (Int32, Int32) = (-1, -1)
    let isMade = withUnsafeMutablePointer(to: &ends) { pair in
      pair.withMemoryRebound(to: Int32.self, capacity: 2) {
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, $0) == 0
      }
    }
    guard isMade else {
      throw .tap(id: id, reason: "cannot make a socket: \(String(cString: strerror(errno)))")
    }
    defer { close(ends.0) }
    try run(passing: ends.1)
    var byte: UInt8 = 0
    var descriptors = [Int32](repeating: -1, count: 16)
    var count: Int32 = 0
    // It has ended: what it sent is there, and if it sent nothing, this does not wait.
    let result = martlet_receive(ends.0, &byte, 1, &descriptors, &count)
    for extra in descriptors.prefix(Int(count)).dropFirst() { close(extra) }
    guard result > 0, count > 0 else {
      throw .tap(id: id, reason: "the helper '\(command)' made no device for the bridge '\(bridge)'")
    }
    return descriptors[0]
  }

  private func run(passing descriptor: Int32) throws(NetworkError) {
    defer { close(descriptor) }
    let words = command.split(separator: " ").map(String.init)
    try NetworkScript.run(
      words[0], words.dropFirst() + ["--use-vnet", "--fd=\(descriptor)", "--br=\(bridge)"],
      passing: descriptor)
  }
}
