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
      let drive = try freeDrive(driveName)
      return USBStorage(drive: drive, isRemovable: configuration.isRemovable, name: name)
    case .hub: return USBHub(bus: nil, name: name, serial: serial)
    case .serial(let text):
      guard let port = try characterPorts.open(text, label: name) else {
        throw MachineError("\(configuration.driver): it needs an end on the host, not 'none'")
      }
      return USBSerial(port: port, name: name, serial: serial)
    }
  }

  /// The drive with that name or node-name, which no device has.
  private func freeDrive(_ name: String) throws -> Drive {
    let places = zip(drives, configuration.drives)
    guard let (drive, settings) = places.first(where: { $0.0.name == name || $0.0.nodeName == name }) else {
      let known = places.filter { $0.1.position == nil }.map(\.0.name)
      throw MachineError(
        "Property 'usb-storage.drive' can't find value '\(name)'\(didYouMean(name, in: known))")
    }
    let isPlugged = usbDevices.contains { device in
      guard case .storage(let other) = device.configuration.kind else { return false }
      return other == drive.name || other == drive.nodeName
    }
    guard settings.position == nil, !isPlugged else {
      throw MachineError("Drive '\(name)' is already in use by another device")
    }
    return drive
  }
}
