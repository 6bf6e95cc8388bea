// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import Glibc

/// An ATA hard disk (ATA/ATAPI-6): PIO, multiple and DMA transfers with CHS, 28-bit and 48-bit addresses.
final class ATADisk: IDEDevice {
  /// What a transfer of sectors is about.
  struct Transfer: Codable, Equatable, Sendable {
    enum Kind: String, Codable, Sendable {
      case none
      case read
      case write
      case readDMA
      case writeDMA
      case flush
      case trimDMA
      /// A block in the buffer that no sector stands behind: IDENTIFY, SMART data.
      case reply
    }
    var kind = Kind.none
    var lba: UInt64 = 0
    /// Sectors not yet handed to the host.
    var remaining = 0
    /// Sectors an interrupt and a data request are for.
    var blockSectors = 1
    /// Sectors in the buffer that the guest has not yet read.
    var buffered = 0
    /// Bytes of the DMA request under way, and whether it goes through the buffer.
    var dmaByteCount = 0
    var isBounced = false
    /// The next entry of a TRIM list.
    var trimEntry = 0
    var usesLBA48 = false
    /// What is written must be on stable storage when the command ends: FUA, or the write cache is off.
    var isDurable = false
  }

  private(set) var transfer = Transfer()
  private var geometry: DiskGeometry
  /// The geometry INITIALIZE DEVICE PARAMETERS set, by which CHS addresses count.
  private var logical: DiskGeometry
  private var multipleCount = 0
  private var transferMode: UInt8 = 0x42
  private var isWriteCacheEnabled = true
  private var isSMARTEnabled = true
  private var isAsleep = false
  private var sectorCount: UInt64

  /// The most sectors READ and WRITE MULTIPLE move at once.
  private static let maximumMultiple = 16

  override init(drive: Drive, unit: Int, channel: any IDEChannelPort, trace: TraceCategory) {
    sectorCount = (drive.medium?.byteCount ?? 0) / 512
    geometry = DiskGeometry(sectorCount: sectorCount)
    logical = geometry
    super.init(drive: drive, unit: unit, channel: channel, trace: trace)
    taskFile.error = 1
    putSignature()
    drive.observer = self
  }

  override func putSignature() {
    taskFile.sectorCount = 1
    taskFile.lbaLow = 1
    taskFile.lbaMid = 0
    taskFile.lbaHigh = 0
    taskFile.device = 0
    status = .idle
  }

  override func abandonTransfer() {
    transfer = Transfer()
    isAsleep = false
    multipleCount = 0
    logical = geometry
  }

  override func resetHardware() {
    super.resetHardware()
    transferMode = 0x42
    isWriteCacheEnabled = true
    isSMARTEnabled = true
  }

  // MARK: Commands

  override func execute(_ code: UInt8) {
    // Only a reset wakes a sleeping disk.
    guard !isAsleep, let command = ATACommand(rawValue: code) else { return abort() }
    taskFile.error = 0
    status.remove(.failed)
    switch command {
    case .readSectors, .readSectorsNoRetry: startPIO(.read, lba48: false, block: 1)
    case .readSectorsExt: startPIO(.read, lba48: true, block: 1)
    case .readMultiple: startMultiple(.read, lba48: false)
    case .readMultipleExt: startMultiple(.read, lba48: true)
    case .writeSectors, .writeSectorsNoRetry: startPIO(.write, lba48: false, block: 1)
    case .writeSectorsExt: startPIO(.write, lba48: true, block: 1)
    case .writeMultiple: startMultiple(.write, lba48: false)
    case .writeMultipleExt: startMultiple(.write, lba48: true)
    case .writeMultipleFUAExt: startMultiple(.write, lba48: true, isDurable: true)
    case .readDMA, .readDMANoRetry: startSectorDMA(.readDMA, lba48: false)
    case .readDMAExt: startSectorDMA(.readDMA, lba48: true)
    case .writeDMA, .writeDMANoRetry: startSectorDMA(.writeDMA, lba48: false)
    case .writeDMAExt: startSectorDMA(.writeDMA, lba48: true)
    case .writeDMAFUAExt: startSectorDMA(.writeDMA, lba48: true, isDurable: true)
    case .verify, .verifyNoRetry: if prepare(.none, lba48: false) { finish() }
    case .verifyExt: if prepare(.none, lba48: true) { finish() }
    case .seek: if prepareSeek() { finish() }
    case .recalibrate: finish()
    case .flushCache, .flushCacheExt: flush()
    case .dataSetManagement: startTrim()
    case .identifyDevice: reply { identify(in: $0) }
    case .setFeatures: setFeatures()
    case .setMultiple: setMultiple()
    case .initializeParameters: initializeParameters()
    case .readNativeMax: readNativeMax(lba48: false)
    case .readNativeMaxExt: readNativeMax(lba48: true)
    case .smart: smart()
    case .standby, .standbyOld, .standbyImmediate, .standbyImmediateOld, .idle, .idleOld, .idleImmediate,
      .idleImmediateOld:
      finish()
    case .checkPowerMode, .checkPowerModeOld:
      // Active or idle.
      taskFile.sectorCount = 0xFF
      finish()
    case .sleep, .sleepOld:
      isAsleep = true
      finish()
    default: abort()
    }
  }

