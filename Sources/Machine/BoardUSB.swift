// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import OptionSyntax
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
      throw MachineError("there is no free slot on the PCI bus for the USB controller '\(model.name)'")
    }
    let number = usbControllers.filter { $0.configuration.id == nil }.count
    let name = controller.id ?? "\(model.name).\(number)"
    var bus: USBBus?
    func makeBus(_ ports: [USBPort]) {
      let buses = usbControllers.filter { $0.bus != nil && $0.configuration.id == nil }.count
      bus = USBBus(name: controller.id.map { "\($0).0" } ?? "usb-bus.\(buses)", ports: ports)
    }
    switch model {
    case .uhci(let uhci):
      let master = try master(of: controller)
      let range = controller.firstPort..<(controller.firstPort + UHCI.portCount)
      guard master.map({ range.upperBound <= $0.ports.count }) ?? true else {
        throw MachineError("\(model.name): firstport=\(controller.firstPort) is too high")
      }
      let shared = master.map { Array($0.ports[range]) }
      let device = UHCI(
        uhci, name: name, memory: memory.memory, clock: clock, sharedPorts: shared,
        isMultifunction: controller.isMultifunction)
      add(device, at: address)
      if shared == nil { makeBus(device.ports) }
      if let master, !master.add(companion: device, firstPort: controller.firstPort) {
        throw MachineError("\(model.name): its ports on '\(controller.masterBus ?? "")' are taken")
      }
    case .ehci(let ehci):
      let device = EHCI(
        ehci, name: name, memory: memory.memory, clock: clock, sharedPorts: sharedPorts(of: controller),
        isMultifunction: controller.isMultifunction)
      add(device, at: address)
      makeBus(device.ports)
    case .xhci(let xhci):
      let device = XHCI(
        xhci, name: name, memory: memory.memory, clock: clock, isMultifunction: controller.isMultifunction)
      add(device, at: address)
      makeBus(device.ports)
    }
    usbControllers.append(
      USBController(configuration: controller, name: name, address: address, bus: bus))
  }

  /// The EHCI whose ports a companion shares.
  private func master(of controller: USBControllerConfiguration) throws -> EHCI? {
    guard let name = controller.masterBus else { return nil }
    let master = usbControllers.first { $0.bus?.name == name }
    guard let master, let device = pci[master.address] as? EHCI else {
      let known = usbControllers.filter { pci[$0.address] is EHCI }.compactMap(\.bus?.name)
      throw MachineError(
        "\(controller.model.name): there is no EHCI with the bus '\(name)'\(didYouMean(name, in: known))")
    }
    return device
  }

  /// The ports of an EHCI that will have companions.
  private func sharedPorts(of controller: USBControllerConfiguration) -> Set<Int> {
    guard let id = controller.id else { return [] }
    let companions = configuration.usb.controllers.filter { $0.masterBus == "\(id).0" }
    return Set(companions.flatMap { $0.firstPort..<($0.firstPort + UHCI.portCount) })
  }

  /// A slot for a device that asked for none; another may have asked for a certain one.
  func freeSlot() -> Int? {
    let asked =
      configuration.network.cards.compactMap(\.slot)
      + configuration.usb.controllers.compactMap(\.address?.device)
    return (2..<32).first { !asked.contains($0) && pci.freeDevice(from: $0) == $0 }
  }
}
