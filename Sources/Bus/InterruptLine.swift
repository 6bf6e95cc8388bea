// SPDX-License-Identifier: GPL-2.0-or-later

/// Where interrupt lines end: an interrupt controller, or a recorder in a test.
public protocol InterruptSink: AnyObject {
  /// The line `number` now has the given level.
  func setInterruptLine(_ number: Int, isRaised: Bool)
}

/// One interrupt wire from one device. Changes of level, and only changes, reach the sink.
///
/// Called with the machine's lock held.
public final class InterruptLine {
  private let sink: any InterruptSink
  /// The number of the line at the sink: an ISA IRQ, a GSI, or an INTx pin.
  public let number: Int
  /// The present level.
  public private(set) var isRaised = false

  /// Line `number` of `sink`, low.
  public init(_ sink: any InterruptSink, _ number: Int) {
    self.sink = sink
    self.number = number
  }

  /// Sets the level.
  public func set(_ raised: Bool) {
    guard raised != isRaised else { return }
    isRaised = raised
    sink.setInterruptLine(number, isRaised: raised)
  }

  /// Sets the level high.
  public func raise() { set(true) }
  /// Sets the level low.
  public func lower() { set(false) }

  /// Makes an edge for an edge-triggered input: low to high, and low again.
  public func pulse() {
    set(true)
    set(false)
  }
}
