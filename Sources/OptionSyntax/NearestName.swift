// SPDX-License-Identifier: GPL-2.0-or-later

/// The name in `known` that a person most likely meant by `name`: the one with the fewest edits, if those
/// are few enough for it to be a slip; else nil.
public func nearestName(to name: String, in known: some Sequence<String>) -> String? {
  var best: (name: String, distance: Int)?
  for candidate in known {
    let distance = editDistance(Array(name.lowercased().utf8), Array(candidate.lowercased().utf8))
    if distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  guard let best, best.distance <= max(2, best.name.utf8.count / 2) else { return nil }
  return best.name
}

/// "; did you mean 'X'?" for the nearest known name, or "" if none is near.
public func didYouMean(_ name: String, in known: some Sequence<String>) -> String {
  nearestName(to: name, in: known).map { "; did you mean '\($0)'?" } ?? ""
}

/// The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (the
/// restricted Damerau-Levenshtein distance).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  // A name as long as this is not a slip for any option; the bound keeps hostile input cheap.
  guard a.count <= 64, b.count <= 64 else { return .max }
  var beforePrevious: [Int] = []
  var previous = Array(0...b.count)
  for i in 0..<a.count {
    var current = [i + 1]
    for j in 0..<b.count {
      var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
      current.append(cost)
    }
    (beforePrevious, previous) = (previous, current)
  }
  return previous[b.count]
}
