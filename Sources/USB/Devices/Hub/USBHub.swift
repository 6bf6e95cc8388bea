// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// A hub of full speed with eight ports (USB 2.0 chapter 11): QEMU's `usb-hub`.
///
/// Its ports are always powered. They are its bus's while it is plugged in.
public final class USBHub: USBDevice, Device, USBPortHost {
  public static let portCount = 8
  public let deviceName: String
  /// Where its ports are known by their paths.
  public weak var bus: USBBus?
  /// What is behind it, while it is plugged in.
  public private(set) var ports: [USBPort] = []
  private var states = [PortState](repeating: PortState(), count: USBHub.portCount)

  struct PortState: Codable, Equatable, Sendable {
    var status: USBHubPortStatus = .power
    var change: USBHubPortStatus = []
  }

  /// A hub that is not plugged in.
  public init(bus: USBBus?, name: String = "usb-hub", serial: String? = nil) {
    deviceName = name
    self.bus = bus
    super.init(
      USBDescription(
        vendor: 0x0409, product: 0x55AA, release: 0x0101, classCode: (9, 0, 0),
        strings: ["Martlet", "Martlet USB Hub", serial ?? "314159"],
        configurations: [
          .full: USBConfigurationDescription(
            isSelfPowered: true, wakesRemotely: true, maxPower: 0,
            interfaces: [
              USBInterfaceDescription(
                classCode: (9, 0, 0),
                endpoints: [USBEndpointDescription(.in(1), .interrupt, maxPacketSize: 2, interval: 255)])
            ])
        ]))
  }

  // MARK: Ports

  public override func pluggedIn() {
    guard let path = port?.path else { return }
    ports = (0..<Self.portCount).map {
      USBPort(index: $0, path: "\(path).\($0 + 1)", speeds: [.low, .full], host: self)
    }
    states = [PortState](repeating: PortState(), count: Self.portCount)
    bus?.add(ports)
  }

  /// What is behind it goes with it.
  public override func pulledOut() {
    for port in ports { port.detach() }
    bus?.remove(ports)
    ports = []
  }

  public override func busReset() {
    for port in ports {
      states[port.index] = PortState()
      if port.device != nil { connect(port) }
    }
  }

  private func connect(_ port: USBPort) {
    states[port.index].status.insert(.connection)
    if port.device?.speed == .low { states[port.index].status.insert(.lowSpeed) }
    states[port.index].change.insert(.connection)
  }

  public func deviceAttached(to port: USBPort) {
    connect(port)
    announce()
  }

  public func deviceDetached(from port: USBPort) {
    let wasEnabled = states[port.index].status.contains(.enable)
    states[port.index].status = .power
    states[port.index].change.insert(.connection)
    if wasEnabled { states[port.index].change.insert(.enable) }
    announce()
  }

  public func deviceWokeUp(on port: USBPort) {
    if states[port.index].status.contains(.suspend) { resume(port) }
    announce()
  }

