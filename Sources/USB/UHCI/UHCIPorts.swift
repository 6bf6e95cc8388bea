// SPDX-License-Identifier: GPL-2.0-or-later

/// PORTSC, and what devices do to it.
extension UHCI {
  func readPort(_ index: Int) -> UInt16 {
    guard ports.indices.contains(index) else { return UHCIRegister.noPort }
    var value = portStatus[index].union(.alwaysOne)
    if let device = device(in: index) {
      value.insert(.connected)
      // The line that is pulled up tells the speed (USB 2.0 section 7.1.5).
      value.insert(device.speed == .low ? [.lowSpeed, .dataMinus] : .dataPlus)
    }
    return value.rawValue
  }

  func writePort(_ index: Int, _ new: UHCIPortStatus) {
    guard ports.indices.contains(index) else { return }
    let old = portStatus[index]
    var value = old.subtracting(new.intersection(.clearOnWrite)).subtracting(.writable)
    value.formUnion(new.intersection(.writable))
    if value.contains(.reset) {
      value.remove(.enabled)
      if !old.contains(.reset) {
        trace("port \(index + 1) reset")
        device(in: index)?.resetFromPort()
      }
    }
    if device(in: index) == nil { value.remove(.enabled) }
    portStatus[index] = value
    updateSuspension()
  }

  /// Devices are suspended by their port, or with the whole bus.
  func updateSuspension() {
    let isGlobal = usbCommand.contains(.globalSuspend) && !usbCommand.contains(.globalResume)
    for index in ports.indices {
      let port = portStatus[index]
      let isSuspended =
        port.contains(.enabled) && (isGlobal || port.contains(.suspended) && !port.contains(.resume))
      device(in: index)?.setSuspended(isSuspended)
    }
  }

  // MARK: What devices do

  public func deviceAttached(to port: USBPort) {
    guard showAttached(to: port) else { return }
    resumeFromGlobalSuspend()
  }

  public func deviceDetached(from port: USBPort) {
    guard showDetached(from: port) else { return }
    resumeFromGlobalSuspend()
  }

  public func deviceWokeUp(on port: USBPort) {
    guard let index = index(of: port) else { return }
    trace("port \(index + 1) wakes up")
    if portStatus[index].contains(.suspended) { portStatus[index].insert(.resume) }
    resumeFromGlobalSuspend()
    updateSuspension()
  }

  /// Something happened on a suspended bus: FGR is set until the driver ends the resume (section 2.1.1).
  private func resumeFromGlobalSuspend() {
    if usbCommand.contains(.globalSuspend) {
      usbCommand.insert(.globalResume)
      report(.resumeDetect)
    }
    wake()
  }

  public func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice) { wake() }
}
