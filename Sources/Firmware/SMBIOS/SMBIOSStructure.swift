// SPDX-License-Identifier: GPL-2.0-or-later

/// One SMBIOS structure: a formatted area, then the strings it numbers from 1 (DSP0134 2.8, section 6.1).
struct SMBIOSStructure {
  private var formatted: [UInt8]
  private var strings: [UInt8] = []
  private var stringCount: UInt8 = 0

  /// An empty structure.
  init(type: UInt8, handle: UInt16) {
    formatted = [type, 0]
    formatted.append(littleEndian: handle)
  }

  /// Appends a number to the formatted area.
  mutating func add(_ value: some FixedWidthInteger & UnsignedInteger) {
    formatted.append(littleEndian: value)
  }

  /// Appends bytes to the formatted area.
  mutating func add(_ bytes: [UInt8]) { formatted += bytes }

  /// Appends a string and puts its number into the formatted area: 0 for an empty one. Zeroes in it, which would
  /// end it, are dropped.
  mutating func add(_ text: String) {
    let bytes = text.utf8.prefix(Self.maximumStringByteCount).filter { $0 != 0 }
    guard !bytes.isEmpty else { return formatted.append(0) }
    stringCount += 1
    formatted.append(stringCount)
    strings += bytes + [0]
  }

  /// Appends a string that nothing refers to but its number; an empty one is a space, as no string may be empty.
  mutating func addText(_ text: String) {
    let bytes = text.utf8.filter { $0 != 0 }
    strings += (bytes.isEmpty ? [0x20] : bytes) + [0]
    stringCount &+= 1
  }

  private static let maximumStringByteCount = 256

  /// The encoded form. Two zeroes end it, even if there is no string.
  var bytes: [UInt8] {
    var bytes = formatted
    bytes[1] = UInt8(truncatingIfNeeded: formatted.count)
    return bytes + (strings.isEmpty ? [0] : strings) + [0]
  }
}
