// SPDX-License-Identifier: GPL-2.0-or-later

@testable import Firmware

/// Kernels made to measure.
enum KernelFiles {
  /// A bzImage with one sector of set-up code and `payload`.
  static func linux(
    version: UInt16 = 0x020C, payload: [UInt8] = Array("kernel".utf8),
    change: (inout [UInt8]) -> Void = { _ in }
  ) -> FirmwareBlob {
    var bytes = [UInt8](repeating: 0, count: 1024)
    bytes[0x1F1] = 1
    bytes.store(UInt16(0xAA55), at: 0x1FE)
    bytes.store(UInt32(0x5372_6448), at: 0x202)
    bytes.store(version, at: 0x206)
    bytes[0x211] = 1
    bytes.store(UInt32(0x7FFF_FFFF), at: 0x22C)
    bytes.store(UInt32(255), at: 0x238)
    change(&bytes)
    return FirmwareBlob(bytes + payload)
  }

  /// A Multiboot image with address fields, `padding` bytes before its header: its data are the header, "text" and
  /// zeroes up to `bssEnd`.
  static func multiboot(
    flags: UInt32 = 0x1_0003, padding: Int = 8, loadAddress: UInt32 = 0x10_0000, loadEnd: UInt32? = nil,
    bssEnd: UInt32 = 0, entry: UInt32? = nil, headerAddress: UInt32? = nil
  ) -> FirmwareBlob {
    var bytes = [UInt8](repeating: 0x90, count: padding)
    for value in [
      0x1BAD_B002, flags, 0 &- (0x1BAD_B002 &+ flags), headerAddress ?? loadAddress + UInt32(padding),
      loadAddress, loadEnd ?? loadAddress + UInt32(padding) + 36, bssEnd, entry ?? loadAddress + 32,
    ] { bytes.append(littleEndian: value) }
    return FirmwareBlob(bytes + Array("textmore".utf8))
  }

  struct Segment {
    var offset: UInt64
    var virtual: UInt64
    var physical: UInt64
    var fileCount: UInt64
    var memoryCount: UInt64
  }

  /// An ELF image with a Multiboot header without addresses at 512 and "elfdata!" at 1024.
  static func elf(
    is64Bit: Bool, entry: UInt64, _ segments: [Segment], change: (inout [UInt8]) -> Void = { _ in }
  ) -> FirmwareBlob {
    var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    bytes.append(littleEndian: UInt16(2))
    bytes.append(littleEndian: UInt16(is64Bit ? 62 : 3))
    bytes.append(littleEndian: UInt32(1))
    func word(_ value: UInt64) {
      if is64Bit {
        bytes.append(littleEndian: value)
      } else {
        bytes.append(littleEndian: UInt32(truncatingIfNeeded: value))
      }
    }
    word(entry)
    word(is64Bit ? 64 : 52)
    word(0)
    bytes.append(littleEndian: UInt32(0))
    for value in [is64Bit ? 64 : 52, is64Bit ? 56 : 32, segments.count, 0, 0, 0] {
      bytes.append(littleEndian: UInt16(value))
    }
    for segment in segments {
      bytes.append(littleEndian: UInt32(1))
      if is64Bit { bytes.append(littleEndian: UInt32(7)) }
      for value in [
        segment.offset, segment.virtual, segment.physical, segment.fileCount, segment.memoryCount,
      ] {
        word(value)
      }
      if !is64Bit { bytes.append(littleEndian: UInt32(7)) }
      word(0)
    }
    bytes += [UInt8](repeating: 0, count: 512 - bytes.count)
    for value: UInt32 in [0x1BAD_B002, 3, 0 &- (0x1BAD_B002 &+ 3)] { bytes.append(littleEndian: value) }
    bytes += [UInt8](repeating: 0, count: 1024 - bytes.count) + Array("elfdata!".utf8)
    change(&bytes)
    return FirmwareBlob(bytes)
  }
}
