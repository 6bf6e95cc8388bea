// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import Logging
import Network

/// An event loop, and a card at the end of a cable that keeps what comes in.
final class Bench: PacketReceiver {
  let lock = MachineLock()
  let loop: EventLoop
  let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private(set) var received: [[UInt8]] = []
  /// How many frames are taken before the card is full; nil for no limit.
  var room: Int?
  private(set) var linkChanges = 0
  private(set) var readyCalls = 0

  init() throws { loop = try EventLoop(lock: lock) }

  func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    if let room {
      guard room > 0 else { return false }
      self.room = room - 1
    }
    received.append(Array(frame))
    return true
  }

  func packetPortBecameReady() { readyCalls += 1 }
  func linkChanged() { linkChanges += 1 }
  var receiveFilter: ReceiveFilter { ReceiveFilter(address: MACAddress(bits: 0x5254_0012_3456)) }

  /// Sends a frame cut in two, as a card does.
  @discardableResult
  func send(_ frame: [UInt8], through port: any PacketPort) -> Bool {
    lock.withLock {
      var copy = frame
      let isTaken = copy.withUnsafeMutableBytes { bytes in
        let cut = min(14, bytes.count)
        let pieces = [
          iovec(iov_base: bytes.baseAddress, iov_len: cut),
          iovec(iov_base: bytes.baseAddress.map { $0 + cut }, iov_len: bytes.count - cut),
        ]
        return pieces.withUnsafeBufferPointer { port.send($0, .none) }
      }
      port.endOfBatch()
      return isTaken
    }
  }

  /// Lets the loop turn until something is true; false if it does not become so.
  func turn(_ isDone: () -> Bool) -> Bool {
    for _ in 0..<500 {
      if isDone() { return true }
      loop.runOnce(timeoutMilliseconds: 10)
    }
    return isDone()
  }
}