  /// The command ended well.
  private func finish() {
    endCommand()
    raiseInterrupt()
  }

  private func endCommand() {
    transfer = Transfer()
    status.remove(.underWay)
    status.remove(.error)
    status.insert(.idle)
  }

  private func abort() { fail(ATAError.aborted) }

  private func fail(_ error: UInt8) {
    transfer = Transfer()
    wantsDMA = false
    taskFile.error = error
    status.remove(.underWay)
    status.insert(.idle)
    status.insert(.error)
    raiseInterrupt()
  }

  // MARK: Addresses

  /// Reads address and count from the task file; fails the command if they are not on the disk.
  private func prepare(_ kind: Transfer.Kind, lba48: Bool) -> Bool {
    let file = taskFile
    var lba: UInt64
    var count: Int
    if lba48 {
      lba = UInt64(file.lbaLow & 0xFF) | UInt64(file.lbaMid & 0xFF) << 8 | UInt64(file.lbaHigh & 0xFF) << 16
      lba |= UInt64(file.lbaLow >> 8) << 24 | UInt64(file.lbaMid >> 8) << 32 | UInt64(file.lbaHigh >> 8) << 40
      count = file.sectorCount == 0 ? 65536 : Int(file.sectorCount)
    } else {
      count = file.sectorCount & 0xFF == 0 ? 256 : Int(file.sectorCount & 0xFF)
      let low = UInt64(file.lbaLow & 0xFF)
      let middle = UInt64(file.lbaMid & 0xFF) | UInt64(file.lbaHigh & 0xFF) << 8
      if file.device & DeviceRegister.lba != 0 {
        lba = low | middle << 8 | UInt64(file.device & 0x0F) << 24
      } else {
        let head = UInt64(file.device & 0x0F)
        guard low >= 1, low <= logical.sectors, head < logical.heads, middle < logical.cylinders else {
          fail(ATAError.idNotFound)
          return false
        }
        lba = (middle * UInt64(logical.heads) + head) * UInt64(logical.sectors) + low - 1
      }
    }
    guard lba < sectorCount, UInt64(count) <= sectorCount - lba else {
      fail(ATAError.idNotFound)
      return false
    }
    transfer = Transfer(kind: kind, lba: lba, remaining: count, usesLBA48: lba48)
    return true
  }

  /// SEEK has an address and no count.
  private func prepareSeek() -> Bool {
    let count = taskFile.sectorCount
    taskFile.sectorCount = 1
    defer { taskFile.sectorCount = count }
    return prepare(.none, lba48: false)
  }

