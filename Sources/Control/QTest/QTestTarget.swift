// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

/// What a client of the test protocol plays with. Called with the machine's lock held.
protocol QTestTarget: AnyObject {
  func readPort(_ port: UInt16, byteCount: Int) -> UInt32
  func writePort(_ port: UInt16, _ value: UInt32, byteCount: Int)
  func readBus(_ address: UInt64, byteCount: Int) -> UInt64
  func writeBus(_ address: UInt64, _ value: UInt64, byteCount: Int)
  func readBus(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer)
  func writeBus(_ address: UInt64, from bytes: UnsafeRawBufferPointer)
  var hasOwnInterruptChips: Bool { get }
  func observeInterruptLines(_ body: ((_ number: Int, _ isRaised: Bool) -> Void)?)
  func setInterruptInput(of chip: Machine.InterruptChip, _ number: Int, isRaised: Bool)
  var guestTime: UInt64 { get }
  var isTimeStepped: Bool { get }
  var nextDeadline: UInt64? { get }
  func advanceTime(to time: UInt64, deadlineLimit: Int) -> Bool
}

extension Machine: QTestTarget {}
