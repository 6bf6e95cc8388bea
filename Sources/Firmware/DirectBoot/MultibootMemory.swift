// SPDX-License-Identifier: GPL-2.0-or-later

/// A module for a Multiboot kernel.
public struct MultibootModule: Sendable {
  /// Its name and arguments, as the kernel sees them.
  public let commandLine: String
  /// The file.
  public let contents: FirmwareBlob
  /// A module.
  public init(commandLine: String, contents: FirmwareBlob) {
    self.commandLine = commandLine
    self.contents = contents
  }
}

/// What a Multiboot kernel finds in memory: itself, its modules on page boundaries behind it, strings and the module
/// list behind these, and the boot information in low memory.
///
/// Source: Multiboot Specification 0.6.96, section 3.3.
struct MultibootMemory {
  /// Where the option ROM puts the memory map.
  static let mapAddress: UInt32 = 0x9000
  /// Where the boot information goes; a multiple of 16.
  static let informationAddress: UInt32 = 0x9500

  private static let informationByteCount = 116
  private static let pageByteCount: UInt64 = 4096
  /// Flags: memory sizes, command line, modules, memory map, loader's name.
  private static let flags: UInt32 = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9

  /// From the kernel's base on.
  let contents: FirmwareBlob
  /// The boot information, without what the option ROM adds.
  let information: [UInt8]

  /// Lays everything out below `ramEnd`.
  init(_ image: MultibootImage, modules: [MultibootModule], commandLine: String, ramEnd: UInt64)
    throws(DirectBootError)
  {
    // Everything is copied as one block, so what begins in low memory must end there, too.
    let limit = image.base < 0x10_0000 ? MultibootImage.lowMemory.upperBound : min(ramEnd, 0xFFFF_FFFF)
    var places: [UInt64] = []
    var next = UInt64(image.end)
    for module in modules {
      next = (next + Self.pageByteCount - 1) & ~(Self.pageByteCount - 1)
      places.append(next)
      next += UInt64(module.contents.count)
    }
    let listAddress = (next + 15) & ~15
    var strings: [UInt8] = []
    let stringsAddress = listAddress + UInt64(modules.count) * 16
    func place(_ text: String) -> UInt32 {
      defer { strings += Array(text.utf8) + [0] }
      return UInt32(truncatingIfNeeded: stringsAddress + UInt64(strings.count))
    }

    var list: [UInt8] = []
    for (module, start) in zip(modules, places) {
      list.append(littleEndian: UInt32(truncatingIfNeeded: start))
      list.append(littleEndian: UInt32(truncatingIfNeeded: start + UInt64(module.contents.count)))
      list.append(littleEndian: place(module.commandLine))
      list.append(littleEndian: UInt32(0))
    }
    var information = [UInt8](repeating: 0, count: Self.informationByteCount)
    information.store(Self.flags, at: 0)
    information.store(place(commandLine), at: 16)
    information.store(UInt32(clamping: modules.count), at: 20)
    information.store(UInt32(truncatingIfNeeded: listAddress), at: 24)
    information.store(Self.mapAddress, at: 48)
    information.store(place("Martlet"), at: 64)
    self.information = information

    let end = stringsAddress + UInt64(strings.count)
    guard end <= limit else {
      throw .doesNotFit(
        what: "the Multiboot kernel with its modules", first: UInt64(image.base), end: end, ramEnd: limit)
    }
    let base = UInt64(image.base)
    let count = Int(end - base)
    let blob = FirmwareBlob(count: count) { target in
      func copy(_ source: UnsafeRawBufferPointer, to address: UInt64) {
        let offset = Int(address - base)
        UnsafeMutableRawBufferPointer(rebasing: target[offset..<(offset + source.count)]).copyMemory(
          from: source)
      }
      image.file.withBytes { file in
        for segment in image.segments {
          let part = file[segment.fileOffset..<(segment.fileOffset + segment.fileByteCount)]
          copy(UnsafeRawBufferPointer(rebasing: part), to: segment.address)
        }
      }
      for (module, start) in zip(modules, places) { module.contents.withBytes { copy($0, to: start) } }
      (list + strings).withUnsafeBytes { copy($0, to: listAddress) }
    }
    guard let blob else { throw .outOfMemory(byteCount: count) }
    contents = blob
  }
}
