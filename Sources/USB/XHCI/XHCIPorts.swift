// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The root hub's ports: each socket is two of them, one of super speed and one of USB 2.0 (xHCI 1.2, section 4.19).
extension XHCI {
  static let socketCount = 4
  static let portCount = 2 * socketCount

  /// A port's register and its link.
  struct RootPort: Codable, Equatable {
    var status: XHCIPortStatus = []
    var link = XHCILinkState.detectsReceiver
    /// PORTPMSC; the link never sleeps by itself.
    var powerManagement: UInt32 = 0
    /// PSCEG: its change is to be told.
    var isChangeUntold = false
  }

  private func isSuperSpeed(_ register: Int) -> Bool { register < Self.socketCount }

  /// Where a device shows.
  private func register(of device: USBDevice, in port: USBPort) -> Int {
    device.speed == .superSpeed ? port.index : port.index + Self.socketCount
  }

  /// The device at a port, while the port is enabled.
  func device(inRegister register: Int) -> USBDevice? {
    guard rootPorts.indices.contains(register), rootPorts[register].status.contains(.enabled) else {
      return nil
    }
    return connectedDevice(register)
  }

  private func connectedDevice(_ register: Int) -> USBDevice? {
    guard let device = ports[register % Self.socketCount].device,
      (device.speed == .superSpeed) == isSuperSpeed(register)
    else { return nil }
    return device
  }

  // MARK: Registers

  func readPort(_ index: Int, _ register: Int) -> UInt32 {
    let port = rootPorts[index]
    switch register {
    case XHCIPortRegister.statusAndControl:
      // PSI: full, low, high, super.
      let speed: UInt32 =
        switch connectedDevice(index)?.speed {
        case nil: 0
        case .full: 1
        case .low: 2
        case .high: 3
        case .superSpeed: 4
        }
      return port.status.union(.power).rawValue | UInt32(port.link.rawValue) << 5 | speed << 10
    case XHCIPortRegister.powerManagement: return port.powerManagement
    default: return 0
    }
  }

  func writePort(_ index: Int, _ register: Int, _ value: UInt32) {
    switch register {
    case XHCIPortRegister.statusAndControl: writePort(index, XHCIPortStatus(rawValue: value))
    case XHCIPortRegister.powerManagement: rootPorts[index].powerManagement = value & 0x1_FFFF
    default: break
    }
  }

  private func writePort(_ index: Int, _ new: XHCIPortStatus) {
    var status = rootPorts[index].status.subtracting(new.intersection(.changes))
    status = status.subtracting(.free).union(new.intersection(.free))
    rootPorts[index].status = status
    if status.isDisjoint(with: .changes) { rootPorts[index].isChangeUntold = false }
    if new.contains(.reset) || new.contains(.warmReset) && isSuperSpeed(index) {
      return resetPort(index, isWarm: new.contains(.warmReset))
    }
    if new.contains(.enabled) && status.contains(.enabled) {
      // Writing 1 disables it.
      rootPorts[index].status.remove(.enabled)
      setLink(.disabled, index)
    }
    if new.contains(.linkStateStrobe) { writeLink(index, UInt8(truncatingIfNeeded: new.rawValue >> 5 & 15)) }
  }

  /// PR and WPR: done at once.
  private func resetPort(_ index: Int, isWarm: Bool) {
    guard let device = connectedDevice(index) else { return }
    trace("port \(index + 1) reset")
    device.resetFromPort()
    rootPorts[index].status.insert(.enabled)
    setLink(.active, index)
    tell(isWarm && isSuperSpeed(index) ? [.resetChange, .warmResetChange] : .resetChange, index)
  }

  /// PLS as the driver writes it.
  private func writeLink(_ index: Int, _ value: UInt8) {
    guard let link = XHCILinkState(rawValue: value), connectedDevice(index) != nil else {
      if value == XHCILinkState.detectsReceiver.rawValue { setLink(.detectsReceiver, index) }
      return
    }
    switch (link, rootPorts[index].link) {
    case (.suspended, .active): setLink(.suspended, index)
    case (.resume, .suspended): if !isSuperSpeed(index) { setLink(.resume, index) }
    case (.active, .suspended), (.active, .resume):
      setLink(.active, index)
      tell(.linkStateChange, index)
      wakeAll()
    case (.detectsReceiver, .disabled): connect(index)
    default: break
    }
  }

  private func setLink(_ link: XHCILinkState, _ index: Int) {
    rootPorts[index].link = link
    connectedDevice(index)?.setSuspended(link == .suspended)
  }

  /// A device is there: of super speed, it is enabled without a reset.
  private func connect(_ index: Int) {
    rootPorts[index].status.insert(.connected)
    if isSuperSpeed(index) { rootPorts[index].status.insert(.enabled) }
    setLink(isSuperSpeed(index) ? .active : .polling, index)
  }

  /// Shows a change, and tells of it, unless another was told and not yet acknowledged (section 4.19.2).
  private func tell(_ change: XHCIPortStatus, _ index: Int) {
    let isTold = !rootPorts[index].status.isDisjoint(with: .changes)
    rootPorts[index].status.formUnion(change)
    report(.portChange)
    guard !isTold else { return }
    rootPorts[index].isChangeUntold = true
    postPortChanges()
  }

  /// Port Status Change Events (section 6.4.2.3), while the controller runs.
  func postPortChanges() {
    guard isRunning else { return }
    for index in rootPorts.indices where rootPorts[index].isChangeUntold {
      guard canPost(1) else { return }
      rootPorts[index].isChangeUntold = false
      post(XHCIBlock(.portStatusChange, parameter: UInt64(index + 1) << 24, completion: .success), to: 0)
    }
  }

  /// As after a reset: what is plugged in shows as new.
  func resetPorts() {
    for index in rootPorts.indices {
      rootPorts[index] = RootPort()
      guard let device = connectedDevice(index) else { continue }
      device.resetFromPort()
      connect(index)
      rootPorts[index].status.insert(.connectChange)
      rootPorts[index].isChangeUntold = true
    }
  }

  /// Takes saved registers over; what is plugged in is another matter.
  func restorePorts(_ saved: [RootPort]) {
    for index in rootPorts.indices where saved.indices.contains(index) {
      rootPorts[index] = saved[index]
      rootPorts[index].status.formIntersection(.kept)
      if connectedDevice(index) == nil {
        rootPorts[index].status.remove(.enabled)
      } else {
        rootPorts[index].status.insert(.connected)
      }
    }
  }

  // MARK: What devices do

  public func deviceAttached(to port: USBPort) {
    guard let device = port.device else { return }
    let index = register(of: device, in: port)
    trace("port \(index + 1) has a device")
    connect(index)
    tell(.connectChange, index)
  }

  public func deviceDetached(from port: USBPort) {
    for index in [port.index, port.index + Self.socketCount]
    where rootPorts[index].status.contains(.connected) {
      trace("port \(index + 1) lost its device")
      rootPorts[index].status.subtract([.connected, .enabled])
      rootPorts[index].link = .detectsReceiver
      tell(.connectChange, index)
    }
  }

  public func deviceWokeUp(on port: USBPort) {
    guard let device = port.device else { return }
    let index = register(of: device, in: port)
    guard rootPorts[index].link == .suspended else { return }
    trace("port \(index + 1) wakes up")
    setLink(.resume, index)
    tell(.linkStateChange, index)
  }
}
