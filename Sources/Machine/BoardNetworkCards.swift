// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Firmware
import GuestMemory
import NIC
import Network
import PCI

/// A network card on the board.
struct NetworkCard {
  let configuration: NetworkCardConfiguration
  /// `id=`, or the model and a number.
  let name: String
  let address: PCIAddress
  let wire: PacketWire
  /// The device's end of the cable.
  let device: any PacketReceiver
}

extension Board {
  /// Adds a card and its cable.
  func addNetworkCard(_ card: NetworkCardConfiguration, number: Int, clock: Clock, files: FirmwareFiles)
    throws
  {
    guard let slot = card.slot ?? freeSlot() else {
      throw MachineError(
        "there is no free slot on the PCI bus for the network card '\(card.id ?? "\(card.model)")'")
    }
    let address = PCIAddress(slot)
    let name = card.id ?? "\(card.model).\(number)"
    let wire = try networks.wire(cardName: name, to: card.backEnd)
    // The usual ROM is made for the card, one that was asked for stays as it is.
    let rom = try networkROM(of: card, files: files)?
      .makeROM(for: card.romFile == nil ? card.model.identity : nil)
    let region = rom.map { rom in
      MemoryRegion(
        name: "\(name).rom", base: GuestAddress(UInt64(0)), count: UInt64(rom.byteCount),
        backing: .rom(rom, offset: 0), priority: 1, isEnabled: false)
    }
    let deliverLateWrites: (() -> Void)? =
      engine.queuesWrites ? { [unowned engine] in engine.drainCoalescedWrites() } : nil
    let device: any PacketReceiver
    switch card.model {
    case .e1000:
      let nic = E1000(
        memory: memory.memory, port: wire, address: card.address, clock: clock, optionROM: region, name: name)
      nic.deliverLateWrites = deliverLateWrites
      add(nic, at: address)
      device = nic
    case .pcnet:
      let nic = PCnet(
        memory: memory.memory, port: wire, address: card.address, clock: clock, optionROM: region, name: name)
      add(nic, at: address)
      device = nic
    case .ne2kPCI:
      let nic = NE2000PCI(
        name: name, port: wire, address: card.address, clock: clock, optionROM: region)
      nic.deliverLateWrites = deliverLateWrites
      add(nic, at: address)
      device = nic
    case .rtl8139:
      let nic = RTL8139(
        name: name, chip: card.chip, memory: memory.memory, port: wire, address: card.address, clock: clock,
        optionROM: region)
      add(nic, at: address)
      device = nic
    }
    networkCards.append(
      NetworkCard(configuration: card, name: name, address: address, wire: wire, device: device))
  }

  /// The ROM through which the firmware boots from the network. The usual one is not missed where iPXE is not installed.
  private func networkROM(of card: NetworkCardConfiguration, files: FirmwareFiles) throws -> OptionROM? {
    if let file = card.romFile { return file.isEmpty ? nil : try OptionROM.load(file, files: files) }
    do {
      return try OptionROM.load("pxe-\(card.model).rom", files: files)
    } catch FirmwareFileError.notFound {
      return nil
    }
  }
}

extension NetworkCardConfiguration.Model {
  /// Of the PCI device.
  fileprivate var identity: (vendor: UInt16, device: UInt16) {
    switch self {
    case .e1000: (0x8086, 0x100E)
    case .pcnet: (0x1022, 0x2000)
    case .rtl8139: (0x10EC, 0x8139)
    case .ne2kPCI: (0x10EC, 0x8029)
    }
  }
}
