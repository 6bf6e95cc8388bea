// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import SCSI

/// An ATAPI CD-ROM drive (ATA/ATAPI-6, PACKET feature set; MMC-4) with a disc of one data track, or none.
final class ATAPICDROM: IDEDevice, DriveMediumObserver {
  /// What a packet's data phase is about.
  struct Transfer: Codable, Equatable, Sendable {
    enum Kind: String, Codable, Sendable {
      case none
      /// The 12 bytes of the packet are awaited.
      case packet
      /// An answer that lies in the buffer.
      case reply
      /// Sectors of the disc.
      case read
    }
    var kind = Kind.none
    var usesDMA = false
    /// Bytes at most between interrupts by PIO.
    var byteCountLimit = 0
    /// The next sector, and how many are not yet in the buffer.
    var lba: UInt64 = 0
    var remaining = 0
    /// Bytes in the buffer, and how many the guest has got.
    var buffered = 0
    var sent = 0
    var dmaByteCount = 0
    var isBounced = false
    /// The disc it began on is gone.
    var isOutdated = false
  }

  static let sectorByteCount = SCSICD.blockByteCount
  private(set) var transfer = Transfer()
  private(set) var packet = [UInt8](repeating: 0, count: 12)
  /// What does the packets' commands.
  let logicalUnit: SCSICD
  private var transferMode: UInt8 = 0x42

  override init(drive: Drive, unit: Int, channel: any IDEChannelPort, trace: TraceCategory) {
    logicalUnit = SCSICD(drive: drive)
    super.init(drive: drive, unit: unit, channel: channel, trace: trace)
    drive.observer = self
    taskFile.error = 1
    putSignature()
  }

  override func resetHardware() {
    super.resetHardware()
    transferMode = 0x42
    logicalUnit.reset()
  }

  override func putSignature() {
    taskFile.sectorCount = 1
    taskFile.lbaLow = 1
    taskFile.lbaMid = 0x14
    taskFile.lbaHigh = 0xEB
    taskFile.device = 0
    // A packet device is not "ready" before its first command.
    status = []
  }

  override func abandonTransfer() {
    transfer = Transfer()
    isIdentify = false
  }

  // MARK: The medium from outside

  func driveMediumChanged(_ drive: Drive) {
    logicalUnit.mediumChanged()
    transfer.isOutdated = true
  }

  func driveTrayMoved(_ drive: Drive) {
    logicalUnit.trayMoved()
    transfer.isOutdated = true
  }

  func driveEjectRequested(_ drive: Drive) { logicalUnit.ejectRequested() }

  // MARK: Commands

  override func execute(_ code: UInt8) {
    taskFile.error = 0
    status.remove(.failed)
    switch ATACommand(rawValue: code) {
    case .packet: startPacket()
    case .identifyPacketDevice:
      buffer.prefix(512).initializeMemory(as: UInt8.self, repeating: 0)
      identify(in: buffer)
      transfer = Transfer(kind: .reply, byteCountLimit: 512, buffered: 512)
      openDataPort(count: 512, isToHost: true)
      raiseInterrupt()
    case .identifyDevice, .readSectors, .readSectorsNoRetry:
      // How a packet device shows that it is one (ATA/ATAPI-6, section 8.15.5.2).
      putSignature()
      abort()
    case .deviceReset: resetDevice()
    case .setFeatures: setFeatures()
    case .checkPowerMode, .checkPowerModeOld:
      // Active or idle.
      finishCommand(sectorCount: 0xFF)
    case .nop, .none: abort()
    case .standby, .standbyOld, .standbyImmediate, .standbyImmediateOld, .idle, .idleOld, .idleImmediate,
      .idleImmediateOld, .sleep, .sleepOld, .flushCache:
      finishCommand()
    default: abort()
    }
  }

  private func setFeatures() {
    switch UInt8(truncatingIfNeeded: taskFile.features) {
    case ATAFeature.setTransferMode:
      let mode = UInt8(truncatingIfNeeded: taskFile.sectorCount)
      guard [0, 1, 4, 8].contains(mode >> 3) else { return abort() }
      if mode >> 3 >= 4 { transferMode = mode }
    case ATAFeature.enableReverting, ATAFeature.disableReverting: break
    default: return abort()
    }
    finishCommand()
  }

