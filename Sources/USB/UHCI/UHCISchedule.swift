// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The walk of the schedule (UHCI Design Guide 1.1, section 3.4).
///
/// A frame's list is walked when the frame is over, and its interrupts come then. While something moves the list is looked
/// at within the frame, too: what a driver has put there meanwhile need not wait for its end, as it need not on a bus.
/// While nothing moves, several frames are slept through and walked together: a queue head is come by once only, so the
/// walk of sixteen frames is hardly longer than of one.
extension UHCI {
  /// What is let through in a frame, in bytes: eight times a real bus, so that sticks are not as slow as real ones. An
  /// end remains, so that a frame's work is bounded.
  static let frameByteCount = 8 * 1280
  /// Looks within a frame, in nanoseconds from one to the next.
  private static let quickLook: UInt64 = 125_000
  /// What a packet costs beside its data.
  private static let packetByteCount = 13
  /// The number of links followed at a time, over all frames.
  private static let linkLimit = 8192

  /// The first element of a queue and where to go from it.
  private struct Queue {
    let address: UInt32
    let next: UHCILink
  }

  /// What one walk has left, and what it found.
  private struct Walk {
    var links = UHCI.linkLimit
    var bytes = 0
    var hasMoved = false
    var interrupts: UHCIStatus = []
    var causes: UHCIInterruptEnable = []
  }

  private enum Outcome {
    /// The transfer descriptor is done, its queue goes on.
    case advance
    /// It stays the first of its queue, or the queue has ended with it.
    case stay
  }

  // MARK: Time

  /// There may be something to do: look at the end of this frame.
  func wake() {
    guard isRunning else { return }
    backoff.restart()
    let deadline = frames.start(of: frames.elapsed(at: clock.now) &+ 1)
    if (frameTimer.deadline ?? .max) > deadline { frameTimer.arm(at: deadline) }
  }

  func frameTimerFired() {
    guard isRunning else { return }
    let now = clock.now
    let (first, count) = frames.takeElapsed(at: now)
    var walk = Walk()
    if isBusMaster {
      visits.forget()
      // Looks within the first of them, or within the present one, have used some of what it lets through.
      walk.bytes = frameBytesLeft
      for index in 0..<max(count, 1) where isRunning && walk.links > 0 {
        walkFrame(first &+ index, &walk, now: now)
        if count > 0 { walk.bytes = Self.frameByteCount }
      }
      frameBytesLeft = walk.bytes
      dropForgottenTransfers(now: now)
    }
    if walk.hasMoved { backoff.restart() } else { backoff.lookedInVain() }
    if !walk.interrupts.isEmpty { report(walk.interrupts, causes: walk.causes) }
    guard isRunning else { return }
    let frameEnd = frames.start(of: frames.elapsed(at: now) &+ backoff.milliseconds)
    frameTimer.arm(at: backoff.isQuick ? min(now &+ Self.quickLook, frameEnd) : frameEnd)
  }

  // MARK: The walk

  private func walkFrame(_ number: UInt64, _ walk: inout Walk, now: UInt64) {
    let entry = frameListBase &+ UInt32(truncatingIfNeeded: number & 0x3FF) &* 4
    guard var link = load(entry).map(UHCILink.init) else { return halt(.hostSystemError) }
    var queue: Queue?
    while !link.isTerminated && isRunning && walk.links > 0 && walk.bytes > 0 {
      walk.links -= 1
      if link.isQueueHead {
        guard visits.visit(link.address) else { return }
        guard let words = memory.load(GuestAddress(link.address), as: UInt64.self) else {
          return halt(.hostSystemError)
        }
        let next = UHCILink(rawValue: UInt32(truncatingIfNeeded: words))
        let element = UHCILink(rawValue: UInt32(truncatingIfNeeded: words >> 32))
        queue = element.isTerminated || element.isQueueHead ? nil : Queue(address: link.address, next: next)
        link = element.isTerminated ? next : element
        continue
      }
      guard var descriptor = loadDescriptor(link.address) else { return halt(.hostSystemError) }
      let address = link.address
      link = queue?.next ?? descriptor.link
      if descriptor.isActive {
        let outcome = execute(&descriptor, at: address, queue: queue?.address, &walk, now: now)
        if usbCommand.contains(.debug) && isRunning { setCommand(usbCommand.subtracting(.run)) }
        if outcome == .advance, let head = queue?.address {
          store(descriptor.link.rawValue, at: head &+ 4)
          if descriptor.link.isDepthFirst && !descriptor.link.isTerminated {
            link = descriptor.link
            continue
          }
        }
      }
      queue = nil
    }
  }

  private func execute(
    _ descriptor: inout UHCITransferDescriptor, at address: UInt32, queue: UInt32?, _ walk: inout Walk,
    now: UInt64
  ) -> Outcome {
    if let slot = transfers.slot(of: address) {
      if transfers.slots[slot].token == descriptor.token {
        transfers.slots[slot].lastSeen = now
        transfers.slots[slot].queue = queue
        return .stay
      }
      transfers.cancel(slot)
    }
    guard let byteCount = descriptor.byteCount, let token = descriptor.usbToken else {
      halt(.processError)
      return .stay
    }
    guard let device = device(at: descriptor.deviceAddress) else {
      return finish(&descriptor, at: address, .error, count: 0, &walk)
    }
    guard let slot = transfers.freeSlot() else { return .stay }
    let transfer = transfers.slots[slot].transfer
    transfer.begin(token, endpoint: descriptor.endpoint)
    _ = transfer.append(GuestAddress(descriptor.buffer), count: byteCount)
    let result = transfer.submit(to: device)
    if result == .pending {
      transfers.keep(slot, descriptor: address, token: descriptor.token, queue: queue, now: now)
      return .stay
    }
    if transfer.hasMemoryFault {
      halt(.hostSystemError)
      return .stay
    }
    return finish(
      &descriptor, at: address, result, count: transfer.movedByteCount, &walk)
  }

