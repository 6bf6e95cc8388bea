// SPDX-License-Identifier: GPL-2.0-or-later

import PCI
import USB

/// USB as monitors see it. Called with the machine's lock held.
extension Machine {
  /// A device on a USB.
  public struct USBDeviceFacts: Sendable, Equatable {
    /// `id=`, or what it is and a number.
    public let name: String
    public let id: String?
    /// QEMU's name for what it is.
    public let driver: String
    /// The bus's number, and its name.
    public let bus: Int
    public let busName: String
    /// The address that the driver gave it.
    public let address: UInt8
    public let port: String
    /// In Mb/s.
    public let speed: String
    public let product: String
  }

  /// Whether there is a USB at all.
  public var hasUSB: Bool { !board.usbControllers.isEmpty }

  /// The buses and where their controllers are.
  public var usbBuses: [(name: String, address: PCIAddress)] {
    board.usbControllers.compactMap { controller in controller.bus.map { ($0.name, controller.address) } }
  }

  /// What is plugged in.
  public var usbDevices: [USBDeviceFacts] {
    board.usbDevices.map { peripheral in
      let speed =
        switch peripheral.device.speed {
        case .low: "1.5"
        case .full: "12"
        case .high: "480"
        case .superSpeed: "5000"
        }
      let strings = peripheral.device.description.strings
      return USBDeviceFacts(
        name: peripheral.name, id: peripheral.configuration.id, driver: peripheral.configuration.driver,
        bus: board.usbBuses.firstIndex { $0 === peripheral.bus } ?? 0, busName: peripheral.bus.name,
        address: peripheral.device.core.address, port: peripheral.port.path, speed: speed,
        product: strings.count > 1 ? strings[1] : "")
    }
  }

  /// Plugs a device in.
  public func addUSBDevice(_ configuration: USBDeviceConfiguration) throws(MachineError) {
    let driveCount = board.drives.count
    do { try board.addUSBDevice(configuration, clock: clock) } catch let error as MachineError {
      throw error
    } catch {
      throw MachineError(error)
    }
    for drive in board.drives[driveCount...] { tellEvents(of: drive) }
  }

  /// The name of the device with that id or path in the tree of objects; nil if there is none.
  public func usbDevice(atPath path: String) -> String? {
    let places = ["/machine/peripheral/", "/machine/peripheral-anon/"]
    let name = places.first { path.hasPrefix($0) }.map { String(path.dropFirst($0.count)) } ?? path
    return board.usbDevices.first { $0.name == name }?.name
  }

  /// A device of the host is not there any more.
  func usbDeviceGone(_ name: String) {
    guard let device = usbDevices.first(where: { $0.name == name }) else { return }
    log.message("martlet: the USB device \(device.product) ('\(name)') was pulled out of the host")
    removeUSBDevice(name)
  }

  /// Pulls a device out, and what is behind it.
  public func removeUSBDevice(_ name: String) {
    for device in board.removeUSBDevice(named: name) {
      onEvent?(.deviceRemoved(id: device.configuration.id, name: device.name))
    }
  }
}
