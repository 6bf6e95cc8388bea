// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

/// What a monitor has to say to its client, kept until the client takes it.
///
/// A client that sends commands and never reads is not heard any more beyond ``pauseLevel``; what nobody asked for
/// (events) is lost beyond ``fullLevel``.
struct MonitorOutput {
  static let pauseLevel = 1 << 20
  static let fullLevel = 4 << 20

  private var bytes: [UInt8] = []
  private var sent = 0

  /// How many bytes wait.
  var count: Int { bytes.count - sent }
  var isPaused: Bool { count > Self.pauseLevel }
  var isFull: Bool { count > Self.fullLevel }

  mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func append(_ text: [UInt8]) { bytes.append(contentsOf: text) }

  mutating func removeAll() {
    bytes = []
    sent = 0
  }

  /// Gives the port as much as it takes.
  mutating func send(to port: any CharacterPort) {
    while sent < bytes.count {
      let taken = bytes.withUnsafeBytes { port.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      guard taken > 0 else { break }
      sent += taken
    }
    if sent == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.capacity <= 65536)
      sent = 0
    } else if sent > 65536 {
      bytes.removeFirst(sent)
      sent = 0
    }
  }
}
