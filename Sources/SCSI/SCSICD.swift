// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// A CD-ROM drive (MMC-4) with a disc of one data track, or none.
public final class SCSICD: SCSIUnit {
  /// Sectors, in bytes.
  public static let blockByteCount = 2048
  /// The longest reply in bytes: READ DVD STRUCTURE's.
  private static let replyByteCount = 2052

  public let drive: Drive
  public let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: SCSICD.replyByteCount, alignment: 8)
  public var sense: SCSISense {
    get { state.sense }
    set { state.sense = newValue }
  }
  var state = SCSIUnitState()

  /// A drive that is the host's.
  public init(drive: Drive) {
    self.drive = drive
    reply.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { reply.deallocate() }

  /// A disc that can be read.
  public var medium: (any BlockDevice)? { drive.isTrayOpen ? nil : drive.medium }
  /// Sectors of the disc.
  public var blockCount: UInt64 { (medium?.byteCount ?? 0) / UInt64(Self.blockByteCount) }

  /// As after power-on, of which no unit attention tells, as in QEMU: the first command may be a read. The lock does not
  /// outlive a reset (MMC-4, section 6.13).
  public func reset() {
    drive.isLocked = false
    state = SCSIUnitState()
  }

  // MARK: From outside

  public func mediumChanged() {
    // Behind an open tray nobody sees it.
    if !drive.isTrayOpen { trayMoved() }
  }

  public func trayMoved() {
    state.mediaEvent = medium == nil ? 3 : 2
    state.attention = .mediumChanged
  }

  public func ejectRequested() { state.mediaEvent = 1 }
  public func resized() {}

  public func save() -> SCSIUnitState { state }
  public func restore(_ state: SCSIUnitState) { self.state = state }

  /// A unit attention that nobody has seen, taken.
  public func takeAttention() -> SCSISense? {
    defer { state.attention = nil }
    return state.attention
  }

  // MARK: Commands

  public func begin(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction {
    guard command.count >= 16 else { return fail(.invalidCommand) }
    typealias Operation = SCSIOperation
    let operation = command[0]
    if unit != 0 && operation != Operation.inquiry && operation != Operation.requestSense {
      return fail(.unknownUnit)
    }
    // Unit attention comes before everything but these (SPC-3, section 5.3.4).
    switch operation {
    case Operation.inquiry, Operation.requestSense, Operation.getEventStatus, Operation.getConfiguration:
      break
    default: if let attention = takeAttention() { return fail(attention) }
    }
    let action = perform(command, unit: unit)
    if action != .failed { sense = .none }
    return action
  }

  private func perform(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction {
    typealias Operation = SCSIOperation
    switch command[0] {
    case Operation.testUnitReady: return medium == nil ? fail(.noMedium) : .good
    case Operation.requestSense:
      let told = takeAttention() ?? sense
      return reply(senseData(told), limit: Int(command[4]))
    case Operation.inquiry: return inquiry(command, unit: unit)
    case Operation.modeSense6: return modeSense(command, isLong: false)
    case Operation.modeSense10: return modeSense(command, isLong: true)
    case Operation.startStopUnit: return startStop(command[4])
    case Operation.preventAllowMediumRemoval:
      drive.isLocked = command[4] & 1 != 0
      return .good
    case Operation.readCapacity10: return readCapacity()
    case Operation.read10: return read(UInt64(command.dword(2)), count: UInt64(command.word(7)))
    case Operation.read12: return read(UInt64(command.dword(2)), count: UInt64(command.dword(6)))
    case Operation.readCD: return readCD(command)
    case Operation.seek10:
      guard medium != nil else { return fail(.noMedium) }
      return UInt64(command.dword(2)) < blockCount ? .good : fail(.outOfRange)
    case Operation.readTOC: return readTOC(command)
    case Operation.getConfiguration: return getConfiguration(command)
    case Operation.getEventStatus: return getEventStatus(command)
    case Operation.readDiscInformation: return readDiscInformation(command)
    case Operation.readDVDStructure: return readDVDStructure(command)
    // The number of the current block, and a slot table of none.
    case Operation.mechanismStatus: return reply([UInt8](repeating: 0, count: 8), limit: Int(command.word(8)))
    case Operation.setCDSpeed: return .good
    default: return fail(.invalidCommand)
    }
  }

  /// No command has parameters.
  public func finish(parameters: UnsafeRawBufferPointer) -> (
    SCSIAction, [(offset: UInt64, byteCount: UInt64)]
  ) { (.good, []) }

  // MARK: What it is (SPC-3)

  private func inquiry(_ command: UnsafeRawBufferPointer, unit: UInt8) -> SCSIAction {
    // No vital product data.
    guard command[1] & 1 == 0 else { return fail(.invalidField) }
    let type: UInt8 = unit == 0 ? 0x05 : 0x7F
    return reply(
      [type, 0x80, 0, 0x21, 31, 0, 0, 0] + text("MARTLET", 8) + text("DVD-ROM", 16) + text("1.0", 4),
      limit: Int(command.word(3)))
  }

  /// Pages: error recovery (01), audio control (0E), capabilities and mechanical status (2A).
  private func modeSense(_ command: UnsafeRawBufferPointer, isLong: Bool) -> SCSIAction {
    let page = command[2] & 0x3F
    // Saved values are not kept.
    guard command[2] >> 6 != 3 else { return fail(.cannotSave) }
    let isChangeable = command[2] >> 6 == 1
    var pages: [UInt8] = []
    func add(_ code: UInt8, _ data: [UInt8]) {
      guard page == code || page == 0x3F else { return }
      pages += [code, UInt8(data.count)] + (isChangeable ? [UInt8](repeating: 0, count: data.count) : data)
    }
    add(0x01, [0, 5, 0, 0, 0, 0])
    add(0x0E, [4] + [UInt8](repeating: 0, count: 13))
    // Reads CD-R, CD-RW, DVD-ROM; multisession, mode 2 forms 1 and 2; lock, eject, tray. 706 kB/s is four times the speed
    // of an audio CD.
    let lock: UInt8 = drive.isLocked ? 2 : 0
    add(
      0x2A,
      [0x3B, 0, 0x70, 0, 0x29 | lock, 0] + halfword(706) + halfword(2) + halfword(512) + halfword(706) + [
        0, 0, 0, 0,
      ])
    guard !pages.isEmpty else { return fail(.invalidField) }
    // The medium type: door open, no disc, or data disc.
    let medium: UInt8 = drive.isTrayOpen ? 0x71 : self.medium == nil ? 0x70 : 0x01
    if isLong {
      let length = UInt8(truncatingIfNeeded: pages.count + 6)
      return reply([0, length, medium, 0, 0, 0, 0, 0] + pages, limit: Int(command.word(7)))
    }
    return reply([UInt8(truncatingIfNeeded: pages.count + 3), medium, 0, 0] + pages, limit: Int(command[4]))
  }

  // MARK: The tray

  private func startStop(_ flags: UInt8) -> SCSIAction {
    // Power conditions change nothing.
    guard flags & 2 != 0, flags & 0xF0 == 0 else { return .good }
    if flags & 1 != 0 {
      if drive.isTrayOpen { state.mediaEvent = drive.medium == nil ? 0 : 2 }
      drive.moveTray(isOpen: false)
    } else {
      guard !drive.isLocked else { return fail(.removalPrevented) }
      if !drive.isTrayOpen { state.mediaEvent = 3 }
      drive.moveTray(isOpen: true)
    }
    return .good
  }

  private func getEventStatus(_ command: UnsafeRawBufferPointer) -> SCSIAction {
    // Only polling, and only media events.
    guard command[1] & 1 != 0 else { return fail(.invalidField) }
    let limit = Int(command.word(7))
    guard command[4] & 0x10 != 0 else { return reply([0, 2, 0x80, 0x10], limit: limit) }
    let event = state.mediaEvent
    state.mediaEvent = 0
    return reply(
      [0, 6, 4, 0x10, event, (drive.isTrayOpen ? 1 : 0) | (medium != nil ? 2 : 0), 0, 0], limit: limit)
  }
}
