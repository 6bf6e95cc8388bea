// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Slots: the commands that tell the controller of devices (xHCI 1.2, sections 4.5 and 4.6).
extension XHCI {
  /// A slot that is enabled.
  func slot(_ number: Int) -> XHCISlot? { slots.indices.contains(number) ? slots[number] : nil }

  /// The device of a slot, while it is there and answers to the slot's address.
  func device(of slot: XHCISlot) -> USBDevice? {
    guard var device = device(inRegister: slot.rootPort - 1) else { return nil }
    var route = slot.route
    while route & 15 != 0 {
      guard let behind = device.device(inPort: Int(route & 15)) else { return nil }
      device = behind
      route >>= 4
    }
    return device.core.address == slot.address ? device : nil
  }

  func isSuspended(_ slot: XHCISlot) -> Bool {
    rootPorts.indices.contains(slot.rootPort - 1) && rootPorts[slot.rootPort - 1].link == .suspended
  }

  // MARK: Commands

  func disable(_ slot: XHCISlot, _ number: Int) -> XHCICompletion {
    for index in slot.endpoints.indices { cancel(index, of: slot) }
    slots[number] = nil
    guard slot.state != .enabled else { return .success }
    return change(slot) { $0.slotState = .enabled } ? .success : .parameterError
  }

  /// Address Device (section 4.6.5).
  func address(_ slot: XHCISlot, _ number: Int, input: UInt64, isRequestBlocked: Bool) -> XHCICompletion {
    guard slot.state == .enabled || !isRequestBlocked && slot.state == .default else {
      return .contextStateError
    }
    guard let control = XHCIContext(at: input, memory), var slotContext = inputContext(0, input),
      var endpoint = inputContext(XHCISlot.control, input),
      let context = memory.load(GuestAddress(contextArray &+ UInt64(number) * 8), as: UInt64.self)
    else { return .parameterError }
    // A0 and A1, and nothing to drop.
    guard control.words[0] == 0, control.words[1] & 3 == 3, endpoint.endpointType == .control else {
      return .parameterError
    }
    cancel(XHCISlot.control, of: slot)
    (slot.context, slot.rootPort, slot.route) = (context & ~63, slotContext.rootPort, slotContext.routeString)
    slot.address = 0
    if !isRequestBlocked {
      guard let device = device(of: slot), setAddress(UInt8(number), of: device) else {
        return .transactionError
      }
      slot.address = UInt8(number)
    }
    slot.state = isRequestBlocked ? .default : .addressed
    slot.endpoints[XHCISlot.control] = XHCIEndpoint(
      state: .running, type: .control, ring: XHCIRing(pointer: endpoint.dequeue))
    slotContext.slotState = slot.state
    slotContext.deviceAddress = slot.address
    endpoint.endpointState = .running
    let isStored =
      slotContext.store(at: slot.context, memory)
      && endpoint.store(at: slot.context(of: XHCISlot.control), memory)
    return isStored ? .success : .parameterError
  }

  /// Asks a device at address 0 to take another.
  private func setAddress(_ address: UInt8, of device: USBDevice) -> Bool {
    let transfer = addressTransfer
    transfer.begin(.setup, endpoint: 0)
    _ = transfer.append(
      immediate: UInt64(USBStandardRequest.setAddress) << 8 | UInt64(address) << 16, count: 8)
    guard transfer.submit(to: device) == .success else { return false }
    transfer.begin(.in, endpoint: 0)
    return transfer.submit(to: device) == .success
  }

