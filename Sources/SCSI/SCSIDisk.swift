// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// The commands of a direct-access block device (SPC-3, SBC-2) with blocks of 512 bytes; what moves its data is not its
/// concern.
public final class SCSIDisk: SCSIUnit {
  /// The longest reply in bytes.
  private static let replyByteCount = 512
  /// The longest list of parameters in bytes: UNMAP's.
  public static let parameterByteCount = 4096
  public static let blockByteCount: UInt64 = 512

  public let drive: Drive
  private let isRemovable: Bool
  public let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: SCSIDisk.replyByteCount, alignment: 8)
  public var sense = SCSISense.none
  /// The operation code of the present command.
  private(set) var operation: UInt8 = 0

  /// A disk that is the drive's.
  /// - Parameter isRemovable: it says that its medium can be taken out.
  public init(drive: Drive, isRemovable: Bool) {
    self.drive = drive
    self.isRemovable = isRemovable
    reply.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { reply.deallocate() }

  private var blockCount: UInt64 { (drive.medium?.byteCount ?? 0) / Self.blockByteCount }

  /// Forgets errors.
  public func reset() {
    sense = .none
    drive.isLocked = false
  }

  // MARK: Commands

  /// Begins a command.
  /// - Parameter command: the command descriptor block, of 16 bytes.
  public func begin(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction {
    guard command.count >= 16 else { return fail(.invalidCommand) }
    operation = command[0]
    typealias Operation = SCSIOperation
    if unit != 0 && operation != Operation.inquiry && operation != Operation.requestSense {
      return fail(.unknownUnit)
    }
    switch operation {
    case Operation.requestSense: return requestSense(limit: Int(command[4]))
    case Operation.inquiry: return inquiry(command, unit: unit)
    case Operation.reportLUNs:
      return reply([0, 0, 0, 8] + [UInt8](repeating: 0, count: 12), limit: Int(clamping: command.dword(6)))
    default: break
    }
    // A pending unit attention is told once, to what is not asked for information.
    if sense.key == SCSISense.mediumChanged.key { return .failed }
    sense = .none
    guard drive.medium != nil || !needsMedium else { return fail(.noMedium) }
    switch operation {
    case Operation.testUnitReady: return drive.medium == nil ? fail(.noMedium) : .good
    case Operation.read6, Operation.write6: return transfer6(command)
    case Operation.read10, Operation.write10:
      return transfer(command, block: UInt64(command.dword(2)), count: UInt64(command.word(7)))
    case Operation.read12, Operation.write12:
      return transfer(command, block: UInt64(command.dword(2)), count: UInt64(command.dword(6)))
    case Operation.read16, Operation.write16:
      return transfer(command, block: command.quad(2), count: UInt64(command.dword(10)))
    case Operation.verify10: return verify(command, UInt64(command.dword(2)), UInt64(command.word(7)))
    case Operation.verify16: return verify(command, command.quad(2), UInt64(command.dword(10)))
    case Operation.seek10: return command.dword(2) < blockCount ? .good : fail(.outOfRange)
    case Operation.readCapacity10: return readCapacity10()
    case Operation.readFormatCapacities: return readFormatCapacities(limit: Int(command.word(7)))
    case Operation.serviceActionIn16:
      guard command[1] & 0x1F == Operation.readCapacity16 else { return fail(.invalidField) }
      return readCapacity16(limit: Int(clamping: command.dword(10)))
    case Operation.synchronizeCache10, Operation.synchronizeCache16: return .flush
    case Operation.startStopUnit: return startStop(command[4])
    case Operation.preventAllowMediumRemoval:
      drive.isLocked = command[4] & 1 != 0
      return .good
    case Operation.sendDiagnostic: return command[1] & 4 != 0 ? .good : fail(.invalidField)
    case Operation.modeSense6: return modeSense(command, isLong: false)
    case Operation.modeSense10: return modeSense(command, isLong: true)
    case Operation.modeSelect6: return .parameters(Int(command[4]))
    case Operation.unmap:
      guard drive.medium?.isReadOnly == false else { return fail(.writeProtected) }
      return .parameters(Int(command.word(7)))
    default: return fail(.invalidCommand)
    }
  }

  private var needsMedium: Bool {
    switch operation {
    case SCSIOperation.startStopUnit, SCSIOperation.preventAllowMediumRemoval, SCSIOperation.modeSense6,
      SCSIOperation.modeSense10, SCSIOperation.testUnitReady, SCSIOperation.sendDiagnostic:
      false
    default: true
    }
  }

  // MARK: Reading and writing (SBC-2 sections 5.5 to 5.8 and 5.24 to 5.28)

  private func transfer6(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    let block = UInt64(command.dword(0) & 0x1F_FFFF)
    return transfer(command, block: block, count: command[4] == 0 ? 256 : UInt64(command[4]))
  }

  private func transfer(_ command: UnsafeRawBufferPointer, block: UInt64, count: UInt64) -> SCSIAction {
    guard isInside(block, count) else { return fail(.outOfRange) }
    guard count > 0 else { return .good }
    let offset = block * Self.blockByteCount
    let byteCount = count * Self.blockByteCount
    switch operation {
    case SCSIOperation.read6, SCSIOperation.read10, SCSIOperation.read12, SCSIOperation.read16:
      return .read(offset: offset, byteCount: byteCount)
    default:
      guard drive.medium?.isReadOnly == false else { return fail(.writeProtected) }
      let isDurable = operation != SCSIOperation.write6 && command[1] & 8 != 0
      return .write(offset: offset, byteCount: byteCount, isDurable: isDurable)
    }
  }

  private func isInside(_ block: UInt64, _ count: UInt64) -> Bool {
    block <= blockCount && count <= blockCount - block
  }

  private func verify(_ command: UnsafeRawBufferPointer, _ block: UInt64, _ count: UInt64) -> SCSIAction {
    guard command[1] & 2 == 0 else { return fail(.invalidField) }
    return isInside(block, count) ? .good : fail(.outOfRange)
  }

  /// The parameters are there (UNMAP: SBC-3 section 5.28).
  /// - Returns: what else is to be done, and the ranges to discard: byte offsets and counts.
  public func finish(parameters: UnsafeRawBufferPointer) -> (
    SCSIAction, [(offset: UInt64, byteCount: UInt64)]
  ) {
    guard operation == SCSIOperation.unmap else { return (.good, []) }
    guard parameters.count >= 8 else { return (.good, []) }
    var ranges: [(offset: UInt64, byteCount: UInt64)] = []
    let end = min(parameters.count, 8 + Int(parameters.word(2)))
    var position = 8
    while position + 16 <= end {
      let block = parameters.quad(position)
      let count = UInt64(parameters.dword(position + 8))
      guard isInside(block, count) else { return (fail(.outOfRange), []) }
      if count > 0 { ranges.append((block * Self.blockByteCount, count * Self.blockByteCount)) }
      position += 16
    }
    return (.good, ranges)
  }

  // MARK: What it is (SPC-3 sections 6.4 and 7.6)

  private func inquiry(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction {
    let limit = Int(command.word(3))
    let type: UInt8 = unit == 0 ? 0 : 0x7F
    guard command[1] & 1 != 0 else {
      guard command[2] == 0 else { return fail(.invalidField) }
      var bytes: [UInt8] = [type, isRemovable ? 0x80 : 0, 5, 2, 31, 0, 0, 0]
      bytes += text("MARTLET", 8) + text("MARTLET HARDDISK", 16) + text(drive.firmwareVersion, 4)
      return reply(bytes, limit: limit)
    }
    guard let page = productData(command[2]) else { return fail(.invalidField) }
    return reply([type, command[2], 0, UInt8(truncatingIfNeeded: page.count)] + page, limit: limit)
  }

  /// Vital product data.
  private func productData(_ page: UInt8) -> [UInt8]? {
    switch page {
    case 0x00: return [0x00, 0x80, 0x83, 0xB0, 0xB2]
    case 0x80: return Array(drive.serial.utf8.prefix(20))
    case 0x83:
      // Vendor specific, in ASCII.
      let identifier = Array(drive.serial.utf8.prefix(20))
      return [2, 0, 0, UInt8(truncatingIfNeeded: identifier.count)] + identifier
    case 0xB0:
      // Block limits (SBC-3 section 6.5.3): a list of UNMAP has as many entries as we take.
      var limits = [UInt8](repeating: 0, count: 60)
      limits.replaceSubrange(16..<20, with: bytes(drive.medium?.canDiscard == true ? 0xFFFF_FFFF : 0))
      limits.replaceSubrange(20..<24, with: bytes(drive.medium?.canDiscard == true ? 255 : 0))
      return limits
    case 0xB2:
      // Logical block provisioning (section 6.5.4): LBPU; thin if it discards.
      let canDiscard = drive.medium?.canDiscard == true
      return [0, canDiscard ? 0x80 : 0, canDiscard ? 2 : 0, 0]
    default: return nil
    }
  }

  private func requestSense(limit: Int) -> SCSIAction {
    let told = sense
    sense = .none
    return reply(senseData(told), limit: limit)
  }

  private func readCapacity10() -> SCSIAction {
    let last = min(max(blockCount, 1) - 1, 0xFFFF_FFFF)
    return reply(bytes(last) + bytes(Self.blockByteCount), limit: 8)
  }

  private func readCapacity16(limit: Int) -> SCSIAction {
    let last = max(blockCount, 1) - 1
    let flags: [UInt8] = [0, 0, drive.medium?.canDiscard == true ? 0x80 : 0, 0]
    return reply(
      bytes(last >> 32) + bytes(last) + bytes(Self.blockByteCount) + flags + [UInt8](repeating: 0, count: 16),
      limit: limit)
  }

  /// One capacity: that of the formatted medium (MMC-3 section 6.24).
  private func readFormatCapacities(limit: Int) -> SCSIAction {
    reply([0, 0, 0, 8] + bytes(min(blockCount, 0xFFFF_FFFF)) + [2, 0, 2, 0], limit: limit)
  }

  private func startStop(_ flags: UInt8) -> SCSIAction {
    // LOEJ.
    guard flags & 2 != 0, isRemovable else { return .good }
    let opens = flags & 1 == 0
    guard !opens || !drive.isLocked else { return fail(.removalPrevented) }
    drive.moveTray(isOpen: opens)
    return .good
  }

  /// The caching page only: the write cache is on (SBC-2 section 6.3.3).
  private func modeSense(_ command: UnsafeRawBufferPointer, isLong: Bool) -> SCSIAction {
    let page = command[2] & 0x3F
    var pages: [UInt8] = []
    if page == 8 || page == 0x3F {
      pages += [8, 18, command[2] & 0xC0 == 0x40 ? 0 : 4] + [UInt8](repeating: 0, count: 17)
    } else if page != 0 {
      return fail(.invalidField)
    }
    // WP; DPOFUA.
    let parameter: UInt8 = (drive.medium?.isReadOnly == true ? 0x80 : 0) | 0x10
    if isLong {
      let length = UInt8(truncatingIfNeeded: pages.count + 6)
      return reply([0, length, 0, parameter, 0, 0, 0, 0] + pages, limit: Int(command.word(7)))
    }
    return reply(
      [UInt8(truncatingIfNeeded: pages.count + 3), 0, parameter, 0] + pages, limit: Int(command[4]))
  }

  // MARK: From outside

  public func mediumChanged() { sense = .mediumChanged }
  public func trayMoved() { sense = .mediumChanged }
  public func ejectRequested() { sense = .removalRequest }
  /// READ CAPACITY tells the new size from now on (SPC-3: CAPACITY DATA HAS CHANGED).
  public func resized() { sense = .capacityChanged }

  public func save() -> SCSIUnitState { SCSIUnitState(sense: sense) }
  public func restore(_ state: SCSIUnitState) { sense = state.sense }
}