  private func abort() {
    transfer = Transfer()
    taskFile.error = ATAError.aborted
    status.remove(.underWay)
    status.insert(.ready)
    status.insert(.error)
    raiseInterrupt()
  }

  /// The end of an ATA or packet command without error.
  private func finishCommand(
    sectorCount: UInt16 = UInt16(InterruptReason.commandOrData | InterruptReason.toHost)
  ) {
    transfer = Transfer()
    taskFile.sectorCount = sectorCount
    status.remove(.underWay)
    status.remove(.error)
    status.insert(.idle)
    raiseInterrupt()
  }

  /// The end of a packet command with a check condition: the sense key is in the error register.
  private func fail(_ code: SCSISense) {
    trace("atapi \(unit): sense \(hex(code.key))/\(hex(code.code))/\(hex(code.qualifier))")
    logicalUnit.sense = code
    transfer = Transfer()
    wantsDMA = false
    taskFile.error = code.key << 4 | ATAError.aborted
    taskFile.sectorCount = UInt16(InterruptReason.commandOrData | InterruptReason.toHost)
    status.remove(.underWay)
    status.insert(.ready)
    status.insert(.error)
    raiseInterrupt()
  }

  /// The end of a packet command without data.
  private func succeed() {
    logicalUnit.sense = .none
    finishCommand()
  }

  // MARK: Packet phase

  private func startPacket() {
    // OVL is not supported.
    guard taskFile.features & 2 == 0 else { return abort() }
    var limit = Int(taskFile.lbaMid & 0xFF) | Int(taskFile.lbaHigh & 0xFF) << 8
    // An odd limit is taken as one less, and none as the most (ATA/ATAPI-6, section 8.24).
    if limit == 0xFFFF { limit = 0xFFFE }
    if limit == 0 { limit = 0xFFFE }
    transfer = Transfer(
      kind: .packet, usesDMA: taskFile.features & 1 != 0, byteCountLimit: max(limit & ~1, 2))
    taskFile.sectorCount = UInt16(InterruptReason.commandOrData)
    openDataPort(count: 12, isToHost: false)
  }

  override func blockDone() {
    status.remove(.dataRequest)
    switch transfer.kind {
    case .packet:
      for index in 0..<12 { packet[index] = buffer[index] }
      runPacket()
    case .reply, .read:
      guard isIdentify else { return continuePIO() }
      isIdentify = false
      transfer = Transfer()
    case .none: break
    }
  }

  /// IDENTIFY PACKET DEVICE is being read: it has no packet, and so no interrupt at its end.
  private var isIdentify = false

  private func runPacket() {
    trace("atapi \(unit): packet \(packet.map { hex($0) }.joined(separator: " "))")
    let action = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { command in
      command.initializeMemory(as: UInt8.self, repeating: 0)
      command.copyBytes(from: packet)
      return logicalUnit.begin(UnsafeRawBufferPointer(command), unit: 0)
    }
    switch action {
    case .failed: fail(logicalUnit.sense)
    case .reply(let count): reply(count: count)
    case .read(let offset, let byteCount):
      readSectors(
        offset / UInt64(Self.sectorByteCount), count: Int(clamping: byteCount / UInt64(Self.sectorByteCount)))
    case .good, .parameters, .write, .flush: succeed()
    }
  }

  // MARK: Data phase

