// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// An interrupt controller that only remembers what its lines did.
public final class InterruptRecorder: InterruptSink {
  /// The present level of each line seen so far.
  public private(set) var levels: [Int: Bool] = [:]
  /// The number of low-to-high changes of each line.
  public private(set) var edges: [Int: Int] = [:]

  /// No line has been seen.
  public init() {}
  public func setInterruptLine(_ number: Int, isRaised: Bool) {
    if isRaised && levels[number] != true { edges[number] = (edges[number] ?? 0) + 1 }
    levels[number] = isRaised
  }
  /// Whether a line is high.
  public func isRaised(_ line: Int) -> Bool { levels[line] ?? false }
}
