// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension HumanCommands {
  /// Devices that come and go.
  static let devices: [HumanCommand] = [
    HumanCommand(
      "device_add", [HumanArgument("device", .rest)], "driver[,prop=value...]",
      help: "plug a device in, as -device; on USB only"
    ) { arguments, monitor, _ in
      var list = try PropertyList(arguments.text("device"), option: "device_add", implied: "driver")
      guard let name = list.take("driver") else { throw HumanError.failed("Parameter 'driver' is missing") }
      let driver = try DeviceCatalog.driver(name, option: "device_add")
      guard let model = USBDeviceConfiguration.Model(rawValue: name) else {
        throw HumanError.failed("Bus '\(driver.bus.lowercased()).0' does not support hotplugging")
      }
      let configuration = try USBDeviceConfiguration(model, id: list.take("id"), &list)
      try list.finish()
      try monitor.machine.addUSBDevice(configuration)
    },
    HumanCommand("device_del", [HumanArgument("id", .text)], "id", help: "pull a device out") {
      arguments, monitor, _ in
      let id = arguments.text("id")
      guard let device = monitor.machine.usbDevice(atPath: id) else {
        let isDrive = monitor.machine.drives.contains { $0.deviceID == id }
        throw HumanError.failed(
          isDrive ? "Bus 'ide.0' does not support hotplugging" : "Device '\(id)' not found")
      }
      monitor.machine.removeUSBDevice(device)
    },
  ]
}
