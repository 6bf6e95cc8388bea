// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import GuestMemory
import Machine
import TestSupport

@testable import Control

/// A client's end of a port: says lines, hears the answers.
final class QTestClient: CharacterPort {
  weak var receiver: (any CharacterReceiver)?
  private var heard: [UInt8] = []
  /// How much the client still reads.
  var room = Int.max
  var wasReady = 0

  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(room, bytes.count)
    heard.append(contentsOf: bytes.prefix(count))
    room -= count
    return count
  }

  func receiverBecameReady() { wasReady += 1 }

  /// What was heard since the last time, by lines.
  func takeLines() -> [String] {
    defer { heard = [] }
    return String(decoding: heard, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast().map(String.init)
  }

  /// Says something; returns how many bytes were taken.
  @discardableResult
  func say(_ text: String) -> Int { say(Array(text.utf8)) }

  @discardableResult
  func say(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { receiver?.receive($0) ?? 0 } }

  /// Says a line; returns the lines that come back.
  func ask(_ line: String) -> [String] {
    say(line + "\n")
    return takeLines()
  }
}

/// 64 KiB of RAM, a register at port 0x80, a clock, and lines that a test moves.
final class QTestBoard: QTestTarget {
  let board: TestBoard
  var ports: [UInt16: UInt32] = [:]
  var portWidths: [Int] = []
  var hasOwnInterruptChips = true
  var isTimeStepped = true
  var inputs: [String] = []
  private var observer: ((Int, Bool) -> Void)?

  init() throws { board = try TestBoard(ramByteCount: 1 << 16) }

  func readPort(_ port: UInt16, byteCount: Int) -> UInt32 {
    portWidths.append(byteCount)
    return ports[port] ?? (byteCount == 4 ? ~0 : 1 << UInt32(byteCount * 8) &- 1)
  }
  func writePort(_ port: UInt16, _ value: UInt32, byteCount: Int) {
    portWidths.append(byteCount)
    ports[port] = value
  }
  func readBus(_ address: UInt64, byteCount: Int) -> UInt64 {
    board.memory.read(GuestAddress(address), AccessWidth(fitting: byteCount))
  }
  func writeBus(_ address: UInt64, _ value: UInt64, byteCount: Int) {
    board.memory.write(GuestAddress(address), value, AccessWidth(fitting: byteCount))
  }
  func readBus(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    if !board.memory.memory.read(GuestAddress(address), into: bytes) {
      for index in bytes.indices { bytes[index] = 0xFF }
    }
  }
  func writeBus(_ address: UInt64, from bytes: UnsafeRawBufferPointer) {
    _ = board.memory.memory.write(GuestAddress(address), from: bytes)
  }
  func observeInterruptLines(_ body: ((Int, Bool) -> Void)?) { observer = body }
  func moveLine(_ number: Int, _ isRaised: Bool) { observer?(number, isRaised) }
  func setInterruptInput(of chip: Machine.InterruptChip, _ number: Int, isRaised: Bool) {
    inputs.append("\(chip) \(number) \(isRaised)")
  }
  var guestTime: UInt64 { board.clock.now }
  var nextDeadline: UInt64? { board.clock.nextDeadline }
  func advanceTime(to time: UInt64, deadlineLimit: Int) -> Bool {
    board.clock.advance(to: time, deadlineLimit: min(deadlineLimit, 1000))
  }
}
