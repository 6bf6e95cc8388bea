// SPDX-License-Identifier: GPL-2.0-or-later

/// What ports are part of: a host controller's root hub, or a hub. Called with the machine's lock held.
public protocol USBPortHost: AnyObject {
  /// A device was plugged in.
  func deviceAttached(to port: USBPort)
  /// The port's device was pulled out; ``USBPort/device`` is nil again.
  func deviceDetached(from port: USBPort)
  /// The device signals that it wants to be woken (remote wake-up, USB 2.0 section 7.1.7.7).
  func deviceWokeUp(on port: USBPort)
  /// An endpoint of a device on this port, or behind the hub there, that answered NAK has something now.
  func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice)
}

/// A socket for a device.
public final class USBPort {
  /// Its number among its host's, from 0 (data sheets and `path` count from 1).
  public let index: Int
  /// Where it is from the root on, as in `port=`: "2", or "1.3" for the third of the hub in root port 1.
  public let path: String
  /// What can be plugged in.
  public let speeds: USBSpeeds
  /// What its present host talks at: fewer than ``speeds`` where controllers share a port.
  public private(set) var hostSpeeds: USBSpeeds
  /// What it is part of. Controllers that share a port hand it over: ``hand(to:speeds:)``.
  public private(set) weak var host: (any USBPortHost)?
  /// What is plugged in.
  public private(set) var device: USBDevice?

  /// An empty port.
  public init(index: Int, path: String, speeds: USBSpeeds, host: (any USBPortHost)?) {
    self.index = index
    self.path = path
    self.speeds = speeds
    hostSpeeds = speeds
    self.host = host
  }

  /// Plugs a device in, at the fastest speed that both know.
  /// - Returns: false if the port is taken or they have no speed in common.
  public func attach(_ device: USBDevice) -> Bool {
    guard self.device == nil, let speed = speed(of: device) else { return false }
    self.device = device
    device.plugIn(to: self, speed: speed)
    host?.deviceAttached(to: self)
    return true
  }

  /// The speed at which a device is connected; nil if it does not fit. What fits the socket is never refused for the
  /// speeds of the present host: it is connected at the slowest.
  private func speed(of device: USBDevice) -> USBSpeed? {
    let common = speeds.intersection(device.speeds)
    return common.intersection(hostSpeeds).fastest ?? common.slowest
  }

  /// Switches the port over to another controller that shares it: the device is disconnected from the one and connected
  /// to the other, at a speed that this one talks at.
  public func hand(to newHost: (any USBPortHost)?, speeds newSpeeds: USBSpeeds) {
    guard host !== newHost || hostSpeeds != newSpeeds else { return }
    let plugged = device
    detach()
    host = newHost
    hostSpeeds = newSpeeds
    if let plugged { _ = attach(plugged) }
  }

  /// Pulls the device out. Its pending transfers end with `error`.
  public func detach() {
    guard let device else { return }
    self.device = nil
    device.pullOut()
    host?.deviceDetached(from: self)
  }
}

/// The ports of one host controller, and of the hubs on it: what `bus=usb-bus.0,port=1.2` names.
public final class USBBus {
  /// "usb-bus.0"
  public let name: String
  /// All ports, the roots first.
  public private(set) var ports: [USBPort]

  public init(name: String, ports: [USBPort]) {
    self.name = name
    self.ports = ports
  }

  /// The port at that path.
  public func port(at path: String) -> USBPort? { ports.first { $0.path == path } }

  /// The first free port that the device fits; root ports come first.
  public func freePort(for device: USBDevice) -> USBPort? {
    ports.first { $0.device == nil && !$0.speeds.isDisjoint(with: device.speeds) }
  }

  /// A hub was plugged in.
  public func add(_ hubPorts: [USBPort]) { ports += hubPorts }

  /// A hub was pulled out.
  public func remove(_ hubPorts: [USBPort]) { ports.removeAll { port in hubPorts.contains { $0 === port } } }
}
