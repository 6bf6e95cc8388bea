// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import Display
import OptionSyntax
import USB

extension Board {
  /// The device that a configuration asks for, with its ends on the host.
  func makeUSBDevice(_ configuration: USBDeviceConfiguration, name: String, clock: Clock) throws
    -> any USBDevice & Device
  {
    let serial = configuration.serial
    switch configuration.kind {
    case .keyboard:
      let keyboard = USBKeyboard(clock: clock, name: name, serial: serial)
      keyboard.onLEDs = { [input] in input.setLEDs($0) }
      // Until its driver has configured it, keys go to the one on the keyboard controller.
      keyboard.onUse = { [input, unowned keyboard] isInUse in
        input.detach(keyboard: keyboard)
        if isInUse { input.attach(keyboard: keyboard) }
      }
      return keyboard
    case .mouse, .tablet:
      let kind: USBPointer.Kind = configuration.kind == .tablet ? .tablet : .mouse
      let pointer = USBPointer(kind, clock: clock, name: name, serial: serial)
      pointer.onUse = { [input, unowned pointer] isInUse in
        input.detach(pointer: pointer)
        if isInUse { input.attach(pointer: pointer) }
      }
      return pointer
    case .storage(let driveName):
      let drive = try freeDrive(driveName, for: configuration)
      return USBStorage(drive: drive, isRemovable: configuration.isRemovable, name: name)
    case .hub: return USBHub(bus: nil, name: name, serial: serial)
    case .serial(let text):
      guard let port = try characterPorts.open(text, label: name) else {
        throw MachineError("\(configuration.driver): it needs an end on the host, not 'none'")
      }
      return USBSerial(port: port, name: name, serial: serial)
    case .host(let host): return try makeUSBHostDevice(host, name: name)
    }
  }

  /// The drive with that name, which no device has, or one on the image with that node-name.
  private func freeDrive(_ name: String, for device: USBDeviceConfiguration) throws -> Drive {
    let places = zip(drives, configuration.drives)
    guard let (drive, settings) = places.first(where: { $0.0.name == name && !$0.0.isAnonymous }) else {
      return try makeDrive(onNode: name, for: device)
    }
    let isPlugged = usbDevices.contains { $0.configuration.driveName == drive.name }
    guard settings.position == nil, !isPlugged else {
      throw MachineError("Drive '\(name)' is already in use by another device")
    }
    return drive
  }

  private func makeDrive(onNode name: String, for device: USBDeviceConfiguration) throws -> Drive {
    guard let node = blockNodes[name] else {
      let known =
        zip(drives, configuration.drives).filter { $0.1.position == nil }.map(\.0.name)
        + blockNodes.all.map(\.name)
      throw MachineError(
        "Property 'usb-storage.drive' can't find value '\(name)'\(didYouMean(name, in: known))")
    }
    guard let medium = node.medium, !drives.contains(where: { $0.medium === medium }) else {
      throw MachineError("Node '\(name)' is already in use")
    }
    let drive = driveFactory.makeDisk(
      on: node, medium: medium, cache: blockNodes.cache(of: node), deviceID: device.id, serial: device.serial)
    drives.append(drive)
    return drive
  }

  /// Gives back what was made or taken on the host for a device that is gone.
  func releaseHostEnds(of device: USBDeviceConfiguration, _ made: USBDevice) {
    switch device.kind {
    case .serial(let text): characterPorts.giveBack(text)
    case .storage(let name):
      // Not those of the configuration, which wait for another device.
      guard let index = drives.lastIndex(where: { $0.isAnonymous && $0.nodeName == name }),
        index >= configuration.drives.count
      else { return }
      drives.remove(at: index)
    case .host: (made as? USBHostDevice)?.close()
    case .keyboard, .mouse, .tablet, .hub: break
    }
  }
}
