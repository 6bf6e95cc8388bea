// SPDX-License-Identifier: GPL-2.0-or-later

/// The count of frames: FRNUM goes by the clock, whether or not somebody walks the schedule in each.
struct UHCIFrames {
  /// A frame's length in nanoseconds.
  static let length: UInt64 = 1_000_000
  /// FRNUM has eleven bits; the frame list takes ten.
  static let mask: UInt64 = 0x7FF
  /// At most so many frames are caught up with; what was missed before is lost, as on a bus with a late host.
  static let catchUpLimit: UInt64 = 32

  /// When the first frame began.
  private var origin: UInt64 = 0
  /// FRNUM then.
  private var firstNumber: UInt16 = 0
  /// The number of frames since then that were walked.
  private var walked: UInt64 = 0

  /// How many frames are over.
  func elapsed(at now: UInt64) -> UInt64 { now &- origin >= 1 << 63 ? 0 : (now &- origin) / Self.length }

  func nanosecondsIntoFrame(at now: UInt64) -> UInt64 { (now &- origin) % Self.length }

  /// FRNUM.
  func number(at now: UInt64, isRunning: Bool) -> UInt16 {
    isRunning ? UInt16((UInt64(firstNumber) &+ elapsed(at: now)) & Self.mask) : firstNumber
  }

  /// The frame counter stands at `number`.
  mutating func stop(at number: UInt16) { firstNumber = number & UInt16(Self.mask) }

  /// The frame counter goes on.
  mutating func start(at now: UInt64, nanosecondsIntoFrame: UInt64 = 0) {
    origin = now &- nanosecondsIntoFrame % Self.length
    walked = 0
  }

  /// When frame number `index` since the start begins.
  func start(of index: UInt64) -> UInt64 { origin &+ index &* Self.length }

  /// The frames that are over and were not walked, as numbers in the frame list; with none, the number of the present.
  mutating func takeElapsed(at now: UInt64) -> (first: UInt64, count: UInt64) {
    let elapsed = elapsed(at: now)
    let count = min(elapsed &- min(walked, elapsed), Self.catchUpLimit)
    walked = elapsed
    return (UInt64(firstNumber) &+ elapsed &- count, count)
  }
}