  /// Writes back how a transaction ended.
  private func finish(
    _ descriptor: inout UHCITransferDescriptor, at address: UInt32, _ result: USBResult, count: Int,
    _ walk: inout Walk
  ) -> Outcome {
    let before = descriptor.control
    var outcome = Outcome.stay
    var isDone = true
    switch result {
    case .success:
      descriptor.control &= ~UHCIControl.failures
      descriptor.setActualLength(count)
      outcome = .advance
      if descriptor.detectsShortPackets && descriptor.packetIdentifier == UHCIPacketIdentifier.in
        && count < descriptor.byteCount ?? 0
      {
        // The queue stops there, for the driver to go on with (section 3.2.2, SPD).
        outcome = .stay
        walk.interrupts.insert(.interrupt)
        walk.causes.insert(.shortPacket)
      }
    case .nak where descriptor.packetIdentifier != UHCIPacketIdentifier.setup && !descriptor.isIsochronous,
      .pending:
      descriptor.control |= UHCIControl.nak
      isDone = false
    case .nak, .error:
      descriptor.control |= UHCIControl.crcOrTimeout
      isDone = countError(&descriptor, &walk)
    case .stall:
      descriptor.control |= UHCIControl.stalled
      walk.interrupts.insert(.errorInterrupt)
    case .babble:
      descriptor.control |= UHCIControl.stalled | UHCIControl.babble
      walk.interrupts.insert(.errorInterrupt)
    }
    if descriptor.isIsochronous && !isDone && result != .pending {
      // There is no second time.
      descriptor.setActualLength(0)
      isDone = true
      outcome = .advance
    }
    if isDone {
      descriptor.control &= ~UHCIControl.active
      if descriptor.interruptsOnCompletion {
        walk.interrupts.insert(.interrupt)
        walk.causes.insert(.complete)
      }
      walk.bytes -= count + Self.packetByteCount
    }
    if descriptor.control != before {
      store(descriptor.control, at: address &+ UInt32(UHCITransferDescriptor.controlOffset))
      if isDone || result != .nak {
        walk.hasMoved = true
        visits.forget()
      }
    }
    return outcome
  }

  /// Counts C_ERR down; 0 is for trying for ever.
  /// - Returns: whether it came to an end.
  private func countError(_ descriptor: inout UHCITransferDescriptor, _ walk: inout Walk) -> Bool {
    guard descriptor.errorCount > 0, !descriptor.isIsochronous else { return false }
    descriptor.control &-= UHCIControl.oneError
    guard descriptor.errorCount == 0 else { return false }
    descriptor.control |= UHCIControl.stalled
    walk.interrupts.insert(.errorInterrupt)
    return true
  }

  // MARK: Transfers that took their time

  public func transferCompleted(_ transfer: USBTransfer) {
    guard let slot = transfers.take(transfer) else { return }
    wake()
    // The driver may have taken it out meanwhile.
    guard isRunning, isInSchedule(slot), var descriptor = loadDescriptor(slot.descriptor) else { return }
    if transfer.hasMemoryFault { return halt(.hostSystemError) }
    var walk = Walk()
    let outcome = finish(
      &descriptor, at: slot.descriptor, transfer.result, count: transfer.movedByteCount, &walk)
    if outcome == .advance, let queue = slot.queue { store(descriptor.link.rawValue, at: queue &+ 4) }
    if !walk.interrupts.isEmpty { report(walk.interrupts, causes: walk.causes) }
  }

  private func isInSchedule(_ slot: USBTransferSlots.Slot) -> Bool {
    guard let descriptor = loadDescriptor(slot.descriptor), descriptor.isActive,
      descriptor.token == slot.token
    else { return false }
    guard let queue = slot.queue else { return true }
    return load(queue &+ 4).map { $0 & ~15 == slot.descriptor && $0 & 3 == 0 } == true
  }

  private func dropForgottenTransfers(now: UInt64) {
    transfers.cancel { slot in
      now &- slot.lastSeen > USBTransferSlots.forgottenAfter || !isInSchedule(slot)
    }
  }

  // MARK: Memory

  private func load(_ address: UInt32) -> UInt32? { memory.load(GuestAddress(address)) }

  private func store(_ value: UInt32, at address: UInt32) {
    if !memory.store(value, at: GuestAddress(address)) { halt(.hostSystemError) }
  }

  private func loadDescriptor(_ address: UInt32) -> UHCITransferDescriptor? {
    guard let low: UInt64 = memory.load(GuestAddress(address)),
      let high: UInt64 = memory.load(GuestAddress(address) + 8)
    else { return nil }
    return UHCITransferDescriptor(
      link: UHCILink(rawValue: UInt32(truncatingIfNeeded: low)),
      control: UInt32(truncatingIfNeeded: low >> 32), token: UInt32(truncatingIfNeeded: high),
      buffer: UInt32(truncatingIfNeeded: high >> 32))
  }
}
