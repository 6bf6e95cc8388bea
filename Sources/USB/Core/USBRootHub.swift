// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The bits of PORTSC that controllers with such a register have alike, whatever their places.
protocol USBRootPortStatus {
  static var connectChange: Self { get }
  static var enabled: Self { get }
  static var enableChange: Self { get }
  static var suspended: Self { get }
  static var resume: Self { get }
}

/// The ports of a controller that shows each of them in a PORTSC register.
protocol USBRootHub: USBPortHost {
  associatedtype PortStatus: OptionSet & USBRootPortStatus
  where PortStatus.Element == PortStatus, PortStatus.ArrayLiteralElement == PortStatus
  var ports: [USBPort] { get }
  /// What is kept of each port's register.
  var portStatus: [PortStatus] { get set }
  var trace: TraceCategory { get }
  /// There may be something to do.
  func wake()
}

extension USBRootHub {
  /// The device in a port, while the port is this controller's.
  func device(in index: Int) -> USBDevice? { ports[index].host === self ? ports[index].device : nil }

  func index(of port: USBPort) -> Int? { ports.firstIndex { $0 === port } }

  /// The device that answers to an address: those behind ports that are enabled hear the bus.
  func device(at address: UInt8) -> USBDevice? {
    for index in ports.indices
    where portStatus[index].contains(.enabled) && !portStatus[index].contains(.suspended) {
      if let device = device(in: index)?.device(at: address) { return device }
    }
    return nil
  }

  /// Shows in the port's register that a device came.
  /// - Returns: false if the port is not one of these.
  func showAttached(to port: USBPort) -> Bool {
    guard let index = index(of: port) else { return false }
    trace("port \(index + 1) has a device")
    portStatus[index].insert(.connectChange)
    return true
  }

  /// Shows in the port's register that the device went.
  /// - Returns: false if the port is not one of these.
  func showDetached(from port: USBPort) -> Bool {
    guard let index = index(of: port) else { return false }
    trace("port \(index + 1) lost its device")
    if portStatus[index].contains(.enabled) { portStatus[index].insert(.enableChange) }
    portStatus[index].subtract([.enabled, .suspended, .resume])
    portStatus[index].insert(.connectChange)
    return true
  }
}
