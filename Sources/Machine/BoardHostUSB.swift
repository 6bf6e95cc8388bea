// SPDX-License-Identifier: GPL-2.0-or-later

import HostUSB
import USB

extension Board {
  /// A device of the host, for the guest; the host's USB is looked at when the first is asked for.
  func makeUSBHostDevice(_ configuration: USBHostConfiguration, name: String) throws -> USBHostDevice {
    do throws(HostUSBError) {
      let usb: HostUSB
      if let hostUSB { usb = hostUSB } else { usb = try HostUSB(loop: loop) }
      hostUSB = usb
      let device = USBHostDevice(
        host: try usb.open(configuration.filter), resets: configuration.resets, name: name)
      device.onGone = { [unowned self] in onUSBDeviceGone?(name) }
      return device
    } catch {
      throw MachineError("usb-host: \(error)")
    }
  }
}
