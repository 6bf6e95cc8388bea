// SPDX-License-Identifier: GPL-2.0-or-later

/// The two fonts of text modes, copied out of plane 2, and which of their characters changed.
final class TextFonts {
  private static let characterCount = 256
  private static let rowsPerCharacter = 32
  private static let byteCount = characterCount * rowsPerCharacter

  /// Font B, for attributes with bit 3 clear, then font A.
  private let rows: UnsafeMutablePointer<UInt8>
  /// A flag for each character of both.
  private let changed: UnsafeMutablePointer<Bool>
  private(set) var hasChanges = false

  init() {
    rows = .allocate(capacity: 2 * Self.byteCount)
    rows.initialize(repeating: 0, count: 2 * Self.byteCount)
    changed = .allocate(capacity: 2 * Self.characterCount)
    changed.initialize(repeating: false, count: 2 * Self.characterCount)
  }

  deinit {
    rows.deallocate()
    changed.deallocate()
  }

  /// The dots of a character's scan line; an attribute's bit 3 chooses the font.
  @inline(__always)
  func row(character: UInt8, attribute: UInt8, scanLine: Int) -> UInt32 {
    let font = Int(attribute >> 3 & 1)
    return UInt32(rows[font * Self.byteCount + Int(character) * Self.rowsPerCharacter + scanLine])
  }

  /// Whether a character changed with the last ``update(from:maps:pages:)``.
  @inline(__always)
  func isChanged(character: UInt8, attribute: UInt8) -> Bool {
    changed[Int(attribute >> 3 & 1) * Self.characterCount + Int(character)]
  }

  /// Copies what changed, or all. `maps` is the sequencer's character map select register.
  func update(from video: VideoMemory, maps: UInt8, pages: ChangedPages, all: Bool) {
    if hasChanges {
      changed.update(repeating: false, count: 2 * Self.characterCount)
      hasChanges = false
    }
    // Bits 0, 1 and 4 choose font B, 2, 3 and 5 font A.
    load(0, number: Int(maps & 3), isUpper: maps & 0x10 != 0, from: video, pages: pages, all: all)
    load(
      1, number: Int(maps >> 2 & 3), isUpper: maps & 0x20 != 0, from: video, pages: pages, all: all)
  }

  private func load(
    _ font: Int, number: Int, isUpper: Bool, from video: VideoMemory, pages: ChangedPages, all: Bool
  ) {
    // Four fonts at multiples of 16 KiB, and one 8 KiB behind each.
    let start = (number << 14 | (isUpper ? 1 << 13 : 0)) << 2
    guard all || pages.contains(start, byteCount: Self.byteCount << 2, mask: video.mask) else { return }
    for character in 0..<Self.characterCount {
      var isDifferent = false
      let first = character * Self.rowsPerCharacter
      for row in first..<(first + Self.rowsPerCharacter) {
        let dots = video[start + (row << 2 | 2)]
        if rows[font * Self.byteCount + row] != dots {
          rows[font * Self.byteCount + row] = dots
          isDifferent = true
        }
      }
      if isDifferent {
        changed[font * Self.characterCount + character] = true
        hasChanges = true
      }
    }
  }
}
