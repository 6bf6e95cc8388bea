// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

@testable import CharacterDevice

/// A device that takes as much as the test lets it.
final class RecordingReceiver: CharacterReceiver {
  var received: [UInt8] = []
  /// How many bytes it still takes.
  var room = Int.max
  var writableCalls = 0
  var breaks = 0
  var opened = 0
  var closed = 0

  func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(room, bytes.count)
    received.append(contentsOf: bytes.prefix(count))
    room -= count
    return count
  }
  func characterPortBecameWritable() { writableCalls += 1 }
  func receiveBreak() { breaks += 1 }
  func characterPortOpened() { opened += 1 }
  func characterPortClosed() { closed += 1 }
}

/// A loop that is turned until something is so.
final class PortHarness {
  let lock = MachineLock()
  let loop: EventLoop

  init() throws { loop = try EventLoop(lock: lock) }

  /// Handles events until `condition` holds, at most five seconds.
  func run(until condition: () -> Bool) -> Bool {
    var rounds = 0
    while !lock.withLock(condition) {
      loop.runOnce(timeoutMilliseconds: 50)
      rounds += 1
      if rounds == 100 { return false }
    }
    return true
  }

  /// Handles what there is to handle now.
  func settle() { for _ in 0..<8 { loop.runOnce(timeoutMilliseconds: 0) } }

  func write(_ port: any CharacterPort, _ bytes: [UInt8]) -> Int {
    lock.withLock { bytes.withUnsafeBytes { port.write($0) } }
  }
}

/// Two descriptors, what is written to the second comes out of the first.
func makePipe() -> (read: Int32, write: Int32) {
  var ends: [Int32] = [-1, -1]
  pipe(&ends)
  return (ends[0], ends[1])
}

func setNonBlocking(_ descriptor: Int32) {
  _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
}

/// What can be read from a descriptor that does not block, at most `limit` bytes.
func readAll(_ descriptor: Int32, limit: Int = .max) -> [UInt8] {
  var result: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while result.count < limit {
    let count = read(descriptor, &buffer, min(buffer.count, limit - result.count))
    guard count > 0 else { break }
    result += buffer[..<count]
  }
  return result
}
