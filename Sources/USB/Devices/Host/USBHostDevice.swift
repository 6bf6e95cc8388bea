// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import HostUSB

/// A USB device of the host, given to the guest: QEMU's `usb-host`.
///
/// The guest's driver talks to the device itself: descriptors, class and vendor requests, bulk and interrupt transfers
/// pass through. What the host's kernel must know of (configurations, alternate settings, cleared halts, resets) it is
/// asked to do; the address on the guest's bus is the guest's business alone.
public final class USBHostDevice: USBDevice, Device, HostUSBObserver, HostUSBTransferOwner {
  /// What is done with resets of the guest's.
  public enum Resets: Sendable {
    /// The device is left alone.
    case none
    /// The device is reset once the guest has talked to it; not by the resets before that (`guest-reset=on`).
    case used
    /// All of them (`guest-resets-all=on`).
    case all
  }

  public let deviceName: String
  let host: any HostUSBDevice
  private let resets: Resets
  /// Called when the device is gone from the host.
  public var onGone: (() -> Void)?
  private var flights = HostFlights()
  private var leftovers = HostLeftovers()
  /// The control request that the host has.
  private var controlTransfer: HostUSBTransfer?
  /// A control request that waits for operations to end.
  private var waitingRequest: USBRequest?
  /// Operations begun, and ended.
  private var (begunCount, endedCount) = (0, 0)
  /// The operation that is the present control request: its number.
  private var awaitedOperation: Int?
  /// Endpoints that were answered NAK: IN from bit 16 on.
  private var waitingEndpoints: UInt32 = 0
  /// The guest has given it an address since the last reset.
  private var hasAddress = false
  private var isGone = false

  /// One that is not plugged in.
  /// - Parameter host: the device; this becomes its observer.
  public init(host: any HostUSBDevice, resets: Resets = .used, name: String = "usb-host") {
    deviceName = name
    self.host = host
    self.resets = resets
    super.init(Self.description(of: host, configuration: host.configurations.first))
    host.observer = self
  }

  /// Gives the device back to the host, for good.
  public func close() {
    isGone = true
    host.close()
  }

  private static func description(of host: any HostUSBDevice, configuration: HostUSBConfiguration?)
    -> USBDescription
  {
    USBDescription(
      vendor: host.facts.vendor, product: host.facts.product, release: 0,
      strings: ["", host.facts.name.isEmpty ? host.facts.identity : host.facts.name],
      configurations: [
        USBSpeed(host.facts.speed): USBConfigurationDescription(
          value: configuration?.value ?? 1,
          interfaces: configuration?.interfaces.map { USBInterfaceDescription($0) } ?? [])
      ])
  }

  // MARK: Endpoints

  public override func transfer(_ transfer: USBTransfer) -> USBResult {
    guard !isGone else { return .error }
    let address = transfer.address
    let kind: HostUSBTransfer.Kind
    switch endpoint(address)?.kind {
    case .bulk: kind = .bulk
    case .interrupt: kind = .interrupt
    case .control, .isochronous, nil: return .error
    }
    // What the kernel is doing comes first, and what was taken back comes back before anything else is begun.
    guard !isBusy, !flights.isSettling(address) else { return wait(address) }
    if leftovers.serve(transfer) { return .success }
    guard transfer.byteCount <= HostUSBTransfer.maximumByteCount else { return .error }
    guard flights.hasRoom(for: transfer.byteCount) else { return wait(address) }
    guard let flight = flights.takeIdle(of: host),
      flight.prepare(kind, endpoint: address.rawValue, byteCount: transfer.byteCount)
    else { return .error }
    flight.owner = self
    if !address.isIn { transfer.read(into: flight.data) }
    guard !transfer.hasMemoryFault, flight.submit() else {
      flights.giveBack(flight)
      return .error
    }
    flights.add(flight, for: transfer)
    return .pending
  }

  private func wait(_ address: USBEndpointAddress) -> USBResult {
    waitingEndpoints |= 1 << UInt32(address.number + (address.isIn ? 16 : 0))
    return .nak
  }

  private func wakeWaiting() {
    let endpoints = waitingEndpoints
    waitingEndpoints = 0
    for number in UInt8(0)..<16 {
      if endpoints >> UInt32(number) & 1 != 0 { endpointReady(.out(number)) }
      if endpoints >> UInt32(number + 16) & 1 != 0 { endpointReady(.in(number)) }
    }
  }

