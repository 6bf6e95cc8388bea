// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// USB.
struct USBOptions: ParsableArguments {
  static let topic = "usb"

  @Flag(name: option("usb"), help: "A USB host controller (the PIIX3's UHCI), with a tablet as the pointer.")
  var usb = false
  @Option(
    name: option("usbdevice"),
    help: ArgumentHelp(
      "Plug a device in, on -usb: tablet, mouse, keyboard, hub, disk:FILE, serial:PORT.", valueName: "device")
  )
  var usbDevices: [String] = []
}
