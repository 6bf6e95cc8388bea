// SPDX-License-Identifier: GPL-2.0-or-later

/// Named categories of messages for people who want to see what a guest does, off unless asked for
/// (`-trace CATEGORY`). Asking whether one is on costs one load, so devices may trace hot paths:
///
///     if trace.isOn { trace("command \(hex(command))") }
public final class TraceCategory: @unchecked Sendable {
  // Unchecked: `isOn` and `sink` are set before the machine runs, or with its lock held.
  /// The name, as in `-trace NAME`: "ide", "port80", "pci".
  public let name: String
  /// Whether messages are wanted.
  public private(set) var isOn = false
  private var sink: ((String, String) -> Void)?

  /// A category named `name`; a device makes its own and the machine lists them.
  public init(_ name: String) { self.name = name }

  /// Has messages handed to `sink` with the category's name, or turns them off.
  public func send(to sink: ((_ category: String, _ message: String) -> Void)?) {
    self.sink = sink
    isOn = sink != nil
  }

  /// Sends a message if the category is on; it is not even built otherwise.
  @inline(__always)
  public func callAsFunction(_ message: @autoclosure () -> String) {
    if isOn { emit(message()) }
  }

  @inline(never)
  private func emit(_ message: String) { sink?(name, message) }
}

/// A number in hexadecimal with 0x, for traces and messages.
public func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
