// SPDX-License-Identifier: GPL-2.0-or-later

/// What a command tells, up to a length that a person, a socket and our memory bear.
struct HumanOutput {
  static let limit = 1 << 20

  private(set) var text = ""

  /// Adds to the answer.
  mutating func print(_ new: String) throws(HumanError) {
    guard text.utf8.count + new.utf8.count <= Self.limit else { throw .outputIsFull }
    text += new
  }

  /// Adds a line to the answer.
  mutating func line(_ new: String = "") throws(HumanError) { try print(new + "\n") }
}