  /// Puts the address of a sector into the task file, where errors and the end of a command tell it.
  private func tell(lba: UInt64) {
    if transfer.usesLBA48 {
      taskFile.lbaLow = UInt16(lba & 0xFF) | UInt16(truncatingIfNeeded: lba >> 24 & 0xFF) << 8
      taskFile.lbaMid = UInt16(lba >> 8 & 0xFF) | UInt16(truncatingIfNeeded: lba >> 32 & 0xFF) << 8
      taskFile.lbaHigh = UInt16(lba >> 16 & 0xFF) | UInt16(truncatingIfNeeded: lba >> 40 & 0xFF) << 8
    } else if taskFile.device & DeviceRegister.lba != 0 {
      taskFile.lbaLow = UInt16(lba & 0xFF)
      taskFile.lbaMid = UInt16(lba >> 8 & 0xFF)
      taskFile.lbaHigh = UInt16(lba >> 16 & 0xFF)
      taskFile.device = taskFile.device & 0xF0 | UInt8(lba >> 24 & 0x0F)
    } else {
      let track = lba / UInt64(logical.sectors)
      let cylinder = track / UInt64(logical.heads)
      taskFile.lbaLow = UInt16(truncatingIfNeeded: lba % UInt64(logical.sectors) + 1)
      taskFile.lbaMid = UInt16(cylinder & 0xFF)
      taskFile.lbaHigh = UInt16(cylinder >> 8 & 0xFF)
      taskFile.device =
        taskFile.device & 0xF0 | UInt8(truncatingIfNeeded: track % UInt64(logical.heads)) & 0x0F
    }
  }

  // MARK: PIO

  private func startMultiple(_ kind: Transfer.Kind, lba48: Bool, isDurable: Bool = false) {
    guard multipleCount > 0 else { return abort() }
    startPIO(kind, lba48: lba48, block: multipleCount, isDurable: isDurable)
  }

  private func startPIO(_ kind: Transfer.Kind, lba48: Bool, block: Int, isDurable: Bool = false) {
    guard prepare(kind, lba48: lba48) else { return }
    transfer.blockSectors = block
    transfer.isDurable = isDurable || !isWriteCacheEnabled
    if kind == .read {
      fillBuffer()
    } else {
      guard drive.medium?.isReadOnly != true else { return abort() }
      // The first block is asked for without an interrupt.
      openDataPort(count: min(block, transfer.remaining) * 512, isToHost: false)
    }
  }

  /// Reads ahead as much as the buffer holds.
  private func fillBuffer() {
    let count = min(transfer.remaining, Self.bufferByteCount / 512)
    submitBuffer(.read, offset: transfer.lba * 512, count: count * 512)
  }

  private func offerBlock() {
    let count = min(transfer.blockSectors, transfer.buffered)
    let position = pio.end
    openDataPort(count: position + count * 512, isToHost: true)
    pio.position = position
    raiseInterrupt()
  }

  override func blockDone() {
    switch transfer.kind {
    case .read:
      transfer.buffered -= min(transfer.blockSectors, transfer.buffered)
      if transfer.buffered > 0 { return offerBlock() }
      if transfer.remaining > 0 { return fillBuffer() }
      tell(lba: transfer.lba &- 1)
      // The end of a PIO read is not told by an interrupt.
      transfer = Transfer()
      status.remove(.dataRequest)
    case .write:
      submitBuffer(.write, offset: transfer.lba * 512, count: pio.end)
    default:
      transfer = Transfer()
      status.remove(.dataRequest)
    }
  }

  /// A block of 512 bytes that the disk itself makes.
  private func reply(_ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    buffer.prefix(512).initializeMemory(as: UInt8.self, repeating: 0)
    fill(buffer)
    transfer = Transfer(kind: .reply)
    openDataPort(count: 512, isToHost: true)
    raiseInterrupt()
  }

  // MARK: DMA

  private func startSectorDMA(_ kind: Transfer.Kind, lba48: Bool, isDurable: Bool = false) {
    guard prepare(kind, lba48: lba48) else { return }
    transfer.isDurable = isDurable || !isWriteCacheEnabled
    if kind == .writeDMA && drive.medium?.isReadOnly == true { return abort() }
    waitForBusMaster()
  }

  private func waitForBusMaster() {
    status.insert(.dataRequest)
    // A packet device and a disk both wait here for the bus master's start bit.
    pio = PIO()
    wantsDMA = true
    channel.deviceWantsDMA(self)
  }

  override func startDMA() {
    let isRead = transfer.kind == .readDMA
    guard isRead || transfer.kind == .writeDMA || transfer.kind == .trimDMA else { return abort() }
    guard channel.busMaster.isToMemory == isRead else { return dmaFault() }
    if transfer.kind == .trimDMA { return receiveTrimList() }
    let bytes = transfer.remaining * 512
    switch channel.busMaster.gather(into: request, count: bytes, for: isRead ? .write : .read) {
    case .complete:
      transfer.dmaByteCount = bytes
      transfer.isBounced = false
      submit(isRead ? .read : .write, offset: transfer.lba * 512)
    case .fault: dmaFault()
    case .short, .tooManyPieces: bounceDMA()
    }
  }

