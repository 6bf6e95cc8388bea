// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus

/// The packet commands (SPC-3; MMC-4, section 6). All numbers in packets and answers are big-endian.
extension ATAPICDROM {
  func perform(_ operation: SCSICommand) {
    switch operation {
    case .testUnitReady: medium == nil ? fail(.noMedium) : succeed()
    case .requestSense: requestSense()
    case .inquiry: inquiry()
    case .modeSense6: modeSense(isLong: false)
    case .modeSense10: modeSense(isLong: true)
    case .startStopUnit: startStopUnit()
    case .preventAllowRemoval:
      drive.isLocked = packet[4] & 1 != 0
      succeed()
    case .readCapacity: readCapacity()
    case .read10: readSectors(UInt64(number(2, 4)), count: number(7, 2))
    case .read12: readSectors(UInt64(number(2, 4)), count: number(6, 4))
    case .readCD: readCD()
    case .seek10:
      if medium == nil { return fail(.noMedium) }
      UInt64(number(2, 4)) < sectorCount ? succeed() : fail(.addressOutOfRange)
    case .readTOC: readTOC()
    case .getConfiguration: getConfiguration()
    case .getEventStatus: getEventStatus()
    case .readDiscInformation: readDiscInformation()
    case .readDVDStructure: readDVDStructure()
    case .mechanismStatus:
      clear(8)
      // The number of the current LBA and a slot table of none.
      reply(count: 8, limit: number(8, 2))
    case .setCDSpeed: succeed()
    }
  }

  // MARK: Packet and answer

  private func number(_ offset: Int, _ count: Int) -> Int {
    var value = 0
    for index in offset..<(offset + count) { value = value << 8 | Int(packet[index]) }
    return value
  }

  private func clear(_ count: Int) { buffer.prefix(count).initializeMemory(as: UInt8.self, repeating: 0) }

