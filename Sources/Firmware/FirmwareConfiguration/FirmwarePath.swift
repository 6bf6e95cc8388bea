// SPDX-License-Identifier: GPL-2.0-or-later

import PCI

/// The names that devices have in `bootorder`: Open Firmware paths as SeaBIOS builds them for what it finds
/// (SeaBIOS, docs/Runtime_config, "bootorder").
public enum FirmwarePath {
  /// "/pci@i0cf8/ide@1,1": a function on the PCI bus. `kind` is Open Firmware's name for the class: "ide",
  /// "scsi", "ethernet", "usb", …
  public static func pci(_ kind: String, _ address: PCIAddress) -> String {
    let function = address.function == 0 ? "" : ",\(String(address.function, radix: 16))"
    return "/pci@i0cf8/\(kind)@\(String(address.device, radix: 16))\(function)"
  }

  /// A drive on an IDE controller: channel 0 or 1, unit 0 (master) or 1 (slave).
  public static func ideDrive(controller: PCIAddress, channel: Int, unit: Int) -> String {
    "\(pci("ide", controller))/drive@\(channel)/disk@\(unit)"
  }

  /// A network card, booted through its option ROM.
  public static func network(_ address: PCIAddress) -> String { pci("ethernet", address) + "/ethernet-phy@0" }

  /// A disk on a USB, in a root port or behind hubs: "2", "1.3".
  public static func usbStorage(controller: PCIAddress, port: String) -> String {
    let ports = port.split(separator: ".").map { String(Int($0) ?? 0, radix: 16) }
    let hubs = ports.dropLast().map { "/hub@\($0)" }.joined()
    return pci("usb", controller) + hubs + "/storage@\(ports.last ?? "1")/channel@0/disk@0,0"
  }

  /// An option ROM that is a file in fw_cfg: "genroms/…".
  public static func rom(_ file: String) -> String { "/rom@\(file)" }
}
