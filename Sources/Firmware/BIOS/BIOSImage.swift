// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The system BIOS: an image that ends at 4 GiB, where the CPU starts.
public enum BIOSImage {
  /// The largest that leaves room for the IOAPIC and local APICs below it.
  public static let maximumByteCount = 16 << 20
  private static let granularity = 64 << 10

  /// Reads an image of any whole number of 64 KiB into a ROM block.
  public static func load(_ name: String, files: FirmwareFiles) throws(FirmwareError) -> RAMBlock {
    let bytes = try files.read(name, limit: maximumByteCount, package: "seabios")
    guard bytes.count > 0, bytes.count % granularity == 0 else {
      throw FirmwareError(
        "\(name) is no BIOS image: its size, \(bytes.count) bytes, is not a multiple of \(granularity)")
    }
    do {
      let block = try RAMBlock(name: "bios", byteCount: bytes.count)
      bytes.withUnsafeBytes { block.allBytes.copyMemory(from: $0) }
      return block
    } catch {
      throw FirmwareError("\(error)")
    }
  }
}
