// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// What a CD-ROM drive tells of its disc, and reads of it (MMC-4, section 6).
extension SCSICD {
  func readCapacity() -> SCSIAction {
    guard medium != nil, blockCount > 0 else { return fail(.noMedium) }
    return reply(bytes(min(blockCount - 1, 0xFFFF_FFFF)) + bytes(UInt64(Self.blockByteCount)), limit: 8)
  }

  func read(_ block: UInt64, count: UInt64) -> SCSIAction {
    guard medium != nil else { return fail(.noMedium) }
    guard block <= blockCount, count <= blockCount - block else { return fail(.outOfRange) }
    guard count > 0 else { return .good }
    return .read(offset: block * UInt64(Self.blockByteCount), byteCount: count * UInt64(Self.blockByteCount))
  }

  func readCD(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    switch command[9] & 0xF8 {
    case 0: return .good
    // User data only: what READ gives.
    case 0x10:
      return read(UInt64(command.dword(2)), count: UInt64(command[6]) << 16 | UInt64(command.word(7)))
    default: return fail(.invalidField)
    }
  }

  /// Minutes, seconds and frames of a block; the first block of a disc is at 00:02:00.
  private func address(_ block: UInt64, isMSF: Bool) -> [UInt8] {
    guard isMSF else { return bytes(block) }
    let frames = block &+ 150
    return [
      0, UInt8(truncatingIfNeeded: frames / 4500), UInt8(truncatingIfNeeded: frames / 75 % 60),
      UInt8(truncatingIfNeeded: frames % 75),
    ]
  }

  func readTOC(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    guard medium != nil else { return fail(.noMedium) }
    let isMSF = command[1] & 2 != 0
    // Old drives have the format in the control byte.
    let format = command[2] & 0x0F != 0 ? command[2] & 0x0F : command[9] >> 6
    var entries: [UInt8] = []
    switch format {
    case 0:
      guard command[6] <= 1 || command[6] == 0xAA else { return fail(.invalidField) }
      if command[6] <= 1 { entries += [0, 0x14, 1, 0] + address(0, isMSF: isMSF) }
      entries += [0, 0x16, 0xAA, 0] + address(blockCount, isMSF: isMSF)
    case 1: entries = [0, 0x14, 1, 0] + address(0, isMSF: isMSF)
    case 2:
      // Raw: first track, last track, lead-out, and the track itself.
      for point in [0xA0, 0xA1, 0xA2, 1] as [UInt8] {
        entries += [1, 0x14, 0, point, 0, 0, 0]
        switch point {
        case 0xA0, 0xA1: entries += [0, 1, 0, 0]
        case 0xA2: entries += address(blockCount, isMSF: isMSF)
        default: entries += address(0, isMSF: isMSF)
        }
      }
    default: return fail(.invalidField)
    }
    return reply(
      [0, UInt8(truncatingIfNeeded: entries.count + 2), 1, 1] + entries, limit: Int(command.word(7)))
  }

  /// A CD up to the size of one, else a DVD.
  private var isDVD: Bool { blockCount > 80 * 60 * 75 }

  /// Profiles and features (section 5).
  func getConfiguration(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    let start = command.word(2)
    let isOne = command[1] & 3 == 2
    guard command[1] & 3 != 3 else { return fail(.invalidField) }
    var features: [UInt8] = []
    func add(_ code: UInt16, _ flags: UInt8, _ data: [UInt8]) {
      guard isOne ? code == start : code >= start else { return }
      features += halfword(code) + [flags, UInt8(data.count)] + data
    }
    let hasMedium = medium != nil
    // Profile list: DVD-ROM and CD-ROM.
    add(0, 0x03, [0, 0x10, hasMedium && isDVD ? 1 : 0, 0, 0, 0x08, hasMedium && !isDVD ? 1 : 0, 0])
    // Core: ATAPI. Removable medium: tray, eject, lock.
    add(1, 0x0B, [0, 0, 0, 2, 1, 0, 0, 0])
    add(3, 0x03, [0x29, 0, 0, 0])
    let profile: UInt8 = hasMedium ? (isDVD ? 0x10 : 0x08) : 0
    return reply(
      bytes(UInt64(features.count + 4)) + [0, 0, 0, profile] + features, limit: Int(command.word(7)))
  }

  func readDiscInformation(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    guard medium != nil else { return fail(.noMedium) }
    // Only the standard information.
    guard command[1] & 7 == 0 else { return fail(.invalidField) }
    // A complete disc, one session, tracks 1 to 1.
    return reply(
      [0, 32, 0x0E, 1, 1, 1, 1, 0x20] + [UInt8](repeating: 0, count: 26), limit: Int(command.word(7)))
  }

  /// Physical format information (format 0) of a DVD.
  func readDVDStructure(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    guard medium != nil else { return fail(.noMedium) }
    guard isDVD else { return fail(.incompatibleMedium) }
    guard command[1] & 0x0F == 0, command[7] == 0, command[6] == 0 else { return fail(.invalidField) }
    var data = halfword(2050) + [0, 0, 0x01, 0x0F, 0x01, 0]
    data += bytes(0x30000) + bytes(min(0x30000 + blockCount &- 1, 0xFFFFFF))
    return reply(data + [UInt8](repeating: 0, count: 2052 - data.count), limit: Int(command.word(8)))
  }
}
