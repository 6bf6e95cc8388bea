// SPDX-License-Identifier: GPL-2.0-or-later

/// An ELF executable for x86, of 32 or 64 bits, as far as loading a kernel needs it.
///
/// Source: System V ABI, "Object Files" and "Program Loading".
struct ELFImage {
  private let bytes: UnsafeRawBufferPointer
  private let name: String
  private let is64Bit: Bool

  private static let loadableType: UInt32 = 1
  private static let maximumSegmentCount = 64

  /// Checks the file's header. `bytes` must outlive the image.
  init(_ bytes: UnsafeRawBufferPointer, name: String) throws(DirectBootError) {
    guard bytes.count >= 52, bytes[0..<4].elementsEqual([0x7F, 0x45, 0x4C, 0x46]) else {
      throw .unsupported(name: name, what: "it has a Multiboot header without addresses, but is not ELF")
    }
    let machine: UInt16 = bytes.load(18) ?? 0
    let type: UInt16 = bytes.load(16) ?? 0
    is64Bit = bytes[4] == 2
    guard bytes[4] == 1 || bytes[4] == 2, bytes[5] == 1, machine == 3 || machine == 62 else {
      throw .unsupported(name: name, what: "it is not an ELF file for x86")
    }
    guard type == 2 else { throw .unsupported(name: name, what: "it is not linked to fixed addresses") }
    self.bytes = bytes
    self.name = name
  }

  /// What is to be loaded, and the physical address it starts at.
  func loadable() throws(DirectBootError) -> (segments: [MultibootImage.Segment], entry: UInt64) {
    guard let tableOffset = word(28, 32), let entrySize: UInt16 = bytes.load(is64Bit ? 54 : 42),
      let count: UInt16 = bytes.load(is64Bit ? 56 : 44), var entry = word(24, 24)
    else { throw .truncated(name: name, what: "its ELF header has no end") }
    guard count <= Self.maximumSegmentCount, entrySize >= (is64Bit ? 56 : 32) else {
      throw .malformed(name: name, what: "\(count) program headers of \(entrySize) bytes make no sense")
    }
    var segments: [MultibootImage.Segment] = []
    var isTranslated = false
    for index in 0..<Int(count) {
      guard let start = Int(exactly: tableOffset), start <= bytes.count else {
        throw .truncated(name: name, what: "its program headers are not there")
      }
      let header = start + index * Int(entrySize)
      guard header + Int(entrySize) <= bytes.count, let type: UInt32 = bytes.load(header) else {
        throw .truncated(name: name, what: "its program headers are not there")
      }
      guard type == Self.loadableType else { continue }
      guard let offset = word(header + 4, header + 8), let virtual = word(header + 8, header + 16),
        let physical = word(header + 12, header + 24), let fileCount = word(header + 16, header + 32),
        let memoryCount = word(header + 20, header + 40)
      else { throw .truncated(name: name, what: "its program headers are not there") }
      let (fileEnd, overflows) = offset.addingReportingOverflow(fileCount)
      guard !overflows, fileEnd <= UInt64(bytes.count) else {
        throw .truncated(name: name, what: "it promises \(fileCount) bytes at \(offset)")
      }
      guard memoryCount >= fileCount, physical < 1 << 32, memoryCount < 1 << 32 else {
        throw .malformed(name: name, what: "a segment at 0x\(String(physical, radix: 16)) makes no sense")
      }
      // The entry point is a virtual address in some kernels; paging is off when they start.
      if !isTranslated, entry >= virtual, entry - virtual < memoryCount {
        entry = physical + (entry - virtual)
        isTranslated = true
      }
      segments.append(
        MultibootImage.Segment(
          fileOffset: Int(offset), fileByteCount: Int(fileCount), address: physical,
          memoryByteCount: memoryCount))
    }
    return (segments, entry)
  }

  /// The address-sized number at one offset in a 32-bit file, at another in a 64-bit one.
  private func word(_ offset32: Int, _ offset64: Int) -> UInt64? {
    is64Bit ? bytes.load(offset64) : bytes.load(offset32, as: UInt32.self).map { UInt64($0) }
  }
}
