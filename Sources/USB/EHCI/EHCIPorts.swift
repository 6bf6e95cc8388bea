// SPDX-License-Identifier: GPL-2.0-or-later

/// PORTSC, and what devices do to it.
extension EHCI {
  func readPort(_ index: Int) -> UInt32 {
    guard ports.indices.contains(index) else { return 0 }
    var value = portStatus[index].union(.power)
    if let device = device(in: index) {
      value.insert(.connected)
      if !value.contains(.enabled) { value.insert(device.speed == .low ? .kState : .jState) }
    }
    return value.rawValue
  }

  func writePort(_ index: Int, _ new: EHCIPortStatus) {
    guard ports.indices.contains(index) else { return }
    var value = portStatus[index].subtracting(new.intersection(.clearOnWrite))
    value = value.subtracting(.free).union(new.intersection(.free))
    if !new.contains(.enabled) { value.remove(.enabled) }
    let device = device(in: index)
    if new.contains(.reset) {
      value.subtract([.enabled, .suspended, .resume])
      if value.insert(.reset).inserted {
        trace("port \(index + 1) reset")
        device?.resetFromPort()
      }
    } else if value.remove(.reset) != nil, device?.speed == .high {
      // Others stay disabled: the driver gives the port to a companion (EHCI 1.0, section 4.2.2).
      value.insert(.enabled)
    }
    if value.contains(.enabled) {
      if new.contains(.suspended) && !new.contains(.resume) { value.insert(.suspended) }
      if value.contains(.suspended) {
        if new.contains(.resume) {
          value.insert(.resume)
        } else if value.remove(.resume) != nil {
          value.remove(.suspended)
        }
      }
    } else {
      value.subtract([.suspended, .resume])
    }
    portStatus[index] = value
    device?.setSuspended(isSuspended(index))
    if isConfigured, new.contains(.owner) != value.contains(.owner) {
      setOwner(index, isCompanion: new.contains(.owner))
    }
  }

  private func isSuspended(_ index: Int) -> Bool {
    portStatus[index].contains(.suspended) && !portStatus[index].contains(.resume)
  }

  // MARK: What devices do

  public func deviceAttached(to port: USBPort) {
    guard showAttached(to: port) else { return }
    report(.portChange)
  }

  public func deviceDetached(from port: USBPort) {
    guard showDetached(from: port) else { return }
    report(.portChange)
    wake()
  }

  public func deviceWokeUp(on port: USBPort) {
    guard let index = index(of: port), isSuspended(index) else { return }
    trace("port \(index + 1) wakes up")
    portStatus[index].insert(.resume)
    device(in: index)?.setSuspended(false)
    report(.portChange)
    wake()
  }

  public func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice) { wake() }
}
