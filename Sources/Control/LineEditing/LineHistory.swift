// SPDX-License-Identifier: GPL-2.0-or-later

/// The lines a person typed, the last ones of them.
struct LineHistory {
  static let capacity = 64

  /// From the oldest to the newest.
  private(set) var lines: [String] = []
  /// The line that is shown; the one after the last is the one being typed.
  private var position = 0
  /// What was being typed when somebody went back.
  private var draft = ""

  /// Keeps a line; one that is there already becomes the newest.
  mutating func add(_ line: String) {
    if !line.isEmpty {
      lines.removeAll { $0 == line }
      lines.append(line)
      if lines.count > Self.capacity { lines.removeFirst() }
    }
    position = lines.count
    draft = ""
  }

  /// The line before the one shown; nil at the oldest.
  mutating func older(than shown: String) -> String? {
    guard position > 0 else { return nil }
    if position == lines.count { draft = shown }
    position -= 1
    return lines[position]
  }

  /// The line after the one shown; nil at the newest.
  mutating func newer() -> String? {
    guard position < lines.count else { return nil }
    position += 1
    return position == lines.count ? draft : lines[position]
  }

  mutating func removeAll() { self = LineHistory() }
}