  /// Sends the unit's reply.
  private func reply(count: Int) {
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: logicalUnit.reply[..<count]))
    transfer.kind = .reply
    transfer.buffered = count
    transfer.sent = 0
    sendBuffered()
  }

  /// Reads sectors of the disc.
  private func readSectors(_ lba: UInt64, count: Int) {
    transfer.kind = .read
    transfer.lba = lba
    transfer.remaining = count
    if transfer.usesDMA { return waitForBusMaster() }
    fillBuffer()
  }

  private func fillBuffer() {
    guard !transfer.isOutdated else { return failOutdated() }
    let count = min(transfer.remaining, Self.bufferByteCount / Self.sectorByteCount)
    transfer.dmaByteCount = count * Self.sectorByteCount
    transfer.isBounced = true
    submitBuffer(.read, offset: transfer.lba * UInt64(Self.sectorByteCount), count: transfer.dmaByteCount)
  }

  /// The rest of the read would come from another disc: this command ends with the unit attention.
  private func failOutdated() {
    fail(logicalUnit.takeAttention() ?? .mediumChanged)
  }

  private func sendBuffered() {
    if transfer.usesDMA { return transfer.kind == .read ? copyBufferedByDMA() : waitForBusMaster() }
    offerPIO()
  }

  private func offerPIO() {
    var count = min(transfer.buffered - transfer.sent, transfer.byteCountLimit)
    // Only the last block may be odd.
    if count < transfer.buffered - transfer.sent { count &= ~1 }
    taskFile.lbaMid = UInt16(count & 0xFF)
    taskFile.lbaHigh = UInt16(count >> 8)
    taskFile.sectorCount = UInt16(InterruptReason.toHost)
    let start = transfer.sent
    // The port is 16 bits wide: an odd end is padded.
    openDataPort(count: min(start + (count + 1) & ~1, Self.bufferByteCount), isToHost: true)
    pio.position = start
    raiseInterrupt()
  }

  private func continuePIO() {
    transfer.sent = min(pio.end, transfer.buffered)
    if transfer.sent < transfer.buffered { return offerPIO() }
    if transfer.kind == .read, transfer.remaining > 0 { return fillBuffer() }
    succeed()
  }

  private func waitForBusMaster() {
    taskFile.sectorCount = UInt16(InterruptReason.toHost)
    status.insert(.dataRequest)
    status.remove(.busy)
    pio = PIO()
    wantsDMA = true
    channel.deviceWantsDMA(self)
  }

  override func startDMA() {
    guard channel.busMaster.isToMemory else { return dmaFault() }
    if transfer.kind == .reply { return copyBufferedByDMA() }
    guard transfer.kind == .read else { return abort() }
    guard !transfer.isOutdated else { return failOutdated() }
    let bytes = transfer.remaining * Self.sectorByteCount
    switch channel.busMaster.gather(into: request, count: bytes, for: .write) {
    case .complete:
      transfer.dmaByteCount = bytes
      transfer.isBounced = false
      submit(.read, offset: transfer.lba * UInt64(Self.sectorByteCount))
    case .fault: dmaFault()
    case .short, .tooManyPieces: fillBuffer()
    }
  }

  private func dmaFault() {
    channel.busMaster.status |= BusMasterStatus.error
    channel.busMaster.status &= ~BusMasterStatus.active
    fail(.internalFailure)
  }

  private func copyBufferedByDMA() {
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<transfer.buffered])
    switch channel.busMaster.copy(part, toMemory: true).0 {
    case .fault, .tooManyPieces: return dmaFault()
    case .short:
      // The table was too short: the engine stops without an interrupt (BMIDE 1.0, section 3.1).
      channel.busMaster.status &= ~BusMasterStatus.active
      status.remove(.busy)
      status.insert(.dataRequest)
      return
    case .complete: break
    }
    if transfer.kind == .read, transfer.remaining > 0 { return fillBuffer() }
    finishDMA()
  }

  private func finishDMA() {
    if channel.busMaster.isAtEnd { channel.busMaster.status &= ~BusMasterStatus.active }
    succeed()
  }

  override var isTransferringByDMA: Bool { request.isInFlight && transfer.usesDMA }

  override func requestDone(_ result: BlockResult) {
    guard result == .success else {
      trace("atapi \(unit): read at \(transfer.lba) failed: \(result)")
      channel.busMaster.status &= ~BusMasterStatus.active
      return fail(drive.medium == nil ? .noMedium : .unrecoveredRead)
    }
    let sectors = transfer.dmaByteCount / Self.sectorByteCount
    transfer.lba += UInt64(sectors)
    transfer.remaining -= min(sectors, transfer.remaining)
    if !transfer.isBounced { return finishDMA() }
    transfer.buffered = transfer.dmaByteCount
    transfer.sent = 0
    sendBuffered()
  }

  override func reissue() {
    mustReissue = false
    guard transfer.kind == .read else { return }
    if transfer.isBounced { return fillBuffer() }
    channel.busMaster.rewind()
    startDMA()
  }

  // MARK: IDENTIFY PACKET DEVICE (ATA/ATAPI-6, section 8.16)

  private func identify(in buffer: UnsafeMutableRawBufferPointer) {
    isIdentify = true
    let data = IdentifyData(in: buffer)
    // ATAPI, CD-ROM, removable, DRQ within 50 µs, 12-byte packets.
    data[0] = 0x8000 | 0x0500 | 0x0080 | 0x0040
    data.setText(drive.serial, words: 10...19)
    data.setText(drive.firmwareVersion, words: 23...26)
    data.setText("MARTLET DVD-ROM", words: 27...46)
    data[49] = 0x0800 | 0x0200 | 0x0100
    data[53] = 7
    data[63] = 0x07 | (transferMode >> 3 == 4 ? 1 << (8 + UInt16(transferMode & 7)) : 0)
    data[64] = 3
    for word in 65...68 { data[word] = 120 }
    data[71] = 30
    data[72] = 30
    data[80] = 0x007E
    data[82] = 0x4000 | 0x0200 | 0x0010
    data[83] = 0x4000
    data[84] = 0x4000
    data[85] = 0x4000 | 0x0200 | 0x0010
    data[87] = 0x4000
    data[88] = 0x3F | (transferMode >> 3 == 8 ? 1 << (8 + UInt16(transferMode & 7)) : 0)
    data[93] = 0x6000 | (unit == 0 ? 0x0001 : 0x0100)
    data.seal()
  }

  // MARK: State

  /// Everything the drive keeps.
  struct State: Codable, Equatable, Sendable {
    var registers: IDEDeviceRegisters
    var transfer: Transfer
    var packet: [UInt8]
    var logicalUnit: SCSIUnitState
    var transferMode: UInt8
    var isIdentify: Bool
    var isTrayOpen: Bool
    var isLocked: Bool
  }

  func save() -> State {
    State(
      registers: saveRegisters(), transfer: transfer, packet: packet, logicalUnit: logicalUnit.save(),
      transferMode: transferMode, isIdentify: isIdentify,
      isTrayOpen: drive.isTrayOpen,
      isLocked: drive.isLocked)
  }

  /// Whether a transfer is one this drive may be in the middle of.
  private func isPossible(_ transfer: Transfer, _ registers: IDEDeviceRegisters) -> Bool {
    let total = (drive.medium?.byteCount ?? 0) / UInt64(Self.sectorByteCount)
    guard transfer.remaining >= 0, (0...Self.bufferByteCount).contains(transfer.buffered),
      (0...transfer.buffered).contains(transfer.sent), (0...0xFFFE).contains(transfer.byteCountLimit),
      transfer.dmaByteCount >= 0
    else { return false }
    switch transfer.kind {
    case .none, .packet: return transfer.remaining == 0
    case .reply: return transfer.remaining == 0 && transfer.byteCountLimit >= 2
    case .read:
      return transfer.byteCountLimit >= 2
        && transfer.lba <= total && UInt64(transfer.remaining) <= total - transfer.lba
        && (transfer.remaining > 0 || !registers.isWaiting)
        && (!transfer.isBounced || transfer.dmaByteCount <= Self.bufferByteCount)
    }
  }

  func restore(_ state: State) throws(RestoreError) {
    guard state.packet.count == 12, isPossible(state.transfer, state.registers) else {
      throw RestoreError("ide cdrom \(unit): the state holds a transfer that this drive cannot have")
    }
    try restoreRegisters(state.registers)
    transfer = state.transfer
    packet = state.packet
    logicalUnit.restore(state.logicalUnit)
    transferMode = state.transferMode
    isIdentify = state.isIdentify
    drive.moveTray(isOpen: state.isTrayOpen)
    drive.isLocked = state.isLocked
  }
}
