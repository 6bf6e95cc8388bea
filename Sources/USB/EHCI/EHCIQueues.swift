// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Queue heads and their transfer descriptors (EHCI 1.0, section 4.10).
extension EHCI {
  /// Does what there is to do in a queue, until it has to wait or has no more.
  func runQueue(at address: UInt32, _ walk: inout Walk) {
    while isRunning && walk.bytes > 0 && walk.links > 0 {
      walk.links -= 1
      guard var queue = loadQueue(address) else { return haltForSystemError() }
      if let slot = transfers.slot(ofQueue: address) {
        if isCurrent(transfers.slots[slot], in: queue) {
          transfers.slots[slot].lastSeen = walk.now
          return
        }
        transfers.cancel(slot)
      }
      if queue.token.isHalted { return }
      if !queue.token.isActive {
        guard advance(&queue, at: address) else { return }
      }
      guard execute(&queue, at: address, &walk) else { return }
    }
  }

  private func isCurrent(_ slot: USBTransferSlots.Slot, in queue: EHCIQueueHead) -> Bool {
    slot.descriptor == queue.current && slot.token == queue.token.rawValue
  }

  /// Brings the next transfer descriptor into the overlay (section 4.10.2).
  /// - Returns: whether there was one.
  private func advance(_ queue: inout EHCIQueueHead, at address: UInt32) -> Bool {
    let isShort = queue.token.byteCount > 0
    let link = isShort && !queue.alternate.isTerminated ? queue.alternate : queue.next
    guard !link.isTerminated else { return false }
    var descriptor = EHCITransferDescriptor()
    let isRead = withUnsafeMutableBytes(of: &descriptor.words) { bytes in
      memory.read(GuestAddress(link.address), into: bytes)
    }
    guard isRead else {
      haltForSystemError()
      return false
    }
    guard descriptor.token.isActive else { return false }
    let toggle = queue.token.rawValue & EHCIToken.toggle
    queue.current = link.address
    for index in 0..<8 { queue.words[4 + index] = descriptor.words[index] }
    if !queue.takesToggle {
      queue.token = EHCIToken(rawValue: descriptor.token.rawValue & ~EHCIToken.toggle | toggle)
    }
    // From the pointer to the current descriptor on.
    return store(queue, from: EHCIQueueHead.currentOffset, at: address)
  }

  /// Does what is in the overlay.
  /// - Returns: whether the queue may go on.
  private func execute(_ queue: inout EHCIQueueHead, at address: UInt32, _ walk: inout Walk) -> Bool {
    guard let token = queue.token.usbToken else {
      return finish(&queue, at: address, failure: EHCIToken.transactionError, &walk)
    }
    guard let device = device(at: queue.deviceAddress) else {
      return finish(&queue, at: address, .error, count: 0, &walk)
    }
    guard let slot = transfers.freeSlot() else { return false }
    let transfer = transfers.slots[slot].transfer
    transfer.begin(token, endpoint: queue.endpoint)
    guard append(queue, to: transfer) else {
      return finish(&queue, at: address, failure: EHCIToken.dataBufferError, &walk)
    }
    let result = transfer.submit(to: device)
    if result == .pending {
      transfers.keep(
        slot, descriptor: queue.current, token: queue.token.rawValue, queue: address, now: walk.now)
      return false
    }
    if transfer.hasMemoryFault {
      haltForSystemError()
      return false
    }
    return finish(
      &queue, at: address, result, count: transfer.movedByteCount, &walk)
  }

  /// The buffer: what is left of five pages.
  /// - Returns: false if it is not long enough.
  private func append(_ queue: EHCIQueueHead, to transfer: USBTransfer) -> Bool {
    var left = queue.token.byteCount
    guard left <= EHCIToken.byteLimit else { return false }
    var page = queue.token.page
    var offset = Int(queue.offset)
    while left > 0 {
      guard page < 5 else { return false }
      let count = min(left, 0x1000 - offset)
      guard transfer.append(GuestAddress(queue.page(page)) + offset, count: count) else { return false }
      left -= count
      page += 1
      offset = 0
    }
    return true
  }

  // MARK: Results

