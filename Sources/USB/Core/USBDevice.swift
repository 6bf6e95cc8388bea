// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// A device on a USB: answers the standard requests of USB 2.0 chapter 9, and leaves its endpoints, class requests and
/// state to the subclass, which also adopts `Device`.
///
/// It knows no controller: transfers come in by ``submit(_:)`` with a token, and what changes by itself goes out to
/// its port. All with the machine's lock held.
open class USBDevice {
  /// What it says of itself.
  public internal(set) var description: USBDescription
  /// The speeds it can be connected at.
  public private(set) var speeds: USBSpeeds
  /// Where it is plugged in.
  public private(set) weak var port: USBPort?
  /// The speed it is connected at.
  public private(set) var speed: USBSpeed
  /// What every device keeps.
  public internal(set) var core = USBDeviceCore()
  /// What waits for it: oldest first.
  var pendingTransfers: [USBTransfer] = []
  /// The data stage of a control request.
  let controlBuffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: USBDeviceCore.controlByteCount, alignment: 8)

  /// An unplugged device.
  public init(_ description: USBDescription) {
    self.description = description
    speeds = description.speeds
    speed = description.speeds.fastest ?? .full
    controlBuffer.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { controlBuffer.deallocate() }

  /// Leaves out faster speeds than some version of USB has, before it is plugged in.
  /// - Parameter version: 1, 2 or 3.
  /// - Returns: false if it has no speed left.
  public func limit(toVersion version: Int) -> Bool {
    let known: USBSpeeds = version >= 3 ? .all : version == 2 ? [.low, .full, .high] : [.low, .full]
    guard !speeds.isDisjoint(with: known) else { return false }
    description = description.limited(to: known)
    speeds = description.speeds
    return true
  }

  // MARK: For subclasses

  /// Does a transfer of an endpoint of the present configuration, other than endpoint 0, that is not halted. A `stall`
  /// of a bulk or interrupt endpoint halts it.
  open func transfer(_ transfer: USBTransfer) -> USBResult { .stall }

  /// A pending transfer was taken back: forget it.
  open func cancel(_ transfer: USBTransfer) {}

  /// Does a request of a class or vendor, or a standard one that the core does not know (such as GET_DESCRIPTOR of a
  /// class's descriptor). IN: fill `data` and answer with the number of bytes. OUT: `data` holds what was sent.
  open func control(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult { .stall }

  /// Sees every control request first, with the memory of its data.
  /// - Returns: nil if the core is to do it.
  open func intercept(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult? { nil }

  /// A control request that was answered with `pending` does not matter any more: forget it.
  open func controlAbandoned() {}

  /// A bus reset: unconfigured, address 0.
  open func busReset() {}

  /// SET_CONFIGURATION; `core.configuration` is the new one, 0 for none.
  open func configurationChanged() {}

  /// SET_INTERFACE was accepted.
  open func interfaceChanged(_ number: UInt8, alternate: UInt8) {}

  /// CLEAR_FEATURE(ENDPOINT_HALT): the data toggle starts anew.
  open func endpointCleared(_ endpoint: USBEndpointAddress) {}

  /// The bus went idle under it, or came back (USB 2.0 section 9.1.1.6).
  open func suspendChanged() {}

  /// It was plugged in.
  open func pluggedIn() {}

  /// It was pulled out; its pending transfers are gone.
  open func pulledOut() {}

  /// The device with that address: this one, or one behind it, if it is a hub.
  open func device(at address: UInt8) -> USBDevice? { core.address == address ? self : nil }

  /// The device behind it in that port, counted from 1: of a hub, for route strings.
  open func device(inPort number: Int) -> USBDevice? { nil }

  // MARK: What it tells

  /// An endpoint that answered NAK has something now.
  public func endpointReady(_ endpoint: USBEndpointAddress) { port?.host?.endpointReady(endpoint, of: self) }

  /// Asks to be woken, if it is suspended and the driver allowed it.
  /// - Returns: whether it did.
  @discardableResult
  public func wakeUp() -> Bool {
    guard core.isSuspended, core.mayWakeUp, let port else { return false }
    port.host?.deviceWokeUp(on: port)
    return true
  }

  /// Ends the oldest pending transfer of an endpoint, if there is one.
  public func pendingTransfer(of endpoint: USBEndpointAddress) -> USBTransfer? {
    pendingTransfers.first { $0.endpoint == endpoint.number && ($0.token == .in) == endpoint.isIn }
  }

  // MARK: The port's and the controller's side

  func plugIn(to port: USBPort, speed: USBSpeed) {
    self.port = port
    self.speed = speed
    core = USBDeviceCore()
    pluggedIn()
  }

  func pullOut() {
    port = nil
    endPendingTransfers()
    abandonControl()
    core = USBDeviceCore()
    pulledOut()
  }

  /// The port drives a reset (USB 2.0 section 7.1.7.5). Pending transfers end with `error`.
  public func resetFromPort() {
    endPendingTransfers()
    abandonControl()
    core = USBDeviceCore()
    busReset()
  }

  /// The port was suspended or resumed.
  public func setSuspended(_ isSuspended: Bool) {
    guard core.isSuspended != isSuspended else { return }
    core.isSuspended = isSuspended
    suspendChanged()
  }

  func abandonControl() {
    guard core.isAnswerPending else { return }
    core.isAnswerPending = false
    controlAbandoned()
  }

  private func endPendingTransfers() {
    let transfers = pendingTransfers
    for transfer in transfers {
      cancel(transfer)
      transfer.complete(.error)
    }
    pendingTransfers.removeAll()
  }

  /// Does a transfer of any endpoint: called by ``USBTransfer/submit(to:)``.
  func submit(_ transfer: USBTransfer) -> USBResult {
    if transfer.endpoint == 0 { return submitControl(transfer) }
    guard transfer.token != .setup, core.configuration != 0 else { return .stall }
    let address = transfer.address
    guard endpoint(address) != nil else { return .error }
    if core.isHalted(address) { return .stall }
    let result = self.transfer(transfer)
    if result == .stall { halt(transfer) }
    return result
  }

  /// A transfer's endpoint answered STALL.
  func halt(_ transfer: USBTransfer) {
    guard let endpoint = endpoint(transfer.address), endpoint.kind != .isochronous else { return }
    core.setHalted(transfer.address, true)
  }

  /// The endpoint of that address in the present configuration and alternate settings.
  public func endpoint(_ address: USBEndpointAddress) -> USBEndpointDescription? {
    guard core.configuration != 0, let configuration = description.configurations[speed] else { return nil }
    for interface in configuration.interfaces where core.alternate(interface.number) == interface.alternate {
      for endpoint in interface.endpoints where endpoint.address == address { return endpoint }
    }
    return nil
  }

  // MARK: State

  /// Takes over a saved core.
  public func restore(core saved: USBDeviceCore) throws(RestoreError) {
    guard saved.isValid else { throw RestoreError("USB device: its saved state is damaged") }
    core = saved
    controlBuffer.copyBytes(from: saved.controlData)
  }

  /// What to save of it.
  public func saveCore() -> USBDeviceCore {
    var saved = core
    saved.controlData = Array(UnsafeRawBufferPointer(rebasing: controlBuffer[..<core.controlCount]))
    return saved
  }
}
