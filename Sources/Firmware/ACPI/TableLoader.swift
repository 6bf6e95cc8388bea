// SPDX-License-Identifier: GPL-2.0-or-later

/// The commands by which firmware puts the ACPI files into memory and ties them together: `etc/table-loader`.
///
/// Source: QEMU, the structure of the loader's entries as SeaBIOS and OVMF read them (128 bytes each).
struct TableLoader {
  /// Where a file goes.
  enum Zone: UInt8 {
    /// Anywhere below 4 GiB.
    case high = 1
    /// The F segment, where a RSDP is looked for.
    case fSegment = 2
  }

  private static let entryByteCount = 128
  private(set) var bytes: [UInt8] = []

  /// Get memory for a file and copy it there.
  mutating func allocate(_ file: String, alignment: UInt32, _ zone: Zone) {
    append(command: 1) { entry in
      entry += Self.field(file)
      entry.append(littleEndian: alignment)
      entry.append(zone.rawValue)
    }
  }

  /// Add the address of `source` to the little-endian number of `byteCount` bytes at `offset` in `file`.
  mutating func addPointer(in file: String, at offset: Int, byteCount: UInt8, to source: String) {
    append(command: 2) { entry in
      entry += Self.field(file) + Self.field(source)
      entry.append(littleEndian: UInt32(truncatingIfNeeded: offset))
      entry.append(byteCount)
    }
  }

  /// Make the bytes `start ..< start + count` of `file` add up to zero by the byte at `offset`.
  mutating func addChecksum(in file: String, at offset: Int, from start: Int, count: Int) {
    append(command: 3) { entry in
      entry += Self.field(file)
      for value in [offset, start, count] { entry.append(littleEndian: UInt32(truncatingIfNeeded: value)) }
    }
  }

  private mutating func append(command: UInt32, _ fill: (inout [UInt8]) -> Void) {
    var entry: [UInt8] = []
    entry.append(littleEndian: command)
    fill(&entry)
    bytes += entry + [UInt8](repeating: 0, count: Self.entryByteCount - entry.count)
  }

  /// A file name in 56 bytes.
  private static func field(_ name: String) -> [UInt8] {
    let used = Array(name.utf8.prefix(FirmwareConfigurationLimit.nameByteCount))
    return used + [UInt8](repeating: 0, count: FirmwareConfigurationLimit.nameByteCount + 1 - used.count)
  }
}
