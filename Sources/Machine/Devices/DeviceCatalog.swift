// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// One kind of device that a person or toolstack can name.
public struct DeviceDriver: Sendable {
  /// A property of a device.
  public struct Property: Sendable {
    public let name: String
    /// What values it takes, in QEMU's words: "str", "uint32", "bool" …
    public let type: String
    /// What it is, for `-device X,help`.
    public let about: String

    init(_ name: String, _ type: String, _ about: String) {
      (self.name, self.type, self.about) = (name, type, about)
    }
  }

  public let name: String
  /// What it is, in a few words.
  public let about: String
  /// The kind of bus it sits on: "IDE", "ISA" or "PCI".
  public let bus: String
  public let properties: [Property]
}

/// The devices that `-device` can add, with their properties: for `-device`, `-global`, `device-list-properties` and
/// their help.
public enum DeviceCatalog {
  private typealias Property = DeviceDriver.Property

  private static let drive = [
    Property("drive", "str", "id of a -drive, or node-name of a -blockdev"),
    Property("bus", "str", "ide.0 or ide.1"), Property("unit", "uint32", "0 is the master, 1 the slave"),
    Property("serial", "str", "serial number the guest reads, at most 20 characters"),
    Property("ver", "str", "version of its firmware, at most 8 characters (1.0)"),
    Property("werror", "str", "a write that fails: report, ignore, stop or enospc"),
    Property("rerror", "str", "a read that fails: report, ignore or stop"),
    Property("bootindex", "int32", "lower numbers boot first"),
  ]

  private static let networkCard = [
    Property("netdev", "str", "id of a -netdev"),
    Property("mac", "str", "Ethernet address (52:54:00:12:34:56 and following)"),
    Property("bus", "str", "pci.0"), Property("addr", "int32", "slot on the PCI bus, in hexadecimal digits"),
    Property("bootindex", "int32", "lower numbers boot first"),
    Property("romfile", "str", "option ROM instead of the usual one; empty for none"),
    Property("rombar", "uint32", "0 leaves the option ROM out (1)"),
  ]

  private static let pciPlace = [
    Property("bus", "str", "pci.0"),
    Property("addr", "int32", "slot on the PCI bus and function, in hexadecimal digits: 4, 1d.7"),
    Property("multifunction", "bool", "the slot has more functions (found out)"),
  ]

  private static let usbController: [DeviceDriver] = USBControllerConfiguration.Model.all.map { model in
    let companion = [
      Property("masterbus", "str", "the bus of the EHCI that it is a companion of"),
      Property("firstport", "uint32", "the EHCI's port, from 0, that is its first (0)"),
    ]
    return DeviceDriver(
      name: model.name, about: "USB host controller, \(model.about)", bus: "PCI",
      properties: pciPlace + (model.isUHCI ? companion : []))
  }

  private static let usbDevice: [DeviceDriver] = USBDeviceConfiguration.Model.allCases.map { model in
    DeviceDriver(
      name: model.rawValue, about: "USB \(model.about)", bus: "USB",
      properties: [
        Property("bus", "str", "usb-bus.0, or that of the controller's id, such as xhci.0"),
        Property("port", "str", "port of the bus, or behind a hub: 2, 1.3"),
        Property("usb_version", "uint32", "leaves out the speeds of later versions: 1, 2 or 3"),
      ] + usbProperties(of: model))
  }

  private static func usbProperties(of model: USBDeviceConfiguration.Model) -> [Property] {
    let serial = [Property("serial", "str", "serial number the guest reads")]
    switch model {
    case .keyboard, .mouse, .tablet, .hub: return serial
    case .storage:
      return serial + [
        Property("drive", "str", "id of a -drive, or node-name of a -blockdev"),
        Property("bootindex", "int32", "lower numbers boot first"),
        Property("removable", "bool", "it says that its medium can be taken out (off)"),
      ]
    case .serial: return serial + [Property("chardev", "str", "id of a -chardev")]
    case .host:
      return [
        Property("vendorid", "uint32", "idVendor of the host's device, such as 0x0951"),
        Property("productid", "uint32", "its idProduct"),
        Property("hostbus", "uint32", "number of the bus it is on"),
        Property("hostaddr", "uint32", "its address there"),
        Property("hostport", "str", "the ports that lead to it: 2, 1.3"),
        Property("hostdevice", "str", "its node: /dev/bus/usb/001/004"),
        Property("guest-reset", "bool", "the guest can reset it once it has talked to it (on)"),
        Property("guest-resets-all", "bool", "all resets of the guest's reach it (off)"),
        Property("pipeline", "bool", "taken for QEMU's sake"),
      ]
    }
  }

