// SPDX-License-Identifier: GPL-2.0-or-later

/// Endpoint 0: the stages of control transfers (USB 2.0 section 8.5.3) and the standard requests (section 9.4).
extension USBDevice {
  func submitControl(_ transfer: USBTransfer) -> USBResult {
    switch transfer.token {
    case .setup: setup(transfer)
    case .in: controlIn(transfer)
    case .out: controlOut(transfer)
    }
  }

  /// A SETUP packet is always taken, and ends whatever was under way.
  private func setup(_ transfer: USBTransfer) -> USBResult {
    guard transfer.byteCount == 8 else { return .error }
    var packet: UInt64 = 0
    withUnsafeMutableBytes(of: &packet) { _ = transfer.read(into: $0) }
    let request = USBRequest(packet: UInt64(littleEndian: packet))
    abandonControl()
    core.request = request
    (core.controlCount, core.controlPosition) = (0, 0)
    if request.isIn {
      core.stage = .dataIn
      answer(perform(request))
    } else if request.length > 0 {
      guard Int(request.length) <= USBDeviceCore.controlByteCount else {
        core.stage = .stalled
        return .success
      }
      core.controlCount = Int(request.length)
      core.stage = .dataOut
    } else {
      core.stage = .statusIn
      answer(perform(request))
    }
    return .success
  }

  private func controlIn(_ transfer: USBTransfer) -> USBResult {
    switch core.stage {
    case .dataIn:
      if core.isAnswerPending { return .nak }
      let piece = controlBuffer[core.controlPosition..<core.controlCount]
      core.controlPosition += transfer.write(
        UnsafeRawBufferPointer(rebasing: piece.prefix(transfer.byteCount)))
      return .success
    case .dataOut:
      // The host asks for the status before it has sent all: short data.
      core.controlCount = core.controlPosition
      core.stage = .statusIn
      answer(perform(core.request))
      return controlIn(transfer)
    case .statusIn:
      if core.isAnswerPending { return .nak }
      core.stage = .idle
      finishAddress()
      return .success
    case .stalled: return .stall
    case .idle, .statusOut: return .stall
    }
  }

  private func controlOut(_ transfer: USBTransfer) -> USBResult {
    switch core.stage {
    case .dataOut:
      guard transfer.byteCount <= core.controlCount - core.controlPosition else {
        core.stage = .stalled
        return .stall
      }
      let room = controlBuffer[core.controlPosition..<core.controlCount]
      core.controlPosition += transfer.read(into: UnsafeMutableRawBufferPointer(rebasing: room))
      if core.controlPosition == core.controlCount {
        core.stage = .statusIn
        answer(perform(core.request))
      }
      return .success
    case .dataIn, .statusOut:
      // The host has enough; the status stage has no data.
      if core.isAnswerPending { return .nak }
      guard transfer.byteCount == 0 else { return .stall }
      core.stage = .idle
      return .success
    case .stalled, .idle, .statusIn: return .stall
    }
  }

  /// Ends a request that was answered with `pending`.
  public func completeControl(_ result: USBControlResult) {
    guard core.isAnswerPending else { return }
    answer(result)
    guard !core.isAnswerPending else { return }
    endpointReady(core.request.isIn ? .in(0) : .control)
  }

  private func answer(_ result: USBControlResult) {
    core.isAnswerPending = false
    switch result {
    case .success(let count):
      if core.request.isIn {
        core.controlCount = max(0, min(count, Int(core.request.length), USBDeviceCore.controlByteCount))
      }
    case .stall: core.stage = .stalled
    case .pending: core.isAnswerPending = true
    }
  }

  /// SET_ADDRESS is obeyed after its status stage (USB 2.0 section 9.4.6).
  private func finishAddress() {
    let request = core.request
    guard request.kind == .standard, request.recipient == .device,
      request.request == USBStandardRequest.setAddress
    else { return }
    core.address = UInt8(truncatingIfNeeded: request.value & 0x7F)
  }

  // MARK: Standard requests

