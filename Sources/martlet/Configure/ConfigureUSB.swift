// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax
import PCI

extension ConfigurationBuilder {
  /// `-usb` and `-usbdevice`, after `-device`, whose controllers come behind them on the buses.
  mutating func configureUSB() throws(OptionError) {
    let given = options.usb
    if given.usb || !given.usbDevices.isEmpty {
      var controller = USBControllerConfiguration(.piix3UHCI)
      controller.address = PCIAddress(1, 2)
      configuration.usb.controllers.insert(controller, at: 0)
    }
    for (index, text) in given.usbDevices.enumerated() { try addUSBDevice(text, number: index) }
    if given.usb, !options.machine.noDefaults, !configuration.usb.devices.contains(where: \.isPointer) {
      configuration.usb.devices.append(USBDeviceConfiguration(.tablet))
    }
    if let device = configuration.usb.devices.first, configuration.usb.controllers.isEmpty {
      throw OptionError("-device \(device.driver): there is no USB; '-usb' or '-device qemu-xhci' adds it")
    }
    try checkSlots()
  }

  /// `-usbdevice`.
  private mutating func addUSBDevice(_ text: String, number: Int) throws(OptionError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count > 1 ? parts[1] : "") {
    case ("tablet", ""): configuration.usb.devices.append(USBDeviceConfiguration(.tablet))
    case ("mouse", ""): configuration.usb.devices.append(USBDeviceConfiguration(.mouse))
    case ("keyboard", ""): configuration.usb.devices.append(USBDeviceConfiguration(.keyboard))
    case ("hub", ""): configuration.usb.devices.append(USBDeviceConfiguration(.hub))
    case ("disk", let file) where !file.isEmpty:
      var drive = DriveConfiguration(file: file)
      drive.id = "usb-disk\(number)"
      configuration.drives.append(drive)
      configuration.usb.devices.append(USBDeviceConfiguration(.storage(drive: "usb-disk\(number)")))
    case ("serial", let port) where !port.isEmpty:
      configuration.usb.devices.append(
        USBDeviceConfiguration(.serial(port: try self.port(port, option: "-usbdevice serial"))))
    default:
      let known = ["tablet", "mouse", "keyboard", "hub", "disk:FILE", "serial:PORT"]
      throw OptionError(
        "-usbdevice \(text): there is no such device\(didYouMean(text, in: known)); known are "
          + known.joined(separator: ", "))
    }
  }

  // MARK: -device

  /// A host controller.
  mutating func addUSBController(
    _ model: USBControllerConfiguration.Model, id: String?, _ list: inout PropertyList
  ) throws(OptionError) {
    var controller = USBControllerConfiguration(model)
    controller.id = id
    if let bus = list.take("bus"), bus != "pci.0" {
      throw OptionError("\(list.option): there is no bus '\(bus)'\(didYouMean(bus, in: ["pci.0"]))")
    }
    controller.address = try pciAddress(list.take("addr"), option: list.option)
    controller.isMultifunction = try list.takeFlag("multifunction") ?? false
    if model.isUHCI {
      controller.masterBus = list.take("masterbus")
      controller.firstPort = try list.takeInteger("firstport", in: 0...4) ?? 0
    }
    configuration.usb.controllers.append(controller)
  }

  /// A device on a bus.
  mutating func addUSBDevice(
    _ model: USBDeviceConfiguration.Model, id: String?, _ list: inout PropertyList
  ) throws(OptionError) {
    var device = try USBDeviceConfiguration(model, id: id, &list)
    switch device.kind {
    case .storage(let name):
      guard var drive = backEnds.removeValue(forKey: name) else {
        throw OptionError(
          "\(list.option): there is no -drive with id=\(name) nor -blockdev with node-name=\(name) that is free"
            + didYouMean(name, in: backEnds.keys))
      }
      device.bootIndex = device.bootIndex ?? drive.bootIndex
      // A node's drive is made, and goes, with the device.
      guard drive.nodeName == nil else { break }
      drive.position = nil
      drive.deviceID = id
      drive.serial = device.serial ?? drive.serial
      configuration.drives.append(drive)
    case .serial(let port): _ = try self.port(port, option: list.option)
    default: break
    }
    configuration.usb.devices.append(device)
  }

  /// `addr=SLOT` or `addr=SLOT.FUNCTION`, in hexadecimal digits.
  private func pciAddress(_ text: String?, option: String) throws(OptionError) -> PCIAddress? {
    guard let text else { return nil }
    let numbers = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map { part in
      Int(part.hasPrefix("0x") ? part.dropFirst(2) : part, radix: 16)
    }
    guard let slot = numbers[0], (1...31).contains(slot),
      let function = numbers.count == 1 ? 0 : numbers[1], (0...7).contains(function)
    else {
      throw OptionError(
        "\(option): addr=\(text) must be a slot from 1 to 1f, or with a function, such as 4 or 1d.7 (hexadecimal)"
      )
    }
    return PCIAddress(slot, function)
  }

  /// No two functions in one place; function 0 tells of the others.
  private mutating func checkSlots() throws(OptionError) {
    var taken: Set<PCIAddress> = [PCIAddress(0), PCIAddress(1, 0), PCIAddress(1, 1), PCIAddress(1, 3)]
    if configuration.vga != nil { taken.insert(PCIAddress(2)) }
    for card in configuration.network.cards {
      if let slot = card.slot { taken.insert(PCIAddress(slot)) }
    }
    for controller in configuration.usb.controllers {
      guard let address = controller.address else { continue }
      guard taken.insert(address).inserted else {
        throw OptionError(
          "-device \(controller.model.name): the place \(address) on the PCI bus is taken")
      }
    }
    for index in configuration.usb.controllers.indices {
      guard let address = configuration.usb.controllers[index].address, address.function == 0 else {
        continue
      }
      if taken.contains(where: { $0.device == address.device && $0.function > 0 }) {
        configuration.usb.controllers[index].isMultifunction = true
      }
    }
  }
}
