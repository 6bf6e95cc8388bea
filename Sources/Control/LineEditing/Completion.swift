// SPDX-License-Identifier: GPL-2.0-or-later

/// What could follow what was typed.
struct Completion: Equatable {
  /// How much of a candidate has been typed, in UTF-8 bytes.
  let typed: String
  /// All that begin with what was typed, in order.
  let candidates: [String]

  /// The candidates of `all` that begin with `typed`.
  init(_ typed: String, of all: some Sequence<String>) {
    self.typed = typed
    candidates = Set(all.filter { $0.hasPrefix(typed) }).sorted()
  }

  /// What can be typed without deciding between candidates; after the only one there is, what `ending` says.
  func certain(ending: (String) -> String) -> String {
    guard let first = candidates.first else { return "" }
    guard candidates.count > 1 else { return String(first.dropFirst(typed.count)) + ending(first) }
    let common = candidates.dropFirst().reduce(first) { common, next in
      String(zip(common, next).prefix { $0 == $1 }.map(\.0))
    }
    return String(common.dropFirst(typed.count))
  }

  private static let lineWidth = 79
  /// More than anybody reads.
  private static let mostShown = 500

  /// The candidates in columns, each line ended by CR LF.
  var columns: String {
    let shown = candidates.prefix(Self.mostShown)
    let width = min((shown.map(\.count).max() ?? 0) + 2, Self.lineWidth)
    let perLine = max(1, Self.lineWidth / width)
    var text = ""
    for (index, candidate) in shown.enumerated() {
      let isLast = index % perLine == perLine - 1 || index == shown.count - 1
      text += candidate
      text += isLast ? "\r\n" : String(repeating: " ", count: max(1, width - candidate.count))
    }
    if shown.count < candidates.count { text += "... and \(candidates.count - shown.count) more\r\n" }
    return text
  }
}
