// SPDX-License-Identifier: GPL-2.0-or-later

/// A command-line value that cannot be understood: wrong usage.
public struct OptionError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What is wrong and what would be right, as a sentence.
  public let description: String
  /// An error with that sentence.
  public init(_ description: String) { self.description = description }
}
