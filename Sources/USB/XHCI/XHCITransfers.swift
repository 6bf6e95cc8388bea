// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Transfer rings (xHCI 1.2, sections 4.9.2, 4.10 and 4.11).
///
/// A transfer is tried when its doorbell rings, and again when the device says that it has something: nothing is polled.
extension XHCI {
  /// The number of blocks that are worked on at a time.
  private static let budget = 4096
  /// The number of transfers that devices have at a time; more wait.
  private static let descriptorLimit = 64

  // MARK: What is to be looked at

  /// A slot's doorbell (section 5.6).
  func ringDoorbell(slot number: Int, endpoint: Int) {
    guard let slot = slot(number), (1..<XHCISlot.endpointCount).contains(endpoint) else { return }
    if slot.endpoints[endpoint].state == .stopped { setState(.running, endpoint, of: slot) }
    var budget = Self.budget
    runEndpoint(endpoint, of: slot, number, &budget)
  }

  /// There may be something to do.
  func wake() {
    guard isRunning else { return }
    timer.arm(at: clock.now)
  }

  /// All rings are to be looked at.
  func wakeAll() {
    for slot in slots { slot?.ready = .max }
    wake()
  }

  func timerFired() {
    guard isRunning else { return }
    var budget = Self.budget
    runCommands()
    for number in slots.indices {
      guard isRunning, let slot = slots[number], slot.ready != 0 else { continue }
      let ready = slot.ready
      slot.ready = 0
      for endpoint in 1..<XHCISlot.endpointCount where ready >> UInt32(endpoint) & 1 != 0 {
        runEndpoint(endpoint, of: slot, number, &budget)
      }
    }
  }

