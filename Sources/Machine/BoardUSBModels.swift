// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display
import USB

extension Board {
  /// The device that a configuration asks for, with its ends on the host.
  func makeUSBDevice(_ configuration: USBDeviceConfiguration, name: String, clock: Clock) throws
    -> any USBDevice & Device
  {
    let serial = configuration.serial
    switch configuration.kind {
    case .keyboard:
      let keyboard =
        serial.map { USBKeyboard(clock: clock, name: name, serial: $0) }
        ?? USBKeyboard(clock: clock, name: name)
      keyboard.onLEDs = { [input] in input.setLEDs($0) }
      // Until its driver has configured it, keys go to the one on the keyboard controller.
      keyboard.onUse = { [input, unowned keyboard] isInUse in
        input.detach(keyboard: keyboard)
        if isInUse { input.attach(keyboard: keyboard) }
      }
      return keyboard
    case .mouse, .tablet:
      let kind: USBPointer.Kind = configuration.kind == .tablet ? .tablet : .mouse
      let pointer =
        serial.map { USBPointer(kind, clock: clock, name: name, serial: $0) }
        ?? USBPointer(kind, clock: clock, name: name)
      pointer.onUse = { [input, unowned pointer] isInUse in
        input.detach(pointer: pointer)
        if isInUse { input.attach(pointer: pointer) }
      }
      return pointer
    case .hub, .storage, .serial:
      throw MachineError("\(configuration.driver): it cannot be added")
    }
  }
}
