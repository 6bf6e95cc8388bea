// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// An option ROM as a PCI card carries it (PCI Firmware Specification 3.0, section 5.2).
public enum OptionROM {
  /// The largest a ROM BAR shows here.
  public static let maximumByteCount = 16 << 20

  /// Reads and checks an option ROM.
  public static func load(_ name: String, files: FirmwareFiles, package: String? = nil) throws(FirmwareError)
    -> [UInt8]
  {
    let bytes = try files.read(name, limit: maximumByteCount, package: package)
    guard bytes.count >= 512, bytes[0] == 0x55, bytes[1] == 0xAA else {
      throw FirmwareError("\(name) is no option ROM: it does not begin with 55 AA")
    }
    guard Int(bytes[2]) * 512 <= bytes.count else {
      throw FirmwareError(
        "\(name) is no whole option ROM: it says it has \(Int(bytes[2]) * 512) bytes, not \(bytes.count)")
    }
    return bytes
  }

  /// A ROM block with the option ROM in it, of the next power of two, for a ROM BAR.
  public static func block(name: String, _ bytes: [UInt8]) throws(FirmwareError) -> RAMBlock {
    var size = RAMBlock.pageSize
    while size < bytes.count { size *= 2 }
    do {
      let block = try RAMBlock(name: name, byteCount: size)
      bytes.withUnsafeBytes { block.allBytes.copyMemory(from: $0) }
      return block
    } catch {
      throw FirmwareError("\(error)")
    }
  }
}