  public func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice) {
    guard isRunning else { return }
    for slot in slots {
      guard let slot, self.device(of: slot) === device else { continue }
      slot.ready |= 1 << UInt32(XHCISlot.index(of: endpoint))
      return wake()
    }
  }

  // MARK: Work

  /// Does what there is to do on a ring, until it has to wait.
  private func runEndpoint(_ index: Int, of slot: XHCISlot, _ number: Int, _ budget: inout Int) {
    while isRunning && isBusMaster && slot.endpoints[index].state == .running
      && slot.endpoints[index].descriptor == nil
    {
      guard budget > 0 else {
        // The others' turn comes first.
        slot.ready |= 1 << UInt32(index)
        timer.arm(at: clock.now &+ Self.microframe)
        return
      }
      guard let descriptor = takeDescriptor() else {
        slot.ready |= 1 << UInt32(index)
        return
      }
      defer { if slot.endpoints[index].descriptor !== descriptor { freeDescriptors.append(descriptor) } }
      descriptor.begin(slot: number, endpoint: index)
      guard gather(descriptor, slot, index, &budget) else { return }
      guard canPost(descriptor.eventLimit) else {
        slot.ready |= 1 << UInt32(index)
        return
      }
      guard execute(descriptor, slot) else { return }
    }
  }

  /// Collects the blocks of the transfer at the ring's head.
  /// - Returns: whether they are all there.
  private func gather(
    _ descriptor: XHCITransferDescriptor, _ slot: XHCISlot, _ index: Int, _ budget: inout Int
  ) -> Bool {
    var ring = slot.endpoints[index].ring
    while true {
      budget -= 1
      switch ring.next(memory) {
      case .empty: return false
      case .fault:
        haltForSystemError()
        return false
      case .loop:
        refuse(descriptor, slot)
        return false
      case .block(let block, let address):
        guard descriptor.append(block, at: address) else {
          refuse(descriptor, slot)
          return false
        }
        if !block.has(XHCIBlock.chain) {
          descriptor.next = ring
          return true
        }
      }
    }
  }

  /// The ring does not hold what it should: TRB Error, and the endpoint is in the Error state (section 4.10.2.6).
  private func refuse(_ descriptor: XHCITransferDescriptor, _ slot: XHCISlot) {
    let index = descriptor.endpoint
    trace(
      "slot \(descriptor.slot), endpoint \(index): no right transfer at \(slot.endpoints[index].ring.dequeue)"
    )
    setState(.error, index, of: slot)
    post(
      transferEvent(
        slot: descriptor.slot, endpoint: index, slot.endpoints[index].ring.dequeue, .blockError, length: 0),
      to: descriptor.count > 0 ? descriptor.block(0).interrupter : 0)
  }

  /// Hands a transfer to the device.
  /// - Returns: whether the ring may go on.
  private func execute(_ descriptor: XHCITransferDescriptor, _ slot: XHCISlot) -> Bool {
    let endpoint = descriptor.endpoint
    if descriptor.isOnlyForEvents {
      return finish(descriptor, slot, .success)
    }
    guard descriptor.prepare(slot.endpoints[endpoint].type) else {
      refuse(descriptor, slot)
      return false
    }
    guard !isSuspended(slot) else { return false }
    guard let device = device(of: slot) else {
      return finish(descriptor, slot, .error)
    }
    let result = descriptor.transfer.submit(to: device)
    switch result {
    case .nak: return false
    case .pending:
      slot.endpoints[endpoint].descriptor = descriptor
      return false
    default: return finish(descriptor, slot, result)
    }
  }

  public func transferCompleted(_ transfer: USBTransfer) {
    guard descriptors.indices.contains(transfer.tag) else { return }
    let descriptor = descriptors[transfer.tag]
    guard let slot = slot(descriptor.slot), slot.endpoints[descriptor.endpoint].descriptor === descriptor
    else {
      return
    }
    slot.endpoints[descriptor.endpoint].descriptor = nil
    freeDescriptors.append(descriptor)
    guard isRunning else { return }
    // The device is not asked for more from within its own call.
    if finish(descriptor, slot, transfer.result) { slot.ready |= 1 << UInt32(descriptor.endpoint) }
    wake()
  }

  /// Takes back what a device has of an endpoint.
  func cancel(_ endpoint: Int, of slot: XHCISlot) {
    guard let descriptor = slot.endpoints[endpoint].descriptor else { return }
    descriptor.transfer.cancel()
    slot.endpoints[endpoint].descriptor = nil
    freeDescriptors.append(descriptor)
  }

  func cancelAll() {
    for slot in slots {
      guard let slot else { continue }
      for endpoint in slot.endpoints.indices { cancel(endpoint, of: slot) }
    }
  }

  /// A descriptor to use.
  private func takeDescriptor() -> XHCITransferDescriptor? {
    if let last = freeDescriptors.popLast() { return last }
    guard descriptors.count < Self.descriptorLimit else { return nil }
    let descriptor = XHCITransferDescriptor(memory: memory, owner: self, tag: descriptors.count)
    descriptors.append(descriptor)
    return descriptor
  }

  // MARK: Results

  /// Tells how a transfer ended, and takes it off its ring.
  /// - Returns: whether the ring may go on.
  private func finish(_ descriptor: XHCITransferDescriptor, _ slot: XHCISlot, _ result: USBResult) -> Bool {
    let transfer = descriptor.transfer
    if transfer.hasMemoryFault {
      haltForSystemError()
      return false
    }
    let failure: XHCICompletion? =
      switch result {
      case .success: nil
      case .stall: .stall
      case .babble: .babble
      case .error, .nak, .pending: .transactionError
      }
    var left = failure == nil ? transfer.movedByteCount : transfer.doneCount
    var sinceEventData = 0
    var isShort = false
    var isShortTold = false
    for index in 0..<descriptor.count {
      let block = descriptor.block(index)
      let wantsEvent = block.has(XHCIBlock.interruptOnCompletion)
      if block.type == .eventData || block.type == .noOperation {
        guard wantsEvent else { continue }
        report(
          descriptor, index, isShort ? .shortPacket : .success,
          length: block.type == .eventData ? sinceEventData : 0)
        if block.type == .eventData { sinceEventData = 0 }
        continue
      }
      let used = min(left, block.byteCount)
      left -= used
      sinceEventData += used
      let rest = block.byteCount - used
      if let failure, rest > 0 {
        halt(descriptor, slot, index, failure, rest: rest)
        return false
      }
      isShort = isShort || rest > 0
      if isShort {
        guard !isShortTold, wantsEvent || block.has(XHCIBlock.interruptOnShort) else { continue }
        isShortTold = true
        report(descriptor, index, .shortPacket, length: rest)
      } else if wantsEvent {
        report(descriptor, index, .success, length: 0)
      }
    }
    if let failure {
      halt(descriptor, slot, descriptor.count - 1, failure, rest: 0)
      return false
    }
    slot.endpoints[descriptor.endpoint].ring = descriptor.next
    return true
  }

  /// A transfer failed at a block: the endpoint halts there (section 4.8.3).
  private func halt(
    _ descriptor: XHCITransferDescriptor, _ slot: XHCISlot, _ index: Int, _ failure: XHCICompletion, rest: Int
  ) {
    slot.endpoints[descriptor.endpoint].ring.dequeue = descriptor.address(index)
    slot.endpoints[descriptor.endpoint].ring.cycle = descriptor.block(index).has(XHCIBlock.cycle)
    setState(.halted, descriptor.endpoint, of: slot)
    report(descriptor, index, failure, length: rest)
  }

  private func report(
    _ descriptor: XHCITransferDescriptor, _ index: Int, _ completion: XHCICompletion, length: Int
  ) {
    let block = descriptor.block(index)
    let isEventData = block.type == .eventData
    post(
      transferEvent(
        slot: descriptor.slot, endpoint: descriptor.endpoint,
        isEventData ? block.parameter : descriptor.address(index), completion,
        length: length, flags: isEventData ? XHCIBlock.isEventData : 0),
      to: block.interrupter, isQuiet: block.has(XHCIBlock.bit9) && block.type != .isochronous)
  }

  private func transferEvent(
    slot: Int, endpoint: Int, _ parameter: UInt64, _ completion: XHCICompletion, length: Int,
    flags: UInt32 = 0
  ) -> XHCIBlock {
    XHCIBlock(
      .transferEvent, parameter: parameter, completion: completion, length: UInt32(clamping: length),
      flags: flags | UInt32(endpoint) << 16 | UInt32(slot) << 24)
  }

  /// The driver stops a ring: what was begun is told as stopped (section 4.6.9).
  func reportStopped(_ endpoint: Int, of slot: XHCISlot, _ number: Int) {
    var ring = slot.endpoints[endpoint].ring
    guard case .block(let block, let address) = ring.next(memory) else { return }
    post(
      transferEvent(slot: number, endpoint: endpoint, address, .stopped, length: block.byteCount),
      to: block.interrupter)
  }
}
