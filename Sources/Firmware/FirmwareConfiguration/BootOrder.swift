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

  /// The path of an IDE drive on the controller at device 1, function 1.
  public static func path(ofDriveOn channel: Int, unit: Int) -> String {
    "/pci@i0cf8/ide@1,1/drive@\(channel)/disk@\(unit)"
  }

  /// The file: those with an index first, then those the order names; those it does not name come last if the order is
  /// not strict (the firmware appends them itself), and "HALT" ends a strict one.
  public static func file(_ candidates: [Candidate], order: String, isStrict: Bool) -> [UInt8] {
    let indexed = candidates.filter { $0.index != nil }.sorted { ($0.index ?? 0) < ($1.index ?? 0) }
    var paths = indexed.map(\.path)
    for letter in order { paths += candidates.filter { $0.index == nil && $0.letter == letter }.map(\.path) }
    if isStrict { paths.append("HALT") }
    guard !paths.isEmpty else { return [] }
    return Array(paths.joined(separator: "\n").utf8) + [0]
  }
}