  /// Writes back how a transfer ended, into the queue head and the transfer descriptor.
  /// - Returns: whether the queue may go on.
  private func finish(
    _ queue: inout EHCIQueueHead, at address: UInt32, _ result: USBResult, count: Int, _ walk: inout Walk
  ) -> Bool {
    switch result {
    case .nak, .pending: return false
    case .success: return finish(&queue, at: address, count: count, &walk)
    case .stall: return finish(&queue, at: address, failure: 0, &walk)
    case .babble: return finish(&queue, at: address, failure: EHCIToken.babble, &walk)
    case .error:
      // CERR 0 is for trying for ever.
      guard queue.token.errorCount != 1 else {
        queue.token.errorCount = 0
        return finish(&queue, at: address, failure: EHCIToken.transactionError, &walk)
      }
      guard queue.token.errorCount > 0 else { return false }
      queue.token.errorCount -= 1
      walk.hasMoved = true
      _ = store(queue, from: EHCIQueueHead.tokenOffset, at: address)
      return false
    }
  }

  private func finish(
    _ queue: inout EHCIQueueHead, at address: UInt32, count: Int, _ walk: inout Walk
  ) -> Bool {
    let wanted = queue.token.byteCount
    let count = min(max(count, 0), wanted)
    let isShort = count < wanted && queue.token.usbToken == .in
    let end = Int(queue.offset) + count
    queue.token.page = min(queue.token.page + end / 0x1000, 7)
    queue.offset = UInt32(truncatingIfNeeded: end & 0xFFF)
    queue.token.byteCount = wanted - count
    let packetSize = max(1, Int(queue.maxPacketSize))
    if max(1, (count + packetSize - 1) / packetSize) & 1 != 0 { queue.token.rawValue ^= EHCIToken.toggle }
    queue.token.rawValue &= ~EHCIToken.active
    if isShort || queue.token.interruptsOnCompletion { walk.interrupts.insert(.interrupt) }
    return writeBack(queue, at: address, count: count, &walk)
  }

  /// The queue halts.
  private func finish(
    _ queue: inout EHCIQueueHead, at address: UInt32, failure: UInt32, _ walk: inout Walk
  ) -> Bool {
    queue.token.rawValue &= ~EHCIToken.active
    queue.token.rawValue |= EHCIToken.halted | failure
    walk.interrupts.insert(.errorInterrupt)
    if queue.token.interruptsOnCompletion { walk.interrupts.insert(.interrupt) }
    _ = writeBack(queue, at: address, count: 0, &walk)
    return false
  }

  private func writeBack(_ queue: EHCIQueueHead, at address: UInt32, count: Int, _ walk: inout Walk) -> Bool {
    walk.hasMoved = true
    walk.bytes -= count + 64
    visits.forget()
    guard
      memory.store(
        queue.token.rawValue, at: GuestAddress(queue.current) + UInt64(EHCITransferDescriptor.tokenOffset))
    else {
      haltForSystemError()
      return false
    }
    return store(queue, from: EHCIQueueHead.tokenOffset, at: address)
  }

  // MARK: Transfers that took their time

  public func transferCompleted(_ transfer: USBTransfer) {
    guard let slot = transfers.take(transfer) else { return }
    wake()
    // The driver may have taken it out meanwhile.
    guard isRunning, let address = slot.queue, var queue = loadQueue(address), isCurrent(slot, in: queue)
    else { return }
    if transfer.hasMemoryFault { return haltForSystemError() }
    var walk = Walk(now: clock.now)
    _ = finish(&queue, at: address, transfer.result, count: transfer.movedByteCount, &walk)
    if !walk.interrupts.isEmpty && isRunning { report(walk.interrupts) }
  }

  // MARK: Memory

  private func loadQueue(_ address: UInt32) -> EHCIQueueHead? {
    var queue = EHCIQueueHead()
    let isRead = withUnsafeMutableBytes(of: &queue.words) { bytes in
      memory.read(
        GuestAddress(address),
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<EHCIQueueHead.byteCount]))
    }
    return isRead ? queue : nil
  }

  /// Writes a queue head's words from an offset on.
  private func store(_ queue: EHCIQueueHead, from offset: UInt32, at address: UInt32) -> Bool {
    let isWritten = withUnsafeBytes(of: queue.words) { bytes in
      memory.write(
        GuestAddress(address) + UInt64(offset),
        from: UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<EHCIQueueHead.byteCount]))
    }
    if !isWritten { haltForSystemError() }
    return isWritten
  }
}