  /// Moves the next part of a transfer through the buffer: for tables of very many pieces, and for short ones.
  private func bounceDMA() {
    let bytes = min(transfer.remaining * 512, Self.bufferByteCount)
    transfer.isBounced = true
    transfer.dmaByteCount = bytes
    if transfer.kind == .readDMA { return submitBuffer(.read, offset: transfer.lba * 512, count: bytes) }
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes])
    let (outcome, count) = channel.busMaster.copy(part, toMemory: false)
    switch outcome {
    case .fault, .tooManyPieces: dmaFault()
    case .complete: submitBuffer(.write, offset: transfer.lba * 512, count: bytes)
    case .short:
      // Whole sectors that arrived are written; the rest never comes.
      transfer.dmaByteCount = count / 512 * 512
      if transfer.dmaByteCount == 0 { return tableEnded() }
      submitBuffer(.write, offset: transfer.lba * 512, count: transfer.dmaByteCount)
    }
  }

  /// The table was too short: the engine stops without an interrupt (BMIDE 1.0, section 3.1), and the disk gives the
  /// command up, as QEMU's does.
  private func tableEnded() {
    channel.busMaster.status &= ~BusMasterStatus.active
    endCommand()
  }

  /// The data go nowhere, and the table is not looked at.
  override func readWithoutBusMaster() -> Bool {
    guard transfer.kind == .readDMA else { return false }
    finish()
    return true
  }

  private func dmaFault() {
    channel.busMaster.status |= BusMasterStatus.error
    channel.busMaster.status &= ~BusMasterStatus.active
    abort()
  }

  private func finishDMA() {
    // Active stays on if the table has more (BMIDE 1.0, section 3.1).
    if channel.busMaster.isAtEnd { channel.busMaster.status &= ~BusMasterStatus.active }
    finishTransfer()
  }

  /// All sectors have been moved.
  private func finishTransfer() {
    tell(lba: transfer.lba &- 1)
    let isWrite = transfer.kind == .write || transfer.kind == .writeDMA
    if isWrite && transfer.isDurable { flush() } else { finish() }
  }

  private func dmaPartDone() {
    var isShort = false
    if transfer.isBounced && transfer.kind == .readDMA {
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<transfer.dmaByteCount])
      switch channel.busMaster.copy(part, toMemory: true).0 {
      case .complete: break
      case .short: isShort = true
      case .fault, .tooManyPieces: return dmaFault()
      }
    }
    let sectors = transfer.dmaByteCount / 512
    transfer.lba += UInt64(sectors)
    transfer.remaining -= min(sectors, transfer.remaining)
    if isShort { return tableEnded() }
    if transfer.remaining == 0 { return finishDMA() }
    if channel.busMaster.isAtEnd { return tableEnded() }
    bounceDMA()
  }

  override var isTransferringByDMA: Bool {
    request.isInFlight && (transfer.kind == .readDMA || transfer.kind == .writeDMA)
  }

  // MARK: Completion

  override func requestDone(_ result: BlockResult) {
    guard result == .success else { return requestFailed(result) }
    switch transfer.kind {
    case .read:
      let count = request.segmentByteCount / 512
      transfer.buffered = count
      transfer.lba += UInt64(count)
      transfer.remaining -= min(count, transfer.remaining)
      pio.end = 0
      offerBlock()
    case .write:
      let count = request.segmentByteCount / 512
      transfer.lba += UInt64(count)
      transfer.remaining -= min(count, transfer.remaining)
      if transfer.remaining == 0 { return finishTransfer() }
      openDataPort(count: min(transfer.blockSectors, transfer.remaining) * 512, isToHost: false)
      raiseInterrupt()
    case .readDMA, .writeDMA: dmaPartDone()
    case .flush: finish()
    case .trimDMA: trimNext()
    case .none, .reply: break
    }
  }

  private func requestFailed(_ result: BlockResult) {
    let isRead = transfer.kind == .read || transfer.kind == .readDMA
    trace("ide disk \(unit): \(transfer.kind.rawValue) at \(transfer.lba) failed: \(result)")
    // A flush does not know which sector it was.
    if transfer.kind != .flush { tell(lba: transfer.lba) }
    if transfer.kind == .readDMA || transfer.kind == .writeDMA || transfer.kind == .trimDMA {
      channel.busMaster.status &= ~BusMasterStatus.active
    }
    if !isRead { status.insert(.deviceFault) }
    fail(isRead ? ATAError.uncorrectable : ATAError.aborted)
  }

  override func reissue() {
    mustReissue = false
    switch transfer.kind {
    case .read: fillBuffer()
    case .write: submitBuffer(.write, offset: transfer.lba * 512, count: pio.end)
    case .readDMA, .writeDMA:
      if transfer.isBounced {
        submitBuffer(
          transfer.kind == .readDMA ? .read : .write, offset: transfer.lba * 512, count: transfer.dmaByteCount
        )
      } else {
        channel.busMaster.rewind()
        startDMA()
      }
    case .flush: flush()
    case .trimDMA:
      // The entry that was under way comes first.
      transfer.trimEntry -= min(transfer.trimEntry, 1)
      trimNext()
    case .none, .reply: break
    }
  }

  private func flush() {
    transfer = Transfer(kind: .flush)
    request.removeSegments()
    submit(.flush, offset: 0)
  }

  // MARK: TRIM (ATA8-ACS, DATA SET MANAGEMENT)

  private func startTrim() {
    guard taskFile.features & 1 != 0, drive.medium?.isReadOnly == false else { return abort() }
    // IDENTIFY says that lists are no longer than this: the upper byte has nothing to say, and drivers that write the lower
    // one only, as QEMU's tests do, are understood.
    let blocks = Int(taskFile.sectorCount & 0xFF)
    guard blocks > 0, blocks <= Self.maximumTrimBlocks else { return abort() }
    transfer = Transfer(kind: .trimDMA, remaining: blocks)
    waitForBusMaster()
  }

  private static let maximumTrimBlocks = 8

  private func receiveTrimList() {
    let bytes = transfer.remaining * 512
    let list = UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes])
    guard channel.busMaster.copy(list, toMemory: false).0 == .complete else { return dmaFault() }
    transfer.dmaByteCount = bytes
    trimNext()
  }

  /// Discards the next range of the list: 48 bits of address and 16 of count an entry.
  private func trimNext() {
    while transfer.trimEntry * 8 + 8 <= transfer.dmaByteCount {
      let entry = UInt64(
        littleEndian: buffer.loadUnaligned(fromByteOffset: transfer.trimEntry * 8, as: UInt64.self))
      transfer.trimEntry += 1
      let (lba, count) = (entry & 0xFFFF_FFFF_FFFF, entry >> 48)
      guard count > 0 else { continue }
      guard lba < sectorCount, count <= sectorCount - lba else {
        channel.busMaster.status &= ~BusMasterStatus.active
        return fail(ATAError.idNotFound | ATAError.aborted)
      }
      request.removeSegments()
      request.byteCount = count * 512
      return submit(.discard, offset: lba * 512)
    }
    finishTrim()
  }

  private func finishTrim() {
    if channel.busMaster.isAtEnd { channel.busMaster.status &= ~BusMasterStatus.active }
    finish()
  }

  // MARK: Settings

  private func setFeatures() {
    switch UInt8(truncatingIfNeeded: taskFile.features) {
    case ATAFeature.enableWriteCache: isWriteCacheEnabled = true
    case ATAFeature.disableWriteCache:
      isWriteCacheEnabled = false
      return flush()
    case ATAFeature.setTransferMode:
      let mode = UInt8(truncatingIfNeeded: taskFile.sectorCount)
      // PIO default and flow control up to mode 4, multiword DMA 0…2, Ultra DMA 0…5.
      switch mode >> 3 {
      case 0: guard mode & 7 <= 1 else { return abort() }
      case 1: guard mode & 7 <= 4 else { return abort() }
      case 4: guard mode & 7 <= 2 else { return abort() }
      case 8: guard mode & 7 <= 5 else { return abort() }
      default: return abort()
      }
      if mode >> 3 >= 4 { transferMode = mode }
    case ATAFeature.enableReadLookAhead, ATAFeature.disableReadLookAhead, ATAFeature.enableReverting,
      ATAFeature.disableReverting, ATAFeature.enableAPM, ATAFeature.disableAPM:
      break
    default: return abort()
    }
    finish()
  }

  private func setMultiple() {
    let count = Int(taskFile.sectorCount & 0xFF)
    guard count <= Self.maximumMultiple, count & (count - 1) == 0 || count == 0 else { return abort() }
    multipleCount = count
    finish()
  }

  private func initializeParameters() {
    let sectors = taskFile.sectorCount & 0xFF
    let heads = UInt16(taskFile.device & 0x0F) + 1
    guard sectors > 0 else { return abort() }
    let cylinders = min(max(sectorCount / (UInt64(heads) * UInt64(sectors)), 1), 65535)
    logical.heads = heads
    logical.sectors = sectors
    logical.cylinders = UInt16(cylinders)
    finish()
  }

  private func readNativeMax(lba48: Bool) {
    var last = sectorCount &- 1
    if !lba48 {
      last = min(last, 0x0FFF_FFFF)
      taskFile.device |= DeviceRegister.lba
    }
    transfer.usesLBA48 = lba48
    tell(lba: last)
    finish()
  }

  // MARK: SMART

  private func smart() {
    guard taskFile.lbaMid & 0xFF == SMARTFeature.keyMid, taskFile.lbaHigh & 0xFF == SMARTFeature.keyHigh
    else {
      return abort()
    }
    let feature = UInt8(truncatingIfNeeded: taskFile.features)
    if feature == SMARTFeature.enable || feature == SMARTFeature.disable {
      isSMARTEnabled = feature == SMARTFeature.enable
      return finish()
    }
    guard isSMARTEnabled else { return abort() }
    switch feature {
    case SMARTFeature.readData: reply { SMARTData.data(in: $0) }
    case SMARTFeature.readThresholds: reply { SMARTData.thresholds(in: $0) }
    case SMARTFeature.readLog:
      // The directory of logs, which names none, and nothing else.
      guard taskFile.lbaLow & 0xFF <= 1 else { return abort() }
      reply { SMARTData.log(Int(taskFile.lbaLow & 0xFF), in: $0) }
    case SMARTFeature.attributeAutosave, SMARTFeature.executeOffline: finish()
    // The key unchanged means that no threshold was passed.
    case SMARTFeature.returnStatus: finish()
    default: abort()
    }
  }

  // MARK: IDENTIFY DEVICE (ATA/ATAPI-6, section 8.15)

  private func identify(in buffer: UnsafeMutableRawBufferPointer) {
    let data = IdentifyData(in: buffer)
    data[0] = 0x0040
    data[1] = geometry.cylinders
    data[3] = geometry.heads
    data[6] = geometry.sectors
    data.setText(drive.serial, words: 10...19)
    data.setText(drive.firmwareVersion, words: 23...26)
    data.setText("MARTLET HARDDISK", words: 27...46)
    data[47] = 0x8000 | UInt16(Self.maximumMultiple)
    data[48] = 1
    // Standby timers, IORDY, LBA, DMA.
    data[49] = 0x2000 | 0x0800 | 0x0200 | 0x0100
    data[51] = 0x0200
    data[53] = 7
    data[54] = logical.cylinders
    data[55] = logical.heads
    data[56] = logical.sectors
    data.setNumber(logical.capacity, words: 57...58)
    data[59] = multipleCount > 0 ? 0x0100 | UInt16(multipleCount) : 0
    data.setNumber(min(sectorCount, 0x0FFF_FFFF), words: 60...61)
    data[63] = 0x07 | (transferMode >> 3 == 4 ? 1 << (8 + UInt16(transferMode & 7)) : 0)
    data[64] = 3
    for word in 65...68 { data[word] = 120 }
    // TRIM gives back zeroes only as the host does, so that is not promised.
    data[80] = 0x007E
    data[81] = 0x0019
    // NOP, write cache, power management, SMART.
    data[82] = 0x4000 | 0x0020 | 0x0008 | 0x0001
    // FLUSH CACHE (EXT), 48-bit addresses.
    data[83] = 0x4000 | 0x3000 | 0x0400
    // FUA.
    data[84] = 0x4000 | 0x0040
    data[85] = 0x4000 | (isWriteCacheEnabled ? 0x0020 : 0) | 0x0008 | (isSMARTEnabled ? 1 : 0)
    data[86] = 0x3000 | 0x0400
    data[87] = 0x4000 | 0x0040
    data[88] = 0x3F | (transferMode >> 3 == 8 ? 1 << (8 + UInt16(transferMode & 7)) : 0)
    // An 80-conductor cable, and which device this is.
    data[93] = 0x6000 | (unit == 0 ? 0x0001 : 0x0100)
    data.setNumber(sectorCount, words: 100...103)
    if drive.medium?.canDiscard == true {
      data[105] = UInt16(Self.maximumTrimBlocks)
      data[169] = 1
    }
    data[106] = 0x4000
    data[217] = 1
    data.seal()
  }

  // MARK: State

  /// Everything the disk keeps.
  struct State: Codable, Equatable, Sendable {
    var registers: IDEDeviceRegisters
    var transfer: Transfer
    var logical: DiskGeometry
    var multipleCount: Int
    var transferMode: UInt8
    var isWriteCacheEnabled: Bool
    var isSMARTEnabled: Bool
    var isAsleep: Bool
  }

  func save() -> State {
    State(
      registers: saveRegisters(), transfer: transfer, logical: logical, multipleCount: multipleCount,
      transferMode: transferMode, isWriteCacheEnabled: isWriteCacheEnabled, isSMARTEnabled: isSMARTEnabled,
      isAsleep: isAsleep)
  }

  /// Whether a transfer is one this disk may be in the middle of: what it goes on with lies on the medium, in the buffer.
  private func isPossible(_ transfer: Transfer, _ registers: IDEDeviceRegisters) -> Bool {
    guard transfer.lba <= sectorCount, (0...65536).contains(transfer.remaining),
      UInt64(transfer.remaining) <= sectorCount - transfer.lba,
      (1...Self.maximumMultiple).contains(transfer.blockSectors),
      (0...Self.bufferByteCount / 512).contains(transfer.buffered),
      (0...65536 * 512).contains(transfer.dmaByteCount),
      !transfer.isBounced || transfer.dmaByteCount <= Self.bufferByteCount,
      transfer.kind != .trimDMA
        || transfer.dmaByteCount <= Self.maximumTrimBlocks * 512
          && transfer.remaining <= Self.maximumTrimBlocks,
      (0...Self.maximumTrimBlocks * 64).contains(transfer.trimEntry)
    else { return false }
    // Something left to move by a transfer under way, and whole sectors of it.
    switch transfer.kind {
    case .write:
      return registers.end > 0 && registers.end % 512 == 0 && registers.end <= transfer.remaining * 512
    case .read: return transfer.remaining > 0 || !registers.isWaiting
    case .readDMA, .writeDMA:
      return transfer.remaining > 0
        && (!transfer.isBounced || transfer.dmaByteCount > 0 && transfer.dmaByteCount % 512 == 0)
    case .none, .reply, .flush, .trimDMA: return true
    }
  }

  func restore(_ state: State) throws(RestoreError) {
    guard isPossible(state.transfer, state.registers),
      (0...Self.maximumMultiple).contains(state.multipleCount),
      (1...16).contains(state.logical.heads), (1...255).contains(state.logical.sectors)
    else { throw RestoreError("ide disk \(unit): the state holds a transfer that this disk cannot have") }
    try restoreRegisters(state.registers)
    transfer = state.transfer
    logical = state.logical
    multipleCount = state.multipleCount
    transferMode = state.transferMode
    isWriteCacheEnabled = state.isWriteCacheEnabled
    isSMARTEnabled = state.isSMARTEnabled
    isAsleep = state.isAsleep
  }
}

// MARK: - What happens outside

extension ATADisk: DriveMediumObserver {
  func driveMediumChanged(_ drive: Drive) {}
  func driveTrayMoved(_ drive: Drive) {}
  func driveEjectRequested(_ drive: Drive) {}

  /// The next IDENTIFY DEVICE tells; the geometry stays as the firmware knows it.
  func driveResized(_ drive: Drive) { sectorCount = (drive.medium?.byteCount ?? 0) / 512 }
}
