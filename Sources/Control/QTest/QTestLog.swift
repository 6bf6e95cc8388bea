// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Machine

/// What is said in the test protocol, with the seconds since the client came.
final class QTestLog {
  private let log: Log
  private var start = QTestLog.now

  init(_ log: Log) { self.log = log }

  func opened() {
    start = Self.now
    log.message("[I \(elapsed)] OPENED")
  }

  func closed() { log.message("[I +\(elapsed)] CLOSED") }
  func received(_ line: String) { log.message("[R +\(elapsed)] \(line)") }
  func sent(_ answer: [UInt8]) { log.message("[S +\(elapsed)] \(String(decoding: answer, as: UTF8.self))") }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
  }

  /// Seconds with six digits behind the point.
  private var elapsed: String {
    let microseconds = Self.now &- start
    let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
    return "\(microseconds / 1_000_000).\(fraction)"
  }
}