  public func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice) {
    port?.host?.endpointReady(endpoint, of: device)
  }

  private func announce() {
    wakeUp()
    endpointReady(.in(1))
  }

  private func resume(_ port: USBPort) {
    states[port.index].status.remove(.suspend)
    states[port.index].change.insert(.suspend)
    port.device?.setSuspended(false)
  }

  public override func suspendChanged() {
    for port in ports where states[port.index].status.contains(.enable) {
      port.device?.setSuspended(core.isSuspended || states[port.index].status.contains(.suspend))
    }
  }

  public override func device(at address: UInt8) -> USBDevice? {
    if core.address == address { return self }
    for port in ports where states[port.index].status.isSuperset(of: [.connection, .enable]) {
      if let device = port.device?.device(at: address) { return device }
    }
    return nil
  }

  public override func device(inPort number: Int) -> USBDevice? {
    ports.indices.contains(number - 1) ? ports[number - 1].device : nil
  }

  // MARK: The status change endpoint (section 11.12.4)

  public override func transfer(_ transfer: USBTransfer) -> USBResult {
    guard transfer.token == .in else { return .stall }
    var changes: UInt16 = 0
    for index in states.indices where !states[index].change.isEmpty { changes |= 2 << UInt16(index) }
    guard changes != 0 else { return .nak }
    guard transfer.byteCount >= 2 else { return .babble }
    withUnsafeBytes(of: changes.littleEndian) { _ = transfer.write($0) }
    return .success
  }

  // MARK: Requests (section 11.24.2)

  public override func control(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult
  {
    guard request.kind == .class else { return .stall }
    typealias Standard = USBStandardRequest
    switch (request.recipient, request.request) {
    case (.device, Standard.getDescriptor):
      guard request.value >> 8 == UInt16(USBHubDescriptor.type) else { return .stall }
      return reply(Self.descriptor, data)
    case (.device, Standard.getStatus): return reply([0, 0, 0, 0], data)
    case (.device, Standard.clearFeature), (.device, Standard.setFeature):
      return request.value <= USBHubFeature.changeOverCurrent ? .success(0) : .stall
    case (.other, _):
      let number = Int(request.index & 0xFF)
      guard 1...ports.count ~= number else { return .stall }
      return portRequest(request, ports[number - 1], data)
    default: return .stall
    }
  }

  private func portRequest(
    _ request: USBRequest, _ port: USBPort, _ data: UnsafeMutableRawBufferPointer
  ) -> USBControlResult {
    let state = states[port.index]
    switch request.request {
    case USBStandardRequest.getStatus:
      let words = [state.status.rawValue, state.change.rawValue]
      return reply(
        words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }, data)
    case USBStandardRequest.setFeature: return setFeature(request.value, port)
    case USBStandardRequest.clearFeature: return clearFeature(request.value, port)
    default: return .stall
    }
  }

  private func setFeature(_ feature: UInt16, _ port: USBPort) -> USBControlResult {
    switch feature {
    case USBHubFeature.portReset:
      // Done when the driver looks.
      guard let device = port.device else { return .success(0) }
      device.resetFromPort()
      states[port.index].status.insert(.enable)
      states[port.index].status.remove(.suspend)
      states[port.index].change.insert(.reset)
      announce()
    case USBHubFeature.portSuspend:
      guard states[port.index].status.contains(.enable) else { return .success(0) }
      states[port.index].status.insert(.suspend)
      port.device?.setSuspended(true)
    case USBHubFeature.portPower: break
    default: return .stall
    }
    return .success(0)
  }

  private func clearFeature(_ feature: UInt16, _ port: USBPort) -> USBControlResult {
    switch feature {
    case USBHubFeature.portEnable: states[port.index].status.remove(.enable)
    case USBHubFeature.portSuspend:
      guard states[port.index].status.contains(.suspend) else { return .success(0) }
      resume(port)
      announce()
    case USBHubFeature.portPower: break
    case USBHubFeature.changeConnection...USBHubFeature.changeReset:
      states[port.index].change.remove(
        USBHubPortStatus(rawValue: 1 << (feature - USBHubFeature.changeConnection)))
    default: return .stall
    }
    return .success(0)
  }

  /// Section 11.23.2.1: no power switching, over-current by port, all devices removable.
  private static let descriptor: [UInt8] = [
    11, USBHubDescriptor.type, UInt8(portCount), 0x0A, 0x00, 1, 0, 0, 0, 0xFF, 0xFF,
  ]

  // MARK: Life

  public func reset() { resetFromPort() }

  /// What is behind it has its own.
  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var ports: [PortState]
  }

  public func save() -> State { State(core: saveCore(), ports: states) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.ports.count == Self.portCount else {
      throw RestoreError("\(deviceName): its saved state is damaged")
    }
    try restore(core: state.core)
    states = state.ports
  }
}
