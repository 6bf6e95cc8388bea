// SPDX-License-Identifier: GPL-2.0-or-later

/// FRINDEX: counts microframes by the clock, whether or not somebody walks the schedules in each.
struct EHCIFrames {
  /// A microframe's length in nanoseconds; a frame has eight.
  static let length: UInt64 = 125_000
  static let frameLength: UInt64 = 8 * length
  /// FRINDEX has fourteen bits; the periodic list takes ten of them, from the fourth on.
  static let mask: UInt64 = 0x3FFF
  /// The microframes of a periodic list.
  private static let listLength: UInt64 = 1024 * 8
  /// At most so many frames are caught up with.
  static let catchUpLimit: UInt64 = 32

  /// When the first microframe began.
  private var origin: UInt64 = 0
  /// FRINDEX then.
  private var first: UInt64 = 0
  /// The frames, counted from FRINDEX 0, before which the periodic list was walked.
  private var walked: UInt64 = 0
  /// How often the list's end had passed when it was last told.
  private var rollovers: UInt64 = 0

  private func count(at now: UInt64) -> UInt64 {
    first &+ (now &- origin >= 1 << 63 ? 0 : (now &- origin) / Self.length)
  }

  func nanosecondsIntoMicroframe(at now: UInt64) -> UInt64 { (now &- origin) % Self.length }

  /// FRINDEX.
  func index(at now: UInt64, isRunning: Bool) -> UInt32 {
    UInt32(truncatingIfNeeded: (isRunning ? count(at: now) : first) & Self.mask)
  }

  /// The counter stands at `index`.
  mutating func stop(at index: UInt32) { first = UInt64(index) & Self.mask }

  /// The counter goes on.
  mutating func start(at now: UInt64, nanosecondsIntoMicroframe: UInt64 = 0) {
    origin = now &- nanosecondsIntoMicroframe % Self.length
    walked = first / 8
    rollovers = first / Self.listLength
  }

  /// The frames that have begun and were not walked, as numbers in the periodic list.
  mutating func takeBegun(at now: UInt64) -> (first: UInt64, count: UInt64) {
    let begun = count(at: now) / 8 &+ 1
    let count = min(begun &- min(walked, begun), Self.catchUpLimit)
    walked = begun
    return (begun &- count, count)
  }

  /// Whether the list's end has passed since it was last asked.
  mutating func takeRollover(at now: UInt64) -> Bool {
    let present = count(at: now) / Self.listLength
    defer { rollovers = present }
    return present != rollovers
  }

  /// When the list's end passes next.
  var nextRollover: UInt64 {
    let left = (rollovers &+ 1) &* Self.listLength &- first
    return origin &+ left &* Self.length
  }

  /// The begin of the microframe after `now`.
  func nextMicroframe(at now: UInt64) -> UInt64 { now &+ (Self.length &- nanosecondsIntoMicroframe(at: now)) }
}
