// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax
import PCI

/// The machine's USB: host controllers, and what is plugged into them at the start.
public struct USBConfiguration: Sendable, Equatable {
  /// `-usb`, `-device`.
  public var controllers: [USBControllerConfiguration] = []
  /// `-usbdevice`, `-device`.
  public var devices: [USBDeviceConfiguration] = []
  /// No USB.
  public init() {}
}

/// A host controller.
public struct USBControllerConfiguration: Sendable, Equatable {
  /// Which, by QEMU's name.
  public enum Model: String, Sendable, CaseIterable {
    case piix3UHCI = "piix3-usb-uhci"
    case piix4UHCI = "piix4-usb-uhci"
    case ich9UHCI1 = "ich9-usb-uhci1"
    case ich9UHCI2 = "ich9-usb-uhci2"
    case ich9UHCI3 = "ich9-usb-uhci3"
    case ich9UHCI4 = "ich9-usb-uhci4"
    case ich9UHCI5 = "ich9-usb-uhci5"
    case ich9UHCI6 = "ich9-usb-uhci6"
    case ehci = "usb-ehci"
    case ich9EHCI1 = "ich9-usb-ehci1"
    case ich9EHCI2 = "ich9-usb-ehci2"
    case xhci = "qemu-xhci"
    case necXHCI = "nec-usb-xhci"

    /// What it is, in a few words.
    var about: String {
      switch self {
      case .piix3UHCI: "UHCI of the PIIX3 (-usb)"
      case .piix4UHCI: "UHCI of the PIIX4"
      case .ich9UHCI1, .ich9UHCI2, .ich9UHCI3, .ich9UHCI4, .ich9UHCI5, .ich9UHCI6: "UHCI of the ICH9"
      case .ehci: "EHCI of the ICH4"
      case .ich9EHCI1, .ich9EHCI2: "EHCI of the ICH9"
      case .xhci: "xHCI: USB 3, and all slower devices"
      case .necXHCI: "xHCI of NEC"
      }
    }

    /// Whether it can be a companion.
    public var isUHCI: Bool { rawValue.contains("uhci") }
  }

  public var model: Model
  /// `id=`.
  public var id: String?
  /// `addr=`: nil for the first free slot.
  public var address: PCIAddress?
  /// Function 0 says that its slot has more functions.
  public var isMultifunction = false
  /// `masterbus=`: the bus of the EHCI that it is a companion of.
  public var masterBus: String?
  /// `firstport=`: the EHCI's port, from 0, that is its first.
  public var firstPort = 0

  /// A controller in the first free slot.
  public init(_ model: Model) { self.model = model }
}

/// Something plugged in.
public struct USBDeviceConfiguration: Sendable, Equatable {
  /// What it is.
  public enum Kind: Sendable, Equatable {
    case keyboard
    case mouse
    case tablet
    case hub
    /// A disk: the drive's name.
    case storage(drive: String)
    /// A serial adapter: the host's end.
    case serial(port: String)
  }

  public var kind: Kind
  /// `id=`.
  public var id: String?
  /// `bus=`: nil for the first with a free port.
  public var bus: String?
  /// `port=`: "2", or "1.3" behind a hub; nil for the first free one.
  public var port: String?
  /// `serial=`: nil for the usual one.
  public var serial: String?
  /// `bootindex=` of a disk.
  public var bootIndex: Int?
  /// `removable=` of a disk: whether it says that its medium can be taken out.
  public var isRemovable = false

  /// `usb_version=`: 1, 2 or 3, which leaves out faster speeds; nil for all it has.
  public var version: Int?

  /// A device in the first free port.
  public init(_ kind: Kind) { self.kind = kind }

  /// Which `-device` names there are, and what they are.
  static let models = [
    ("usb-kbd", "keyboard"), ("usb-mouse", "mouse"),
    ("usb-tablet", "tablet: a pointer that knows where it is"),
    ("usb-hub", "hub with eight ports"), ("usb-storage", "disk on a stick"),
    ("usb-serial", "serial adapter"),
  ]

  /// Which `-device` names there are.
  public static var drivers: [String] { models.map(\.0) }

  /// What `-device` or `device_add` says; `driver` is one of ``drivers``.
  public init(driver: String, id: String?, _ list: inout PropertyList) throws(OptionError) {
    switch driver {
    case "usb-kbd": kind = .keyboard
    case "usb-mouse": kind = .mouse
    case "usb-tablet": kind = .tablet
    case "usb-hub": kind = .hub
    case "usb-storage":
      guard let drive = list.take("drive") else { throw OptionError("\(list.option): drive= is missing") }
      kind = .storage(drive: drive)
      bootIndex = try list.takeInteger("bootindex", in: 0...65535)
      isRemovable = try list.takeFlag("removable") ?? false
    case "usb-serial":
      guard let port = list.take("chardev") else { throw OptionError("\(list.option): chardev= is missing") }
      kind = .serial(port: "chardev:\(port)")
    default:
      throw OptionError(
        "\(list.option): there is no USB device '\(driver)'\(didYouMean(driver, in: Self.drivers))")
    }
    self.id = id
    bus = list.take("bus")
    port = list.take("port")
    serial = list.take("serial")
    if let port, !Self.isPortPath(port) {
      throw OptionError("\(list.option): port=\(port) must be a port's number, or such as 1.3 behind a hub")
    }
    version = try list.takeInteger("usb_version", in: 1...3)
  }

  /// Numbers with dots between them, five at most.
  private static func isPortPath(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count <= 6 && parts.allSatisfy { Int($0).map { (1...255).contains($0) } == true }
  }

  /// QEMU's name for it.
  public var driver: String {
    switch kind {
    case .keyboard: "usb-kbd"
    case .mouse: "usb-mouse"
    case .tablet: "usb-tablet"
    case .hub: "usb-hub"
    case .storage: "usb-storage"
    case .serial: "usb-serial"
    }
  }

  /// Whether it moves the pointer.
  public var isPointer: Bool { kind == .mouse || kind == .tablet }
}

extension USBConfiguration {
  /// What `--print-config` shows: a line a controller and a device.
  var lines: [(String, String)] {
    controllers.map { ("usb", $0.model.rawValue) }
      + devices.map { device in
        (
          "usb device",
          [device.driver, device.bus, device.port.map { "port \($0)" }].compactMap { $0 }.joined(
            separator: ", ")
        )
      }
  }
}