  private static let isaPlace = [
    Property("iobase", "uint32", "I/O port: the one that its number has"),
    Property("irq", "uint32", "interrupt: the one that its number has"), Property("bus", "str", "isa.0"),
  ]

  /// All of them.
  public static let drivers: [DeviceDriver] =
    usbController + usbDevice + [
      DeviceDriver(
        name: "e1000", about: "network card, Intel 82540EM (gigabit)", bus: "PCI", properties: networkCard),
      DeviceDriver(
        name: "pcnet", about: "network card, AMD Am79C970A PCnet-PCI II", bus: "PCI", properties: networkCard),
      DeviceDriver(
        name: "rtl8139", about: "network card, Realtek RTL8139C+ (Fast Ethernet)", bus: "PCI",
        properties: networkCard + [
          Property(
            "chip", "str", "8139c+, or 8139c for drivers that refuse that, as Linux's 8139too (8139c+)")
        ]),
      DeviceDriver(
        name: "ne2k_pci", about: "network card, Realtek RTL8029AS (NE2000)", bus: "PCI",
        properties: networkCard
      ),
      DeviceDriver(name: "ide-hd", about: "hard disk", bus: "IDE", properties: drive),
      DeviceDriver(name: "ide-cd", about: "CD-ROM drive", bus: "IDE", properties: drive),
      DeviceDriver(
        name: "isa-serial", about: "serial port", bus: "ISA",
        properties: [
          Property("chardev", "str", "id of a -chardev"),
          Property("index", "uint32", "0 is COM1 … 3 is COM4"),
        ] + isaPlace),
      DeviceDriver(
        name: "isa-parallel", about: "parallel port", bus: "ISA",
        properties: [Property("chardev", "str", "id of a -chardev"), Property("index", "uint32", "0")]
          + isaPlace),
      DeviceDriver(
        name: "isa-debugcon", about: "debug console: bytes written to an I/O port", bus: "ISA",
        properties: [
          Property("chardev", "str", "id of a -chardev"), Property("iobase", "uint32", "I/O port (0xe9)"),
          Property("readback", "uint32", "what reading the port returns (0xe9)"),
        ]),
      DeviceDriver(
        name: "isa-debug-exit", about: "ends the process with the status the guest writes, times 2 plus 1",
        bus: "ISA",
        properties: [
          Property("iobase", "uint32", "I/O port (0x501)"),
          Property("iosize", "uint32", "number of ports: 1, 2 or 4 (2)"),
        ]),
      DeviceDriver(
        name: "pvpanic", about: "tells that the guest's kernel has crashed", bus: "ISA",
        properties: [
          Property("ioport", "uint16", "I/O port (0x505)"),
          Property("events", "uint8", "what the guest may report: 1 panicked, 2 crash loaded (3)"),
        ]),
      DeviceDriver(
        name: "VGA", about: "graphics card (-vga std)", bus: "PCI",
        properties: [
          Property("vgamem_mb", "uint32", "video memory in MiB, a power of two (16)"),
          Property("xres", "uint32", "preferred width in the EDID (1024)"),
          Property("yres", "uint32", "preferred height in the EDID (768)"),
          Property("bus", "str", "pci.0"), Property("addr", "str", "02.0"),
          Property("romfile", "str", "option ROM instead of the usual one"),
        ]),
    ]

  /// The driver with that name.
  public static func driver(_ name: String, option: String) throws(OptionError) -> DeviceDriver {
    if let driver = drivers.first(where: { $0.name == name }) { return driver }
    throw OptionError(
      "\(option): there is no device '\(name)'\(didYouMean(name, in: drivers.map(\.name)));"
        + " '-device help' lists what there is")
  }

  /// The text of `-device help`: a line each.
  public static var help: String {
    drivers.map { "name \"\($0.name)\", bus \($0.bus), desc \"\($0.about)\"\n" }.joined()
      + "'-device NAME,help' lists the properties of one.\n"
  }

  /// The text of `-device NAME,help`.
  public static func help(for driver: DeviceDriver) -> String {
    "\(driver.name) options:\n"
      + driver.properties.sorted { $0.name < $1.name }.map {
        "  \(padded("\($0.name)=<\($0.type)>")) - \($0.about)\n"
      }.joined()
  }

  private static func padded(_ text: String) -> String {
    text + String(repeating: " ", count: max(1, 22 - text.count))
  }
}
