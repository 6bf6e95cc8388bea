// SPDX-License-Identifier: GPL-2.0-or-later

/// The order in which the firmware tries devices, as the file `bootorder` has it: an Open Firmware path a line
/// (SeaBIOS, docs/Runtime_config).
public enum BootOrder {
  /// One thing that can be booted.
  public struct Candidate: Sendable, Equatable {
    /// `c` disk, `d` CD, `n` network.
    public let letter: Character
    /// `bootindex=`: lower comes first, before everything without one.
    public let index: Int?
    /// Its path.
    public let path: String
    /// A candidate.
    public init(letter: Character, index: Int? = nil, path: String) {
      (self.letter, self.index, self.path) = (letter, index, path)
    }
  }

  /// The file: what comes `first` (a kernel's ROM), then candidates with an index, then those the order names. The
  /// firmware tries what is not listed last, unless the order is strict, which "HALT" at the end says. Empty if there
  /// is nothing to say.
  public static func file(
    _ candidates: [Candidate], order: String, isStrict: Bool, first: [String] = []
  ) -> [UInt8] {
    let indexed = candidates.enumerated().filter { $0.element.index != nil }
      .sorted { ($0.element.index ?? 0, $0.offset) < ($1.element.index ?? 0, $1.offset) }
    var paths = first + indexed.map(\.element.path)
    for letter in order { paths += candidates.filter { $0.index == nil && $0.letter == letter }.map(\.path) }
    if isStrict { paths.append("HALT") }
    guard !paths.isEmpty else { return [] }
    return Array(paths.joined(separator: "\n").utf8) + [0]
  }
}
