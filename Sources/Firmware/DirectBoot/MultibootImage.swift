// SPDX-License-Identifier: GPL-2.0-or-later

/// A Multiboot 1 kernel: where its parts are in the file and belong in memory.
///
/// Source: Multiboot Specification 0.6.96, section 3.1.
struct MultibootImage {
  /// A part of the file and its place in memory.
  struct Segment: Equatable {
    var fileOffset: Int
    var fileByteCount: Int
    var address: UInt64
    /// The bytes it takes in memory; those the file does not have are zero.
    var memoryByteCount: UInt64
    /// The end in memory.
    var end: UInt64 { address + memoryByteCount }
  }

  /// The conventional memory that neither the BIOS nor the option ROM uses.
  static let lowMemory: ClosedRange<UInt64> = 0x1_0000...0x8_0000

  private static let magic: UInt32 = 0x1BAD_B002
  /// The header is in the first 8 KiB, on a multiple of 4.
  private static let searchByteCount = 8192
  /// Flags: requirements in the low 16 bits, of which bit 0 (modules on page boundaries), 1 (memory information) and
  /// 2 (video mode information) are known; the address fields are there.
  private static let knownRequirements: UInt32 = 0x0007
  private static let hasAddresses: UInt32 = 1 << 16

  /// The kernel's file.
  let file: FirmwareBlob
  /// What is to be loaded, at least one segment.
  let segments: [Segment]
  /// The lowest address.
  let base: UInt32
  /// The end of the highest.
  let end: UInt32
  /// Where it starts.
  let entry: UInt32

  /// Checks a file; everything must lie below `ramEnd`.
  init(_ file: FirmwareBlob, name: String, ramEnd: UInt64) throws(DirectBootError) {
    self.file = file
    let (found, start) = try file.withBytes { bytes throws(DirectBootError) in
      try Self.parse(bytes, name: name)
    }
    segments = found.filter { $0.memoryByteCount > 0 }
    guard let first = segments.map(\.address).min(), let last = segments.map(\.end).max() else {
      throw .malformed(name: name, what: "there is nothing in it to load")
    }
    let isLow = first >= Self.lowMemory.lowerBound && last <= Self.lowMemory.upperBound
    guard isLow || first >= 0x10_0000 else {
      throw .unsupported(
        name: name,
        what: "it wants to be at 0x\(String(first, radix: 16)), where the BIOS is; link it at 1 MiB")
    }
    guard last <= min(ramEnd, 0xFFFF_FFFF) else {
      throw .doesNotFit(what: "the kernel '\(name)'", first: first, end: last, ramEnd: ramEnd)
    }
    guard segments.contains(where: { $0.address <= start && start < $0.end }) else {
      throw .malformed(name: name, what: "its entry point is outside of it")
    }
    base = UInt32(truncatingIfNeeded: first)
    end = UInt32(truncatingIfNeeded: last)
    entry = UInt32(truncatingIfNeeded: start)
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer, name: String) throws(DirectBootError) -> (
    segments: [Segment], entry: UInt64
  ) {
    guard let (header, flags) = findHeader(bytes) else { throw .unknownFormat(name: name) }
    let unknown = flags & 0xFFFF & ~knownRequirements
    guard unknown == 0 else {
      throw .unsupported(name: name, what: "it requires Multiboot features 0x\(String(unknown, radix: 16))")
    }
    if flags & hasAddresses != 0 { return try addressFields(bytes, header: header, name: name) }
    return try ELFImage(bytes, name: name).loadable()
  }

  /// The offset of the header and its flags: magic, flags and checksum add up to zero.
  private static func findHeader(_ bytes: UnsafeRawBufferPointer) -> (offset: Int, flags: UInt32)? {
    for offset in stride(from: 0, to: min(bytes.count, searchByteCount), by: 4) {
      guard bytes.load(offset) == magic, let flags: UInt32 = bytes.load(offset + 4),
        let checksum: UInt32 = bytes.load(offset + 8), magic &+ flags &+ checksum == 0
      else { continue }
      return (offset, flags)
    }
    return nil
  }

  /// The segment that the address fields describe (section 3.1.3).
  private static func addressFields(_ bytes: UnsafeRawBufferPointer, header: Int, name: String)
    throws(DirectBootError) -> (segments: [Segment], entry: UInt64)
  {
    var fields: [UInt64] = []
    for index in 0..<5 {
      guard let field: UInt32 = bytes.load(header + 12 + index * 4) else {
        throw .truncated(name: name, what: "its Multiboot header has no end")
      }
      fields.append(UInt64(field))
    }
    let (headerAddress, loadAddress, loadEnd, bssEnd, entry) = (
      fields[0], fields[1], fields[2], fields[3], fields[4]
    )
    guard loadAddress <= headerAddress, headerAddress - loadAddress <= UInt64(header) else {
      throw .malformed(name: name, what: "its Multiboot addresses do not match the header's place")
    }
    let fileOffset = header - Int(headerAddress - loadAddress)
    // No end of the data means all of the file; no end of the BSS means none.
    var fileByteCount = bytes.count - fileOffset
    if loadEnd != 0 {
      guard loadEnd >= loadAddress else {
        throw .malformed(name: name, what: "its data end before they begin")
      }
      guard loadEnd - loadAddress <= UInt64(fileByteCount) else {
        throw .truncated(name: name, what: "it promises \(loadEnd - loadAddress) bytes of data")
      }
      fileByteCount = Int(loadEnd - loadAddress)
    }
    var memoryByteCount = UInt64(fileByteCount)
    if bssEnd != 0 {
      guard bssEnd >= loadAddress + memoryByteCount else {
        throw .malformed(name: name, what: "its BSS ends before its data do")
      }
      memoryByteCount = bssEnd - loadAddress
    }
    let segment = Segment(
      fileOffset: fileOffset, fileByteCount: fileByteCount, address: loadAddress,
      memoryByteCount: memoryByteCount)
    return ([segment], entry)
  }
}
