// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine
import OptionSyntax

extension QMPCommands {
  private static let property: SchemaType = .members(
    .required("name", .string), .required("type", .string), .optional("description", .string))

  /// Devices.
  static let devices: [QMPCommand] = [
    QMPCommand("device-list-properties", [.required("typename", .string)], returns: .array(property)) {
      (arguments, _) throws(QMPError) in
      let name = arguments.text("typename")
      guard let driver = DeviceCatalog.drivers.first(where: { $0.name == name }) else {
        throw QMPError("Device '\(name)' not found", class: .deviceNotFound)
      }
      return .array(
        driver.properties.map {
          ["name": .string($0.name), "type": .string($0.type), "description": .string($0.about)]
        })
    },
    QMPCommand("qom-list-properties", [.required("typename", .string)], returns: .array(property)) {
      (arguments, _) throws(QMPError) in
      let name = arguments.text("typename")
      guard let driver = DeviceCatalog.drivers.first(where: { $0.name == name }) else {
        throw QMPError("Class '\(name)' not found", class: .deviceNotFound)
      }
      return .array(driver.properties.map { ["name": .string($0.name), "type": .string($0.type)] })
    },
    .action(
      "device_add",
      Structure(
        [.required("driver", .string), .optional("bus", .string), .optional("id", .string)], isOpen: true)
    ) {
      (arguments, context) throws(QMPError) in
      let name = arguments.text("driver")
      guard let driver = DeviceCatalog.drivers.first(where: { $0.name == name }) else {
        throw QMPError("'\(name)' is not a valid device model name")
      }
      if let model = USBDeviceConfiguration.Model(rawValue: name) {
        do {
          var list = try PropertyList(flattening: .object(arguments.members), option: "device_add")
          _ = list.take("driver")
          let device = try USBDeviceConfiguration(model, id: list.take("id"), &list)
          try list.finish()
          try context.machine.addUSBDevice(device)
        } catch { throw QMPError(error) }
        return
      }
      throw QMPError("Bus '\(driver.bus.lowercased()).0' does not support hotplugging")
    },
    .action("device_del", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      let id = arguments.text("id")
      if let device = context.machine.usbDevice(atPath: id) {
        return context.machine.removeUSBDevice(device)
      }
      guard ObjectTree.drive(atPath: id, in: context.machine) != nil else {
        throw QMPError("Device '\(id)' not found", class: .deviceNotFound)
      }
      throw QMPError("Bus 'ide.0' does not support hotplugging")
    },
  ]
}
