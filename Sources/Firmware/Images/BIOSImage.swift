// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Why an image cannot be the machine's BIOS.
public enum BIOSImageError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Not a multiple of 64 KiB, empty, or larger than what the chipset decodes.
  case badSize(name: String, byteCount: Int)
  /// The last 16 bytes, where the CPU starts, are all zero or all ones.
  case noResetVector(name: String)
  /// No memory for it.
  case memory(RAMBlockError)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .badSize(let name, let byteCount):
      "the BIOS image '\(name)' has \(byteCount) bytes; it must be a multiple of 64 KiB, at least 64 KiB and"
        + " at most \(BIOSImage.maximumByteCount >> 20) MiB"
    case .noResetVector(let name):
      "the BIOS image '\(name)' has no code at its end, where the CPU starts: it is not a PC BIOS"
    case .memory(let error):
      "\(error)"
    }
  }
}

/// The system BIOS: flash ROM that ends at 4 GiB, and whose last 128 KiB also show below 1 MiB.
public struct BIOSImage: Sendable {
  /// What fits between the local APICs (FEE0_0000) and 4 GiB, in a power of two: 16 MiB.
  public static let maximumByteCount = 16 << 20
  /// The unit of BIOS sizes.
  public static let granularity = 64 << 10
  /// How much of the end of the image the chipset shows below 1 MiB, at most.
  public static let maximumShadowByteCount = 128 << 10

  /// The contents, as ROM for the memory map.
  public let rom: RAMBlock

  /// Makes ROM of an image; `name` is the file's, for messages.
  public init(_ image: FirmwareBlob, name: String) throws(BIOSImageError) {
    rom = try Self.memory(byteCount: image.count, name: name)
    let contents = rom.allBytes
    image.withBytes { contents.copyMemory(from: $0) }
    try checkResetVector(name: name)
  }

  /// Finds an image and reads it, straight into the ROM.
  public init(_ name: String, files: FirmwareFiles) throws {
    let file = try FirmwareFile(files.find(name), limit: Self.maximumByteCount)
    rom = try Self.memory(byteCount: file.byteCount, name: name)
    try file.read(into: rom.allBytes)
    try checkResetVector(name: name)
  }

  private static func memory(byteCount: Int, name: String) throws(BIOSImageError) -> RAMBlock {
    guard byteCount > 0, byteCount % granularity == 0, byteCount <= maximumByteCount else {
      throw .badSize(name: name, byteCount: byteCount)
    }
    do {
      return try RAMBlock(name: "pc.bios", byteCount: byteCount)
    } catch {
      throw .memory(error)
    }
  }

  private func checkResetVector(name: String) throws(BIOSImageError) {
    guard rom.allBytes[(byteCount - 16)...].contains(where: { $0 != 0 && $0 != 0xFF }) else {
      throw .noResetVector(name: name)
    }
  }

  /// The length in bytes.
  public var byteCount: Int { rom.byteCount }
  /// Where the image begins, so that it ends at 4 GiB.
  public var base: GuestAddress { GuestAddress(UInt64(1 << 32) - UInt64(byteCount)) }
  /// How many bytes at the end of the image show below 1 MiB: 128 KiB, or all of a smaller image.
  public var shadowByteCount: Int { min(byteCount, Self.maximumShadowByteCount) }
  /// Where the shadowed part begins in the image.
  public var shadowOffset: Int { byteCount - shadowByteCount }
  /// Where the shadowed part shows, so that it ends at 1 MiB.
  public var shadowBase: GuestAddress { GuestAddress(UInt64(1 << 20) - UInt64(shadowByteCount)) }
}
