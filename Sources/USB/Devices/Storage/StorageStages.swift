// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import SCSI

// The stages of a command: wrapper, data, status (Bulk-Only Transport 1.0 section 5). A transfer that cannot be finished
// yet stays with us and is served again when the drive has done something; positions move when it ends.

extension USBStorage {
  /// A transfer to the host.
  func serveIn(_ transfer: USBTransfer) -> USBResult {
    switch transport.stage {
    case .dataIn: serveData(transfer)
    case .status: serveStatus(transfer)
    case .command, .dataOut, .broken: .stall
    }
  }

  /// A transfer from the host.
  func serveOut(_ transfer: USBTransfer) -> USBResult {
    switch transport.stage {
    case .command: takeCommand(transfer)
    case .dataOut: takeData(transfer)
    case .dataIn, .status, .broken: .stall
    }
  }

  // MARK: The command (section 6.6)

  private func takeCommand(_ transfer: USBTransfer) -> USBResult {
    guard transfer.byteCount == BulkOnlyTransport.commandByteCount else {
      transport.stage = .broken
      return .stall
    }
    return withUnsafeTemporaryAllocation(byteCount: 48, alignment: 8) { wrapper in
      wrapper.initializeMemory(as: UInt8.self, repeating: 0)
      transfer.read(
        into: UnsafeMutableRawBufferPointer(rebasing: wrapper[..<BulkOnlyTransport.commandByteCount]))
      let signature = UInt32(littleEndian: wrapper.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
      let commandCount = Int(wrapper[14])
      guard signature == BulkOnlyTransport.commandSignature, wrapper[13] & 0xF0 == 0, 1...16 ~= commandCount
      else {
        transport.stage = .broken
        return .stall
      }
      transport = StorageTransport()
      transport.tag = wrapper.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
      transport.hostByteCount = UInt64(
        UInt32(littleEndian: wrapper.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
      windowCount = 0
      windowStart = 0
      // What is beyond the command's length is zero.
      for index in (15 + commandCount)..<31 { wrapper[index] = 0 }
      let command = UnsafeRawBufferPointer(rebasing: wrapper[15..<31])
      begin(unit.begin(command, unit: wrapper[13]), hostReads: wrapper[12] & 0x80 != 0)
      return .success
    }
  }

  private func begin(_ action: SCSIAction, hostReads: Bool) {
    var deviceSends = false
    switch action {
    case .good: break
    case .failed: transport.status = .failed
    case .reply(let count):
      (transport.source, transport.deviceByteCount, deviceSends) = (.reply, UInt64(count), true)
    case .parameters(let count):
      (transport.source, transport.deviceByteCount) = (
        .parameters, UInt64(min(count, SCSIDisk.parameterByteCount))
      )
    case .read(let offset, let byteCount):
      (transport.source, transport.deviceByteCount, deviceSends) = (.medium, byteCount, true)
      transport.mediumOffset = offset
    case .write(let offset, let byteCount, let isDurable):
      (transport.source, transport.deviceByteCount) = (.medium, byteCount)
      transport.mediumOffset = offset
      transport.mustFlush = isDurable
    case .flush: transport.mustFlush = true
    }
    // The thirteen cases of section 6.7: directions that differ, and a host that wants less of the medium.
    let isContrary =
      transport.deviceByteCount > 0 && (transport.hostByteCount == 0 || deviceSends != hostReads)
    let isTooLong = transport.source == .medium && transport.deviceByteCount > transport.hostByteCount
    if isContrary || isTooLong {
      transport.status = .phaseError
      (transport.source, transport.deviceByteCount) = (.none, 0)
    }
    if transport.hostByteCount == 0 {
      enterStatus()
    } else {
      transport.stage = hostReads ? .dataIn : .dataOut
      if transport.source == .medium && hostReads { readAhead() }
    }
  }

  // MARK: Data to the host

  private func serveData(_ transfer: USBTransfer) -> USBResult {
    while true {
      let position = transport.position &+ UInt64(transfer.doneCount)
      guard transfer.doneCount < transfer.byteCount, position < transport.hostByteCount else { break }
      if position >= transport.deviceByteCount {
        pad(transfer, atMost: transport.hostByteCount &- position)
      } else if transport.source == .reply {
        let end = Int(min(transport.deviceByteCount, transport.hostByteCount))
        transfer.write(UnsafeRawBufferPointer(rebasing: unit.reply[Int(position)..<end]))
      } else if !isBusy, windowStart..<(windowStart &+ UInt64(windowCount)) ~= position {
        transfer.write(
          UnsafeRawBufferPointer(rebasing: buffer[Int(position &- windowStart)..<windowCount]))
      } else {
        if !isBusy { read(from: position) }
        if isBusy { return .pending }
      }
    }
    transport.position &+= UInt64(transfer.doneCount)
    if transport.position >= transport.hostByteCount { enterStatus() } else { readAhead() }
    return .success
  }

  private func pad(_ transfer: USBTransfer, atMost count: UInt64) {
    withUnsafeTemporaryAllocation(byteCount: 512, alignment: 8) { zeroes in
      zeroes.initializeMemory(as: UInt8.self, repeating: 0)
      var left = count
      while left > 0, transfer.doneCount < transfer.byteCount {
        let moved = transfer.write(UnsafeRawBufferPointer(rebasing: zeroes[..<Int(min(left, 512))]))
        guard moved > 0 else { return }
        left &-= UInt64(moved)
      }
    }
  }

  /// Fills the buffer from the block that holds that position on.
  private func read(from position: UInt64) {
    windowStart = position & ~(SCSIDisk.blockByteCount &- 1)
    windowCount = 0
    start(
      .read, offset: transport.mediumOffset &+ windowStart,
      count: min(transport.deviceByteCount &- windowStart, UInt64(buffer.count)))
  }

  /// Reads what comes next while the host is busy with what it has.
  private func readAhead() {
    guard transport.source == .medium, !isBusy, transport.position < transport.deviceByteCount,
      transport.position >= windowStart &+ UInt64(windowCount)
    else { return }
    read(from: transport.position)
  }

  // MARK: Data from the host

  private func takeData(_ transfer: USBTransfer) -> USBResult {
    if !isBusy {
      // What was gathered of a transfer that was taken back is not data.
      let reached = transport.position &+ UInt64(transfer.doneCount)
      windowCount = reached <= windowStart ? 0 : min(windowCount, Int(clamping: reached &- windowStart))
    }
    while true {
      let position = transport.position &+ UInt64(transfer.doneCount)
      let left = transport.hostByteCount &- min(position, transport.hostByteCount)
      if isBusy { return .pending }
      if isFull(at: position) {
        write()
        continue
      }
      guard transfer.doneCount < transfer.byteCount, left > 0 else { break }
      if position >= transport.deviceByteCount {
        transfer.skip(Int(min(left, UInt64(transfer.byteCount &- transfer.doneCount))))
      } else if position < windowStart {
        // Written already, before the transfer was taken back.
        transfer.skip(Int(clamping: windowStart &- position))
      } else {
        let room = min(UInt64(buffer.count &- windowCount), min(transport.deviceByteCount &- position, left))
        windowCount &+= transfer.read(
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[windowCount..<(windowCount &+ Int(room))]))
      }
    }
    transport.position &+= UInt64(transfer.doneCount)
    if transport.position >= transport.hostByteCount { enterStatus() }
    return .success
  }

  /// Whether what was gathered is to be written: the buffer has no room, or nothing more comes.
  private func isFull(at position: UInt64) -> Bool {
    guard transport.source == .medium, windowCount > 0 else { return false }
    return windowCount == buffer.count || position >= transport.deviceByteCount
  }

  private func write() {
    start(.write, offset: transport.mediumOffset &+ windowStart, count: UInt64(windowCount))
  }

  // MARK: The status

  private func enterStatus() {
    transport.stage = .status
    if transport.source == .parameters, transport.position >= transport.deviceByteCount {
      let count = min(windowCount, Int(clamping: transport.deviceByteCount))
      let (action, ranges) = unit.finish(parameters: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      if action == .failed { transport.status = .failed }
      transport.discards = ranges.map { StorageTransport.Range(offset: $0.offset, byteCount: $0.byteCount) }
    }
    goOn()
  }

  /// Does what must be done before the status is told.
  func goOn() {
    guard transport.stage == .status else { return }
    while !isBusy {
      if let range = transport.discards.first {
        start(.discard, offset: range.offset, count: range.byteCount)
      } else if transport.mustFlush {
        start(.flush, offset: 0, count: 0)
      } else {
        return
      }
    }
  }

  /// The drive has done what it was asked to.
  func requestDone(_ operation: BlockOperation, _ result: BlockResult, count: Int) {
    let isGood = result == .success
    switch operation {
    case .read:
      windowCount = isGood ? count : 0
      if !isGood { failData(.unrecoveredRead, at: windowStart) }
    case .write:
      if !isGood { failData(.writeFault, at: windowStart) }
      windowStart &+= UInt64(windowCount)
      windowCount = 0
    case .flush:
      transport.mustFlush = false
      if !isGood { failData(.writeFault, at: transport.deviceByteCount) }
    case .discard, .writeZeroes:
      // A discard is advice.
      if !transport.discards.isEmpty { transport.discards.removeFirst() }
    }
  }

  /// The data ends there; the status tells that the command failed.
  private func failData(_ reason: SCSISense, at position: UInt64) {
    _ = unit.fail(reason)
    transport.status = .failed
    transport.deviceByteCount = min(transport.deviceByteCount, position)
  }

  /// Section 5.2.
  private func serveStatus(_ transfer: USBTransfer) -> USBResult {
    goOn()
    if isBusy { return .pending }
    guard transfer.byteCount >= BulkOnlyTransport.statusByteCount else { return .babble }
    let residue = transport.hostByteCount &- min(transport.deviceByteCount, transport.hostByteCount)
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { wrapper in
      wrapper.storeBytes(of: BulkOnlyTransport.statusSignature.littleEndian, as: UInt32.self)
      wrapper.storeBytes(of: transport.tag, toByteOffset: 4, as: UInt32.self)
      wrapper.storeBytes(
        of: UInt32(truncatingIfNeeded: residue).littleEndian, toByteOffset: 8, as: UInt32.self)
      wrapper[12] = transport.status.rawValue
      transfer.write(UnsafeRawBufferPointer(rebasing: wrapper[..<BulkOnlyTransport.statusByteCount]))
    }
    transport = StorageTransport()
    return .success
  }
}
