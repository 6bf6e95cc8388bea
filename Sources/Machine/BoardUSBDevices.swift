// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import OptionSyntax
import USB

/// Something on a USB.
struct USBPeripheral {
  let configuration: USBDeviceConfiguration
  /// `id=`, or what it is and a number.
  let name: String
  let device: any USBDevice & Device
  let bus: USBBus
  let port: USBPort
}

extension Board {
  private static let usbHubLimit = 5

  /// The buses, by number.
  var usbBuses: [USBBus] { usbControllers.compactMap(\.bus) }

  /// Plugs a device in.
  func addUSBDevice(_ configuration: USBDeviceConfiguration, clock: Clock) throws {
    let name = configuration.id ?? freeUSBName(configuration.driver)
    guard !usbDevices.contains(where: { $0.name == name }) else {
      throw MachineError("Duplicate device ID '\(name)'")
    }
    let device = try makeUSBDevice(configuration, name: name, clock: clock)
    let bus: USBBus
    let port: USBPort
    do {
      (bus, port) = try checkedPlace(of: configuration, for: device, clock: clock)
    } catch {
      releaseHostEnds(of: configuration, device)
      throw error
    }
    (device as? USBHub)?.bus = bus
    devices.append(device)
    usbDevices.append(
      USBPeripheral(configuration: configuration, name: name, device: device, bus: bus, port: port))
    guard port.attach(device) else {
      removeUSBDevice(usbDevices.count - 1)
      throw MachineError("\(configuration.driver): it cannot be connected to the port \(port.path)")
    }
  }

  private func checkedPlace(
    of configuration: USBDeviceConfiguration, for device: USBDevice, clock: Clock
  ) throws -> (USBBus, USBPort) {
    if let version = configuration.version, !device.limit(toVersion: version) {
      throw MachineError("\(configuration.driver): usb_version=\(version) leaves it no speed")
    }
    let (bus, port) = try place(of: configuration, for: device, clock: clock)
    // USB 2.0 section 4.1.1: five hubs in a row. A port's path has a number for each, and its own.
    guard configuration.kind != .hub || port.path.split(separator: ".").count <= Self.usbHubLimit else {
      throw MachineError(
        "\(configuration.driver): no more than \(Self.usbHubLimit) hubs go behind one another")
    }
    return (bus, port)
  }

  private func freeUSBName(_ driver: String) -> String {
    var number = 0
    while usbDevices.contains(where: { $0.name == "\(driver).\(number)" }) { number += 1 }
    return "\(driver).\(number)"
  }

  /// Where it goes. The last free port of a bus gets a hub first, as in QEMU, so that there is always room for more.
  private func place(of configuration: USBDeviceConfiguration, for device: USBDevice, clock: Clock) throws
    -> (
      USBBus, USBPort
    )
  {
    let driver = configuration.driver
    let buses =
      try configuration.bus.map { name in
        guard let bus = usbBuses.first(where: { $0.name == name }) else {
          throw MachineError("Bus '\(name)' not found\(didYouMean(name, in: usbBuses.map(\.name)))")
        }
        return [bus]
      } ?? usbBuses
    if let path = configuration.port {
      guard let (bus, port) = buses.lazy.compactMap({ bus in bus.port(at: path).map { (bus, $0) } }).first
      else {
        throw MachineError(
          "\(driver): there is no port \(path) on \(buses.map(\.name).joined(separator: ", "))")
      }
      guard port.device == nil else { throw MachineError("\(driver): the port \(path) is taken") }
      guard !port.speeds.isDisjoint(with: device.speeds) else {
        throw MachineError("\(driver): the port \(path) has none of its speeds")
      }
      return (bus, port)
    }
    for bus in buses {
      guard let port = bus.freePort(for: device) else { continue }
      guard configuration.kind != .hub, bus.ports.filter({ $0.device == nil }).count == 1 else {
        return (bus, port)
      }
      var hub = USBDeviceConfiguration(.hub)
      (hub.bus, hub.port) = (bus.name, port.path)
      do { try addUSBDevice(hub, clock: clock) } catch { return (bus, port) }
      return (bus, bus.freePort(for: device) ?? port)
    }
    throw MachineError("\(driver): there is no free USB port for it")
  }

  /// Pulls a device out, and what is behind it, if it is a hub.
  func removeUSBDevice(named name: String) -> [USBPeripheral] {
    guard let found = usbDevices.first(where: { $0.name == name }) else { return [] }
    let behind = usbDevices.filter { $0.bus === found.bus && $0.port.path.hasPrefix("\(found.port.path).") }
    // The farthest first.
    let gone = (behind + [found]).sorted { $0.port.path.count > $1.port.path.count }
    for device in gone {
      device.port.detach()
      if let index = usbDevices.firstIndex(where: { $0.name == device.name }) { removeUSBDevice(index) }
    }
    return gone
  }

  private func removeUSBDevice(_ index: Int) {
    let gone = usbDevices.remove(at: index)
    devices.removeAll { $0 === gone.device }
    releaseHostEnds(of: gone.configuration, gone.device)
  }
}
