// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Synchronization

/// The password that viewers need.
final class Password: Sendable {
  /// VNC's authentication uses no more than this (RFC 6143, 7.2.2).
  static let significantCount = 8

  private let bytes = Mutex<[UInt8]?>(nil)

  /// Sets the password; nil or an empty one lets nobody in.
  func set(_ password: String?) {
    let new = password.map { Array($0.utf8.prefix(Self.significantCount)) }
    bytes.withLock { $0 = new?.isEmpty == true || new?.contains(0) == true ? nil : new }
  }

  /// Whether `response` is `challenge` encrypted with the password. Takes the same time whether it is or not.
  func accepts(_ response: UnsafeBufferPointer<CChar>, to challenge: [UInt8], with rfb: RFBFunctions)
    -> Bool
  {
    guard response.count == challenge.count, let password = bytes.withLock({ $0 }) else { return false }
    var expected = challenge
    var key = password.map { CChar(bitPattern: $0) } + [0]
    rfb.encryptBytes(&expected, &key)
    var difference: UInt8 = 0
    for index in expected.indices { difference |= expected[index] ^ UInt8(bitPattern: response[index]) }
    return difference == 0
  }

  /// The first line of a file.
  static func read(_ path: String) throws(VNCError) -> String {
    let descriptor = martlet_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .passwordFile(path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    guard count >= 0 else { throw .passwordFile(path, reason: String(cString: strerror(errno))) }
    let line = buffer[..<count].prefix { $0 != 10 && $0 != 13 }
    guard !line.isEmpty else { throw .passwordFile(path, reason: "its first line is empty") }
    return String(decoding: line, as: UTF8.self)
  }
}
