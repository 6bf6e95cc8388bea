// SPDX-License-Identifier: GPL-2.0-or-later

/// What a device keeps across save and restore: one value, with a version.
public protocol SavedState: Codable, Equatable, Sendable {
  /// The version of the layout; raised whenever the meaning of a stored field changes. A state with another
  /// version is refused unless the device knows how to read it.
  static var version: Int { get }
}

/// A saved state that a device cannot take.
public struct RestoreError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What is wrong with it, as a sentence.
  public let description: String
  /// An error with a sentence that says what is wrong.
  public init(_ description: String) { self.description = description }
}

/// The life every device has: made by its initializer, then reset, then run and paused any number of times,
/// saved or restored while paused.
///
/// All of it happens with the machine's lock held.
public protocol Device: AnyObject {
  /// Its saved state.
  associatedtype State: SavedState
  /// The name in the state file, in messages and in the device tree: "piix3-ide". Unique on a board.
  var deviceName: String { get }
  /// The categories it traces under; none by default.
  var traceCategories: [TraceCategory] { get }
  /// Brings all registers to their values after power-on or a bus reset, as the data sheet gives them.
  func reset()
  /// Time goes on: continue what ``pause()`` held up. Most devices have nothing to do.
  func run()
  /// Time stands still: afterwards the device starts nothing by itself. Most devices have nothing to do.
  func pause()
  /// The whole state, taken while paused.
  func save() -> State
  /// Takes a saved state over, while paused. Values that no running device could have are refused or
  /// brought into range, never trusted.
  func restore(_ state: State) throws(RestoreError)
}

extension Device {
  public var traceCategories: [TraceCategory] { [] }
  public func run() {}
  public func pause() {}
}