  public override func cancel(_ transfer: USBTransfer) { flights.forget(transfer) }

  public func hostTransferEnded(_ transfer: HostUSBTransfer) {
    guard let flight = flights.remove(transfer) else { return }
    let isControl = transfer === controlTransfer
    // Of what was taken back, or while it is configured anew, it may be only the kernel's way of cancelling.
    let isGone = transfer.result == .gone && (isControl || flight.guest != nil) && !isBusy
    if isControl {
      controlTransfer = nil
      endControl(transfer)
    } else if let guest = flight.guest {
      let result = USBResult(transfer.result)
      if guest.token == .in { guest.write(received(by: transfer)) }
      flights.giveBack(transfer)
      guest.complete(result)
    } else {
      let address = USBEndpointAddress(rawValue: transfer.endpoint)
      if address.isIn { leftovers.add(received(by: transfer), from: address) }
      flights.giveBack(transfer)
    }
    if isGone { hostDeviceGone() }
    wakeWaiting()
  }

  private func received(by transfer: HostUSBTransfer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: transfer.data[..<transfer.doneCount])
  }

  // MARK: Control requests

  public override func intercept(_ request: USBRequest, data: UnsafeMutableRawBufferPointer)
    -> USBControlResult?
  {
    if request.kind == .standard, request.recipient == .device,
      request.request == USBStandardRequest.setAddress
    {
      hasAddress = true
      return nil
    }
    guard !isGone else { return .stall }
    guard !isBusy else {
      waitingRequest = request
      return .pending
    }
    return begin(request)
  }

  /// Begins a control request, when no operation is under way.
  private func begin(_ request: USBRequest) -> USBControlResult {
    guard let operation = operation(of: request) else { return pass(request) }
    begin(operation)
    awaitedOperation = begunCount
    // They end with an error when they come back.
    if case .setConfiguration = operation { flights.cancelAll() }
    return .pending
  }

  /// What the kernel has to do for a request; nil if it is the device's own.
  private func operation(of request: USBRequest) -> HostUSBOperation? {
    guard request.kind == .standard, !request.isIn else { return nil }
    let (value, index) = (UInt8(truncatingIfNeeded: request.value), UInt8(truncatingIfNeeded: request.index))
    switch (request.recipient, request.request) {
    case (.device, USBStandardRequest.setConfiguration): return .setConfiguration(value)
    case (.interface, USBStandardRequest.setInterface): return .setInterface(index, alternate: value)
    case (.endpoint, USBStandardRequest.clearFeature)
    where request.value == USBFeature.endpointHalt && index & 15 != 0:
      return .clearHalt(endpoint: index & 0x8F)
    default: return nil
    }
  }

  /// Passes a request to the device.
  private func pass(_ request: USBRequest) -> USBControlResult {
    let count = request.isIn ? min(Int(request.length), USBDeviceCore.controlByteCount) : core.controlCount
    guard let transfer = flights.takeIdle(of: host),
      transfer.prepare(.control, endpoint: 0, byteCount: count, setup: request.packet(length: UInt16(count)))
    else { return .stall }
    transfer.owner = self
    if !request.isIn {
      transfer.data.copyMemory(from: UnsafeRawBufferPointer(rebasing: controlBuffer[..<count]))
    }
    guard transfer.submit() else {
      flights.giveBack(transfer)
      return .stall
    }
    controlTransfer = transfer
    flights.add(transfer, for: nil)
    return .pending
  }

  private func endControl(_ transfer: HostUSBTransfer) {
    let isGood = transfer.result == .success
    if isGood && core.request.isIn {
      controlBuffer.copyMemory(from: received(by: transfer))
    }
    let count = transfer.doneCount
    flights.giveBack(transfer)
    completeControl(isGood ? .success(count) : .stall)
  }

  public override func controlAbandoned() {
    waitingRequest = nil
    awaitedOperation = nil
    let transfer = controlTransfer
    controlTransfer = nil
    transfer?.cancel()
  }

  // MARK: Operations

  private var isBusy: Bool { begunCount != endedCount }

  private func begin(_ operation: HostUSBOperation) {
    begunCount &+= 1
    host.begin(operation)
  }

  public func hostOperationEnded(_ operation: HostUSBOperation, succeeded: Bool) {
    guard isBusy else { return }
    endedCount &+= 1
    if awaitedOperation == endedCount {
      awaitedOperation = nil
      if succeeded { take(operation) }
      completeControl(succeeded ? .success(0) : .stall)
    }
    guard !isBusy else { return }
    if let request = waitingRequest {
      waitingRequest = nil
      completeControl(isGone ? .stall : begin(request))
    }
    wakeWaiting()
  }

  /// The device is now as the guest wanted it.
  private func take(_ operation: HostUSBOperation) {
    switch operation {
    case .setConfiguration(let value): configure(value)
    case .setInterface(let number, let alternate):
      guard number < USBDeviceCore.interfaceCount else { return }
      core.alternates[number] = alternate == 0 ? nil : alternate
      for endpoint in endpoints(of: number, alternate: alternate) { clear(endpoint) }
    case .clearHalt(let endpoint): clear(USBEndpointAddress(rawValue: endpoint))
    case .reset: break
    }
  }

  private func configure(_ value: UInt8) {
    core.configuration = value
    core.clearEndpoints()
    leftovers.forgetAll()
    if let configuration = host.configurations.first(where: { $0.value == value }) {
      description = Self.description(of: host, configuration: configuration)
    }
  }

  private func endpoints(of number: UInt8, alternate: UInt8) -> [USBEndpointAddress] {
    let interfaces = description.configurations[speed]?.interfaces ?? []
    return interfaces.filter { $0.number == number && $0.alternate == alternate }
      .flatMap { $0.endpoints.map(\.address) }
  }

  private func clear(_ endpoint: USBEndpointAddress) {
    core.setHalted(endpoint, false)
    leftovers.forget(endpoint)
  }

  // MARK: Coming and going

  public func hostDeviceGone() {
    guard !isGone else { return }
    isGone = true
    flights.cancelAll()
    if core.isAnswerPending {
      controlAbandoned()
      completeControl(.stall)
    }
    onGone?()
  }

  public override func busReset() {
    leftovers.forgetAll()
    waitingEndpoints = 0
    if !isGone, resets == .all || resets == .used && hasAddress { begin(.reset) }
    hasAddress = false
  }

  public override func pulledOut() { leftovers.forgetAll() }

  // MARK: Life

  public func reset() { resetFromPort() }

  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var vendor: UInt16
    var product: UInt16
  }

  public func save() -> State {
    State(core: saveCore(), vendor: host.facts.vendor, product: host.facts.product)
  }

  /// What the device itself knows cannot be saved: it is configured again, and a request that it had begun is made again.
  public func restore(_ state: State) throws(RestoreError) {
    guard state.vendor == host.facts.vendor, state.product == host.facts.product else {
      throw RestoreError("\(deviceName): the saved device was another, not \(host.facts.identity)")
    }
    abandonControl()
    try restore(core: state.core)
    let saved = core
    if saved.configuration != 0 {
      configure(saved.configuration)
      core = saved
      begin(.setConfiguration(saved.configuration))
      for (number, alternate) in saved.alternates.sorted(by: { $0.key < $1.key }) {
        begin(.setInterface(number, alternate: alternate))
      }
    }
    hasAddress = saved.address != 0
    guard saved.isAnswerPending else { return }
    if isGone {
      completeControl(.stall)
    } else if isBusy {
      waitingRequest = saved.request
    } else {
      completeControl(begin(saved.request))
    }
  }
}

extension USBResult {
  fileprivate init(_ result: HostUSBTransfer.Result) {
    self =
      switch result {
      case .success: .success
      case .stall: .stall
      case .babble: .babble
      case .error, .cancelled, .gone: .error
      }
  }
}

extension USBSpeed {
  fileprivate init(_ speed: HostUSBSpeed) {
    self =
      switch speed {
      case .low: .low
      case .full: .full
      case .high: .high
      case .superSpeed: .superSpeed
      }
  }
}

extension USBInterfaceDescription {
  fileprivate init(_ interface: HostUSBInterface) {
    self.init(
      number: interface.number, alternate: interface.alternate, classCode: (0, 0, 0),
      endpoints: interface.endpoints.map {
        USBEndpointDescription(
          USBEndpointAddress(rawValue: $0.address), .init(rawValue: $0.kind) ?? .bulk,
          maxPacketSize: $0.maxPacketSize,
          interval: $0.interval)
      })
  }
}