  private func put(_ value: UInt64, at offset: Int, count: Int) {
    for index in 0..<count {
      buffer[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - index) * 8))
    }
  }

  private func put(_ text: String, at offset: Int, count: Int) {
    let bytes = Array(text.utf8.prefix(count))
    for index in 0..<count { buffer[offset + index] = index < bytes.count ? bytes[index] : 0x20 }
  }

  // MARK: SPC

  private func requestSense() {
    let code = takeSense()
    clear(18)
    buffer[0] = 0x70
    buffer[2] = code.key
    buffer[7] = 10
    buffer[12] = code.code
    buffer[13] = code.qualifier
    reply(count: 18, limit: Int(packet[4]))
  }

  private func inquiry() {
    // No vital product data.
    guard packet[1] & 1 == 0 else { return fail(.invalidField) }
    clear(36)
    buffer[0] = 0x05
    buffer[1] = 0x80
    buffer[3] = 0x21
    buffer[4] = 31
    put("MARTLET", at: 8, count: 8)
    put("DVD-ROM", at: 16, count: 16)
    put("1.0", at: 32, count: 4)
    reply(count: 36, limit: number(3, 2))
  }

  /// Pages: error recovery (01), audio control (0E), capabilities and mechanical status (2A).
  private func modeSense(isLong: Bool) {
    let page = packet[2] & 0x3F
    // Saved values are not kept.
    guard packet[2] >> 6 != 3 else { return fail(SenseCode(key: 5, code: 0x39)) }
    let isChangeable = packet[2] >> 6 == 1
    let header = isLong ? 8 : 4
    clear(header + 64)
    var end = header
    if page == 0x01 || page == 0x3F {
      buffer[end] = 0x01
      buffer[end + 1] = 6
      if !isChangeable { buffer[end + 3] = 5 }
      end += 8
    }
    if page == 0x0E || page == 0x3F {
      buffer[end] = 0x0E
      buffer[end + 1] = 14
      if !isChangeable { buffer[end + 2] = 4 }
      end += 16
    }
    if page == 0x2A || page == 0x3F {
      buffer[end] = 0x2A
      buffer[end + 1] = 18
      if !isChangeable {
        // Reads CD-R, CD-RW, DVD-ROM; multisession, mode 2 forms 1 and 2; lock, eject, tray.
        buffer[end + 2] = 0x3B
        buffer[end + 4] = 0x70
        buffer[end + 6] = 0x29 | (drive.isLocked ? 2 : 0)
        // 706 kB/s is four times the speed of an audio CD.
        put(706, at: end + 8, count: 2)
        put(2, at: end + 10, count: 2)
        put(512, at: end + 12, count: 2)
        put(706, at: end + 14, count: 2)
      }
      end += 20
    }
    guard end > header else { return fail(.invalidField) }
    // The medium type: door open, no disc, or data disc.
    let medium: UInt8 = drive.isTrayOpen ? 0x71 : self.medium == nil ? 0x70 : 0x01
    if isLong {
      put(UInt64(end - 2), at: 0, count: 2)
      buffer[2] = medium
    } else {
      buffer[0] = UInt8(end - 1)
      buffer[1] = medium
    }
    reply(count: end, limit: isLong ? number(7, 2) : Int(packet[4]))
  }

  // MARK: The tray

  private func startStopUnit() {
    let (isStart, movesTray) = (packet[4] & 1 != 0, packet[4] & 2 != 0)
    // Power conditions change nothing.
    guard movesTray, packet[4] & 0xF0 == 0 else { return succeed() }
    if isStart {
      if drive.isTrayOpen { mediaEvent = drive.medium == nil ? 0 : 2 }
      drive.moveTray(isOpen: false)
    } else {
      guard !drive.isLocked else { return fail(.removalPrevented) }
      if !drive.isTrayOpen { mediaEvent = 3 }
      drive.moveTray(isOpen: true)
    }
    succeed()
  }

  private func getEventStatus() {
    // Only polling, and only media events.
    guard packet[1] & 1 != 0 else { return fail(.invalidField) }
    clear(8)
    buffer[3] = 0x10
    if packet[4] & 0x10 != 0 {
      put(6, at: 0, count: 2)
      buffer[2] = 4
      buffer[4] = mediaEvent
      buffer[5] = (drive.isTrayOpen ? 1 : 0) | (medium != nil ? 2 : 0)
      mediaEvent = 0
      reply(count: 8, limit: number(7, 2))
    } else {
      put(2, at: 0, count: 2)
      buffer[2] = 0x80
      reply(count: 4, limit: number(7, 2))
    }
  }

  // MARK: The disc

  private func readCapacity() {
    guard medium != nil, sectorCount > 0 else { return fail(.noMedium) }
    clear(8)
    put(min(sectorCount - 1, 0xFFFF_FFFF), at: 0, count: 4)
    put(UInt64(Self.sectorByteCount), at: 4, count: 4)
    reply(count: 8, limit: 8)
  }

  private func readCD() {
    let count = number(6, 3)
    switch packet[9] & 0xF8 {
    case 0: succeed()
    // User data only: what READ gives.
    case 0x10: readSectors(UInt64(number(2, 4)), count: count)
    default: fail(.invalidField)
    }
  }

  /// Minutes, seconds and frames of a sector; the first sector of a disc is at 00:02:00.
  private func put(address lba: UInt64, isMSF: Bool, at offset: Int) {
    guard isMSF else { return put(lba, at: offset, count: 4) }
    let frames = lba &+ 150
    buffer[offset] = 0
    buffer[offset + 1] = UInt8(truncatingIfNeeded: frames / 4500)
    buffer[offset + 2] = UInt8(truncatingIfNeeded: frames / 75 % 60)
    buffer[offset + 3] = UInt8(truncatingIfNeeded: frames % 75)
  }

  private func readTOC() {
    guard medium != nil else { return fail(.noMedium) }
    let isMSF = packet[1] & 2 != 0
    // Old drives have the format in the control byte.
    let format = packet[2] & 0x0F != 0 ? packet[2] & 0x0F : packet[9] >> 6
    clear(64)
    var end: Int
    switch format {
    case 0:
      guard packet[6] <= 1 || packet[6] == 0xAA else { return fail(.invalidField) }
      end = 4
      if packet[6] <= 1 {
        buffer[end + 1] = 0x14
        buffer[end + 2] = 1
        put(address: 0, isMSF: isMSF, at: end + 4)
        end += 8
      }
      buffer[end + 1] = 0x16
      buffer[end + 2] = 0xAA
      put(address: sectorCount, isMSF: isMSF, at: end + 4)
      end += 8
    case 1:
      buffer[5] = 0x14
      buffer[6] = 1
      put(address: 0, isMSF: isMSF, at: 8)
      end = 12
    case 2:
      // Raw: first track, last track, lead-out, and the track itself.
      end = 4
      for point in [0xA0, 0xA1, 0xA2, 1] as [UInt8] {
        buffer[end] = 1
        buffer[end + 1] = 0x14
        buffer[end + 3] = point
        switch point {
        case 0xA0, 0xA1: buffer[end + 8] = 1
        case 0xA2: put(address: sectorCount, isMSF: isMSF, at: end + 7)
        default: put(address: 0, isMSF: isMSF, at: end + 7)
        }
        end += 11
      }
    default: return fail(.invalidField)
    }
    put(UInt64(end - 2), at: 0, count: 2)
    buffer[2] = 1
    buffer[3] = 1
    reply(count: end, limit: number(7, 2))
  }

  /// Profiles (MMC-4, section 5.4): a CD up to the size of one, else a DVD.
  private var isDVD: Bool { sectorCount > 80 * 60 * 75 }

  private func getConfiguration() {
    let start = number(2, 2)
    let isOne = packet[1] & 3 == 2
    guard packet[1] & 3 != 3 else { return fail(.invalidField) }
    clear(64)
    var end = 8
    func feature(_ code: Int, _ flags: UInt8, _ data: [UInt8]) {
      guard isOne ? code == start : code >= start else { return }
      put(UInt64(code), at: end, count: 2)
      buffer[end + 2] = flags
      buffer[end + 3] = UInt8(data.count)
      for (index, byte) in data.enumerated() { buffer[end + 4 + index] = byte }
      end += 4 + data.count
    }
    let hasMedium = medium != nil
    let (isCurrentDVD, isCurrentCD) = (hasMedium && isDVD, hasMedium && !isDVD)
    // Profile list: DVD-ROM and CD-ROM.
    feature(0, 0x03, [0, 0x10, isCurrentDVD ? 1 : 0, 0, 0, 0x08, isCurrentCD ? 1 : 0, 0])
    // Core: ATAPI. Removable medium: tray, eject, lock.
    feature(1, 0x0B, [0, 0, 0, 2, 1, 0, 0, 0])
    feature(3, 0x03, [0x29, 0, 0, 0])
    if hasMedium { put(isDVD ? 0x10 : 0x08, at: 6, count: 2) }
    put(UInt64(end - 4), at: 0, count: 4)
    reply(count: end, limit: number(7, 2))
  }

  private func readDiscInformation() {
    guard medium != nil else { return fail(.noMedium) }
    // Only the standard information.
    guard packet[1] & 7 == 0 else { return fail(.invalidField) }
    clear(34)
    put(32, at: 0, count: 2)
    // A complete disc, one session, tracks 1 to 1.
    buffer[2] = 0x0E
    buffer[3] = 1
    buffer[4] = 1
    buffer[5] = 1
    buffer[6] = 1
    buffer[7] = 0x20
    reply(count: 34, limit: number(7, 2))
  }

  /// Physical format information (format 0) of a DVD.
  private func readDVDStructure() {
    guard medium != nil else { return fail(.noMedium) }
    guard isDVD else { return fail(SenseCode(key: 5, code: 0x30, qualifier: 2)) }
    guard packet[1] & 0x0F == 0, packet[7] == 0, packet[6] == 0 else { return fail(.invalidField) }
    clear(2052)
    put(2050, at: 0, count: 2)
    buffer[4] = 0x01
    buffer[5] = 0x0F
    buffer[6] = 0x01
    put(0x30000, at: 8, count: 4)
    put(min(0x30000 + sectorCount &- 1, 0xFFFFFF), at: 12, count: 4)
    reply(count: 2052, limit: number(8, 2))
  }
}