  private func perform(_ request: USBRequest) -> USBControlResult {
    let data = UnsafeMutableRawBufferPointer(
      rebasing: controlBuffer[..<(request.isIn ? controlBuffer.count : core.controlCount)])
    if let result = intercept(request, data: data) { return result }
    guard request.kind == .standard else { return control(request, data: data) }
    typealias Standard = USBStandardRequest
    switch (request.recipient, request.request) {
    case (.device, Standard.getDescriptor):
      let type = UInt8(truncatingIfNeeded: request.value >> 8)
      let index = UInt8(truncatingIfNeeded: request.value)
      guard let bytes = description.descriptor(type: type, index: index, speed: speed) else {
        return control(request, data: data)
      }
      return reply(bytes, data)
    case (.device, Standard.setAddress): return request.value < 128 ? .success(0) : .stall
    case (.device, Standard.getConfiguration): return reply([core.configuration], data)
    case (.device, Standard.setConfiguration): return setConfiguration(request.value)
    case (.device, Standard.getStatus): return reply(status, data)
    case (.device, Standard.setFeature), (.device, Standard.clearFeature):
      return changeFeature(request.value, isSet: request.request == Standard.setFeature)
    case (.device, Standard.setSEL), (.device, Standard.setIsochronousDelay):
      return speed == .superSpeed ? .success(0) : .stall
    case (.interface, Standard.getInterface):
      guard hasInterface(request.index) else { return .stall }
      return reply([core.alternate(UInt8(truncatingIfNeeded: request.index))], data)
    case (.interface, Standard.setInterface): return setInterface(request)
    case (.interface, Standard.getStatus):
      return hasInterface(request.index) ? reply([0, 0], data) : .stall
    case (.interface, Standard.setFeature), (.interface, Standard.clearFeature):
      return speed == .superSpeed && request.value == USBFeature.functionSuspend ? .success(0) : .stall
    case (.endpoint, Standard.getStatus):
      guard let address = endpointAddress(request.index) else { return .stall }
      return reply([core.isHalted(address) ? 1 : 0, 0], data)
    case (.endpoint, Standard.setFeature), (.endpoint, Standard.clearFeature):
      return changeHalt(request)
    default: return control(request, data: data)
    }
  }

  /// Puts a reply where an IN request's data goes, as much as fits.
  func reply(_ bytes: [UInt8], _ data: UnsafeMutableRawBufferPointer) -> USBControlResult {
    let count = min(bytes.count, data.count)
    data.copyBytes(from: bytes.prefix(count))
    return .success(count)
  }

  private var configurationDescription: USBConfigurationDescription? { description.configurations[speed] }

  private var status: [UInt8] {
    [(configurationDescription?.isSelfPowered == true ? 1 : 0) | (core.mayWakeUp ? 2 : 0), 0]
  }

  private func setConfiguration(_ value: UInt16) -> USBControlResult {
    let value = UInt8(truncatingIfNeeded: value)
    guard value == 0 || value == configurationDescription?.value else { return .stall }
    core.configuration = value
    core.clearEndpoints()
    configurationChanged()
    return .success(0)
  }

  private func changeFeature(_ feature: UInt16, isSet: Bool) -> USBControlResult {
    switch feature {
    case USBFeature.deviceRemoteWakeup:
      guard configurationDescription?.wakesRemotely == true else { return .stall }
      core.mayWakeUp = isSet
      return .success(0)
    case USBFeature.u1Enable, USBFeature.u2Enable: return speed == .superSpeed ? .success(0) : .stall
    default: return .stall
    }
  }

  private func hasInterface(_ index: UInt16) -> Bool {
    core.configuration != 0
      && configurationDescription?.interfaces.contains { UInt16($0.number) == index } == true
  }

  private func setInterface(_ request: USBRequest) -> USBControlResult {
    guard core.configuration != 0, let configurationDescription,
      let interface = configurationDescription.interfaces.first(where: {
        UInt16($0.number) == request.index && UInt16($0.alternate) == request.value
      })
    else { return .stall }
    core.alternates[interface.number] = interface.alternate == 0 ? nil : interface.alternate
    for endpoint in interface.endpoints { core.setHalted(endpoint.address, false) }
    interfaceChanged(interface.number, alternate: interface.alternate)
    return .success(0)
  }

  /// The endpoint that a request's wIndex names; nil if there is none.
  private func endpointAddress(_ index: UInt16) -> USBEndpointAddress? {
    let address = USBEndpointAddress(rawValue: UInt8(truncatingIfNeeded: index))
    return address.number == 0 || endpoint(address) != nil ? address : nil
  }

  private func changeHalt(_ request: USBRequest) -> USBControlResult {
    guard request.value == USBFeature.endpointHalt, let address = endpointAddress(request.index) else {
      return .stall
    }
    guard address.number != 0 else { return .success(0) }
    let isSet = request.request == USBStandardRequest.setFeature
    core.setHalted(address, isSet)
    if !isSet { endpointCleared(address) }
    return .success(0)
  }
}
