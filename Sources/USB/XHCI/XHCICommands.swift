// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The command ring (xHCI 1.2, section 4.6).
extension XHCI {
  /// The number of commands done at a time.
  private static let commandBudget = 64
  /// What NEC's controllers say of their firmware: version 3.21.
  private static let necFirmware: UInt32 = 0x3021

  /// Does the commands that there are.
  func runCommands() {
    var budget = Self.commandBudget
    while isRunning && isBusMaster && isCommandRingRunning {
      guard budget > 0 else { return timer.arm(at: clock.now &+ Self.microframe) }
      budget -= 1
      // Of itself, and of a transfer that it stops.
      guard canPost(2) else { return }
      switch commandRing.next(memory) {
      case .empty: return
      case .fault: return haltForSystemError()
      case .loop: return stopCommandRing(.commandRingStopped)
      case .block(let block, let address): perform(block, at: address)
      }
    }
  }

  /// CRCR's CS and CA, and whatever else ends the commands (section 4.6.1.2).
  func stopCommandRing(_ completion: XHCICompletion) {
    guard isCommandRingRunning else { return }
    isCommandRingRunning = false
    post(XHCIBlock(.commandCompletion, parameter: commandRing.dequeue, completion: completion), to: 0)
  }

  private func perform(_ block: XHCIBlock, at address: UInt64) {
    if model == .nec && block.type == .necGetFirmware {
      return post(
        XHCIBlock(.necCommandCompletion, parameter: address, completion: .success, length: Self.necFirmware),
        to: 0)
    }
    var number = block.slot
    let completion: XHCICompletion
    switch block.type {
    case .noOperationCommand: completion = .success
    case .enableSlot:
      number = slots.indices.dropFirst().first { $0 <= enabledSlotLimit && slots[$0] == nil } ?? 0
      completion = number == 0 ? .noSlots : .success
      if number != 0 { slots[number] = XHCISlot() }
    case .disableSlot, .addressDevice, .configureEndpoint, .evaluateContext, .resetEndpoint, .stopEndpoint,
      .setDequeuePointer, .resetDevice:
      completion = slot(number).map { perform(block, on: $0, number) } ?? .slotNotEnabled
    default: completion = .blockError
    }
    if completion != .success {
      trace("command \(block.control >> 10 & 63) for slot \(number) failed with code \(completion.rawValue)")
    }
    post(
      XHCIBlock(
        .commandCompletion, parameter: address, completion: completion, flags: UInt32(number) << 24), to: 0)
  }

  private func perform(_ block: XHCIBlock, on slot: XHCISlot, _ number: Int) -> XHCICompletion {
    let input = block.parameter & ~15
    switch block.type {
    case .disableSlot: return disable(slot, number)
    case .addressDevice:
      return address(slot, number, input: input, isRequestBlocked: block.has(XHCIBlock.bit9))
    case .configureEndpoint:
      return block.has(XHCIBlock.bit9) ? deconfigure(slot) : configure(slot, input: input)
    case .evaluateContext: return evaluate(slot, input: input)
    case .resetDevice: return resetDevice(slot)
    default:
      let index = block.endpoint
      guard index > 0 else { return .blockError }
      guard slot.endpoints[index].state != .disabled else { return .endpointNotEnabled }
      switch block.type {
      case .resetEndpoint: return resetEndpoint(index, of: slot)
      case .stopEndpoint: return stopEndpoint(index, of: slot, number)
      default: return setDequeue(block.parameter, index, of: slot)
      }
    }
  }

  // MARK: Endpoints (sections 4.6.8 to 4.6.10)

  private func resetEndpoint(_ index: Int, of slot: XHCISlot) -> XHCICompletion {
    guard slot.endpoints[index].state == .halted else { return .contextStateError }
    setState(.stopped, index, of: slot)
    return .success
  }

  private func stopEndpoint(_ index: Int, of slot: XHCISlot, _ number: Int) -> XHCICompletion {
    guard slot.endpoints[index].state == .running else { return .contextStateError }
    cancel(index, of: slot)
    setState(.stopped, index, of: slot)
    reportStopped(index, of: slot, number)
    return .success
  }

  private func setDequeue(_ pointer: UInt64, _ index: Int, of slot: XHCISlot) -> XHCICompletion {
    let state = slot.endpoints[index].state
    guard state == .stopped || state == .error else { return .contextStateError }
    slot.endpoints[index].ring = XHCIRing(pointer: pointer)
    setState(.stopped, index, of: slot)
    return .success
  }

  /// Changes an endpoint's state, and shows it and its place in the device context.
  func setState(_ state: XHCIEndpointState, _ index: Int, of slot: XHCISlot) {
    slot.endpoints[index].state = state
    let place = slot.context(of: index)
    guard var context = XHCIContext(at: place, memory) else { return haltForSystemError() }
    context.endpointState = state
    context.dequeue = slot.endpoints[index].ring.pointer
    if !context.store(at: place, memory) { haltForSystemError() }
  }
}
