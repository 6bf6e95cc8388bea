// SPDX-License-Identifier: GPL-2.0-or-later

import Chipset
import Firmware
import GuestMemory
import KVM
import PCI

/// What the firmware is told about the machine.
extension Board {
  /// Fills the firmware configuration device.
  func describeMachine(to device: FirmwareConfigurationDevice, power: PIIX4PowerManagement) throws {
    let layout = GuestMemoryLayout(byteCount: configuration.memoryByteCount)
    let boot = configuration.boot
    let topology = configuration.topology
    let apicIDs = (0..<topology.count).map { UInt8(clamping: topology.apicID(of: $0)) }
    let uuid = configuration.uuid.flatMap { SystemUUID($0) } ?? .none
    var items = BoardItems(
      ramBelow4G: layout.below4GiB, ramAbove4G: layout.above4GiB, cpuCount: topology.count,
      maximumAPICIDCount: Int(apicIDs.max() ?? 0) + 1)
    items.uuid = uuid
    let ownPages = KVMEngine.reservedAddresses
    items.reserved = [(ownPages.lowerBound, ownPages.upperBound - ownPages.lowerBound)]
    items.hasDisplay = configuration.vga != nil
    items.isBootMenuOffered = boot.showsMenu
    items.bootMenuWait = boot.menuWaitMilliseconds
    items.bootRetryWait = boot.rebootTimeoutMilliseconds
    items.firstBootDevice = (boot.once ?? boot.order).first ?? "c"
    let kernel = try configuration.firmware.kernel.map {
      try DirectBoot(
        kernel: $0, initrd: configuration.firmware.initrd, commandLine: configuration.firmware.commandLine,
        ramBelow4G: layout.below4GiB)
    }
    if let kernel { try device.add(kernel) }
    if let once = boot.once {
      let orders = [bootOrder(once, kernel: kernel), bootOrder(boot.order, kernel: kernel)]
      // A file keeps its size: the shorter order is filled up behind its end.
      let size = orders.map(\.count).max() ?? 0
      let padded = orders.map { $0 + Array(repeating: 0, count: size - $0.count) }
      items.currentBootOrder = { [unowned self] in padded[isFirstBoot ? 0 : 1] }
    } else {
      items.bootOrder = bootOrder(boot.order, kernel: kernel)
    }
    try device.add(items)

    for file in configuration.firmware.files {
      switch file.contents {
      case .file(let path):
        try device.addFile(file.name, try FirmwareFiles.read(path, limit: Self.firmwareFileLimit))
      case .text(let text): try device.addFile(file.name, Array(text.utf8))
      }
    }

    if let panic = configuration.panicDevice {
      try device.addFile("etc/pvpanic-port", [UInt8(panic.ioBase & 0xFF), UInt8(panic.ioBase >> 8)])
    }

    var platform = PlatformDescription(
      apicIDs: apicIDs, ramBelow4G: layout.below4GiB, ramAbove4G: layout.above4GiB)
    platform.hasVGA = configuration.vga != nil
    platform.generalPurposeEvents = (PIIX4PowerManagement.generalPurposeEventBase, 4)
    platform.isaDevices = isaDevices
    if configuration.hasACPI {
      try device.addACPI { [platform, unowned power] in
        // The firmware reads the tables when it has given power management its ports.
        var current = platform
        current.powerManagementBase = power.powerManagementBase ?? 0
        return current
      }
    }

    var system = SystemDescription(
      ramBelow4G: layout.below4GiB, ramAbove4G: layout.above4GiB, socketCount: topology.sockets,
      coresPerSocket: topology.cores, threadsPerCore: topology.threads)
    system.uuid = uuid
    let processor = engine.processor
    system.processorID = UInt64(processor.signature) | UInt64(processor.features) << 32
    system.processorVersion = processor.brand
    system.version = MachineConfiguration.version
    system.name = configuration.name ?? ""
    system.settings = configuration.smbios.settings
    for path in configuration.smbios.files {
      system.files.append(try FirmwareFiles.read(path, limit: Int(UInt16.max)).copy)
    }
    do {
      try device.addSMBIOS(system)
    } catch let error as SMBIOSError {
      throw MachineError("-smbios: \(error)")
    }
  }

  /// The largest file given with `-fw_cfg`, in bytes.
  private static let firmwareFileLimit = 1 << 30

  /// What is on the ISA bus and no operating system finds by itself.
  private var isaDevices: [ISADevice] {
    var devices: [ISADevice] = [.realTimeClock, .keyboard, .mouse]
    for (index, place) in Self.serialPorts.enumerated()
    where index < configuration.serials.count && configuration.serials[index] != nil {
      devices.append(.serialPort(index + 1, base: place.base, irq: UInt8(place.irq)))
    }
    if configuration.parallel != nil { devices.append(.parallelPort(1, base: 0x378, irq: 7)) }
    if let panic = configuration.panicDevice { devices.append(.panicDevice(base: panic.ioBase)) }
    return devices
  }

  private func bootOrder(_ order: String, kernel: DirectBoot?) -> [UInt8] {
    let candidates = configuration.drives.compactMap { drive -> BootOrder.Candidate? in
      guard let position = drive.position else { return nil }
      return BootOrder.Candidate(
        letter: drive.media == .disk ? "c" : "d", index: drive.bootIndex,
        path: FirmwarePath.ideDrive(
          controller: PCIAddress(1, 1), channel: position.channel, unit: position.unit))
    }
    let sticks = usbDevices.compactMap { device -> BootOrder.Candidate? in
      guard let name = device.configuration.driveName, let drive = drives.first(where: { $0.name == name }),
        let controller = usbControllers.first(where: { $0.bus === device.bus })
      else { return nil }
      return BootOrder.Candidate(
        letter: drive.kind == .disk ? "c" : "d", index: device.configuration.bootIndex,
        path: FirmwarePath.usbStorage(controller: controller.address, port: device.port.path))
    }
    let cards = networkCards.map { card in
      BootOrder.Candidate(
        letter: "n", index: card.configuration.bootIndex, path: FirmwarePath.network(card.address))
    }
    return BootOrder.file(
      candidates + sticks + cards, order: order, isStrict: configuration.boot.isStrict,
      first: kernel.map { [$0.bootPath] } ?? [])
  }
}

extension BootConfiguration {
  /// The order of the first boot, or of those after it, in the codes CMOS memory has for it.
  func cmosCodes(isFirstBoot: Bool) -> [UInt8] {
    let codes: [Character: UInt8] = ["a": 1, "b": 1, "c": 2, "d": 3, "n": 4]
    let order = isFirstBoot ? once ?? self.order : self.order
    return order.compactMap { codes[$0] }.prefix(3).map { $0 }
  }
}