  /// Configure Endpoint (section 4.6.6).
  func configure(_ slot: XHCISlot, input: UInt64) -> XHCICompletion {
    guard slot.state == .addressed || slot.state == .configured else { return .contextStateError }
    guard let control = XHCIContext(at: input, memory) else { return .parameterError }
    let (drop, add) = (control.words[0], control.words[1])
    guard drop & 3 == 0, add & 3 == 1, let new = inputContext(0, input) else { return .parameterError }
    var added: [(Int, XHCIContext)] = []
    for index in 2..<XHCISlot.endpointCount where add >> UInt32(index) & 1 != 0 {
      guard let context = inputContext(index, input), let type = context.endpointType, context.streams == 0,
        type == .control || type.isIn == (index & 1 != 0)
      else { return .parameterError }
      added.append((index, context))
    }
    for index in 2..<XHCISlot.endpointCount where (drop | add) >> UInt32(index) & 1 != 0 {
      disableEndpoint(index, of: slot)
    }
    for (index, context) in added {
      var context = context
      slot.endpoints[index] = XHCIEndpoint(
        state: .running, type: context.endpointType ?? .control, ring: XHCIRing(pointer: context.dequeue))
      context.endpointState = .running
      guard context.store(at: slot.context(of: index), memory) else { return .parameterError }
    }
    let isAnyEnabled = slot.endpoints.dropFirst(2).contains { $0.state != .disabled }
    slot.state = isAnyEnabled ? .configured : .addressed
    return change(slot) { context in
      // Hub, MTT and Context Entries; the number of ports; the hub's think time.
      context.words[0] = context.words[0] & 0x01FF_FFFF | new.words[0] & 0xFE00_0000
      context.words[1] = context.words[1] & 0x00FF_FFFF | new.words[1] & 0xFF00_0000
      context.words[2] = context.words[2] & ~0x3_0000 | new.words[2] & 0x3_0000
      context.slotState = slot.state
    } ? .success : .parameterError
  }

  /// Configure Endpoint with DC: the device is not configured any more.
  func deconfigure(_ slot: XHCISlot) -> XHCICompletion {
    guard slot.state == .addressed || slot.state == .configured else { return .contextStateError }
    return disableEndpoints(of: slot, .addressed)
  }

  /// Reset Device (section 4.6.11).
  func resetDevice(_ slot: XHCISlot) -> XHCICompletion {
    guard slot.state == .addressed || slot.state == .configured else { return .contextStateError }
    slot.address = 0
    return disableEndpoints(of: slot, .default)
  }

  private func disableEndpoints(of slot: XHCISlot, _ state: XHCISlotState) -> XHCICompletion {
    for index in 2..<XHCISlot.endpointCount { disableEndpoint(index, of: slot) }
    slot.state = state
    return change(slot) { context in
      context.slotState = state
      context.deviceAddress = slot.address
      context.contextEntries = 1
    } ? .success : .parameterError
  }

  private func disableEndpoint(_ index: Int, of slot: XHCISlot) {
    guard slot.endpoints[index].state != .disabled else { return }
    cancel(index, of: slot)
    setState(.disabled, index, of: slot)
  }

  /// Evaluate Context (section 4.6.7).
  func evaluate(_ slot: XHCISlot, input: UInt64) -> XHCICompletion {
    guard slot.state != .enabled else { return .contextStateError }
    guard let control = XHCIContext(at: input, memory) else { return .parameterError }
    let add = control.words[1]
    if add & 1 != 0 {
      guard let new = inputContext(0, input),
        change(
          slot,
          {
            $0.maxExitLatency = new.maxExitLatency
            $0.slotInterrupter = new.slotInterrupter
          })
      else { return .parameterError }
    }
    if add & 2 != 0 {
      let place = slot.context(of: XHCISlot.control)
      guard let new = inputContext(XHCISlot.control, input), var context = XHCIContext(at: place, memory)
      else {
        return .parameterError
      }
      context.maxPacketSize = new.maxPacketSize
      guard context.store(at: place, memory) else { return .parameterError }
    }
    return .success
  }

  // MARK: Contexts

  /// A context of an input context, whose first one says which others there are (section 6.2.5).
  private func inputContext(_ index: Int, _ input: UInt64) -> XHCIContext? {
    XHCIContext(at: input &+ UInt64((index + 1) * XHCIContext.byteCount), memory)
  }

  /// Changes a slot's context.
  /// - Returns: false where there is no memory.
  private func change(_ slot: XHCISlot, _ body: (inout XHCIContext) -> Void) -> Bool {
    guard var context = XHCIContext(at: slot.context, memory) else { return false }
    body(&context)
    return context.store(at: slot.context, memory)
  }
}
