// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI
import USB

/// A USB host controller on the board.
struct USBController {
  let configuration: USBControllerConfiguration
  /// The device's name: `id=`, or the model and a number.
  let name: String
  let address: PCIAddress
  /// What its ports are called: "usb-bus.0"; a companion has none of its own.
  let bus: USBBus?
}

extension Board {
  /// Adds the controllers, masters before their companions.
  func addUSBControllers(clock: Clock) throws {
    let controllers = configuration.usb.controllers
    for controller in controllers where controller.masterBus == nil {
      try addUSBController(controller, clock)
    }
    for controller in controllers where controller.masterBus != nil {
      try addUSBController(controller, clock)
    }
  }

  private func addUSBController(_ controller: USBControllerConfiguration, _ clock: Clock) throws {
    let model = controller.model
    guard let address = controller.address ?? freeSlot().map({ PCIAddress($0) }) else {
      throw MachineError("there is no free slot on the PCI bus for the USB controller '\(model.rawValue)'")
    }
    let number = usbControllers.filter { $0.configuration.id == nil }.count
    let name = controller.id ?? "\(model.rawValue).\(number)"
    var bus: USBBus?
    func makeBus(_ ports: [USBPort]) {
      let buses = usbControllers.filter { $0.bus != nil && $0.configuration.id == nil }.count
      bus = USBBus(name: controller.id.map { "\($0).0" } ?? "usb-bus.\(buses)", ports: ports)
    }
    if let uhci = UHCIModel(rawValue: model.rawValue) {
      let device = UHCI(
        uhci, name: name, memory: memory.memory, clock: clock, isMultifunction: controller.isMultifunction)
      add(device, at: address)
      makeBus(device.ports)
    }
    usbControllers.append(
      USBController(configuration: controller, name: name, address: address, bus: bus))
  }

  /// A slot for a device that asked for none; another may have asked for a certain one.
  func freeSlot() -> Int? {
    let asked =
      configuration.network.cards.compactMap(\.slot)
      + configuration.usb.controllers.compactMap(\.address?.device)
    return (2..<32).first { !asked.contains($0) && pci.freeDevice(from: $0) == $0 }
  }
}
