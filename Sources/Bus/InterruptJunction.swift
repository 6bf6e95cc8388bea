// SPDX-License-Identifier: GPL-2.0-or-later

/// Wires several devices may share: each input of the interrupt controllers is high while any line to it is.
///
/// Called with the machine's lock held.
public final class InterruptJunction: InterruptSink {
  private let sink: any InterruptSink
  private var counts: [Int]
  /// How often each input has gone from low to high.
  public private(set) var raises: [UInt64]

  /// A junction in front of `sink`, with inputs 0 … `count` - 1.
  public init(_ sink: any InterruptSink, count: Int = 24) {
    self.sink = sink
    counts = Array(repeating: 0, count: count)
    raises = Array(repeating: 0, count: count)
  }

  /// A new line to input `number`.
  public func line(_ number: Int) -> InterruptLine { InterruptLine(self, number) }

  /// One of the lines to an input changed; ``InterruptLine`` tells changes only.
  public func setInterruptLine(_ number: Int, isRaised: Bool) {
    guard counts.indices.contains(number) else { return }
    let before = counts[number]
    counts[number] = max(0, before + (isRaised ? 1 : -1))
    guard (before > 0) != (counts[number] > 0) else { return }
    if isRaised { raises[number] &+= 1 }
    sink.setInterruptLine(number, isRaised: isRaised)
  }
}
