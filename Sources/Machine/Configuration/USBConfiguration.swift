// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax
import PCI
import USB

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
  /// Which; the models are listed where they are made.
  public enum Model: Sendable, Equatable {
    case uhci(UHCIModel)
    case ehci(EHCIModel)
    case xhci(XHCIModel)

    /// The one of `-usb`.
    public static let piix3UHCI = Model.uhci(.piix3)

    static let all =
      UHCIModel.allCases.map(Model.uhci) + EHCIModel.allCases.map(Model.ehci)
      + XHCIModel.allCases.map(Model.xhci)

    /// The one with QEMU's name.
    public init?(named name: String) {
      guard let model = Self.all.first(where: { $0.name == name }) else { return nil }
      self = model
    }

    /// QEMU's name.
    public var name: String {
      switch self {
      case .uhci(let model): model.rawValue
      case .ehci(let model): model.rawValue
      case .xhci(let model): model.rawValue
      }
    }

    /// What it is, in a few words.
    var about: String {
      switch self {
      case .uhci(.piix3): "UHCI of the PIIX3 (-usb)"
      case .uhci(.piix4): "UHCI of the PIIX4"
      case .uhci: "UHCI of the ICH9"
      case .ehci(.ich4): "EHCI of the ICH4"
      case .ehci: "EHCI of the ICH9"
      case .xhci(.generic): "xHCI: USB 3, and all slower devices"
      case .xhci(.nec): "xHCI of NEC"
      }
    }

    /// Whether it can be a companion.
    public var isUHCI: Bool { if case .uhci = self { true } else { false } }
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
    /// A device of the host.
    case host(USBHostConfiguration)
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

  /// QEMU's names for them.
  public enum Model: String, Sendable, CaseIterable {
    case keyboard = "usb-kbd"
    case mouse = "usb-mouse"
    case tablet = "usb-tablet"
    case hub = "usb-hub"
    case storage = "usb-storage"
    case serial = "usb-serial"
    case host = "usb-host"

    /// What it is, in a few words.
    var about: String {
      switch self {
      case .keyboard: "keyboard"
      case .mouse: "mouse"
      case .tablet: "tablet: a pointer that knows where it is"
      case .hub: "hub with eight ports"
      case .storage: "disk on a stick"
      case .serial: "serial adapter"
      case .host: "device of the host"
      }
    }
  }

  /// What `-device` or `device_add` says.
  public init(_ model: Model, id: String?, _ list: inout PropertyList) throws(OptionError) {
    switch model {
    case .keyboard: kind = .keyboard
    case .mouse: kind = .mouse
    case .tablet: kind = .tablet
    case .hub: kind = .hub
    case .storage:
      guard let drive = list.take("drive") else { throw OptionError("\(list.option): drive= is missing") }
      kind = .storage(drive: drive)
      bootIndex = try list.takeInteger("bootindex", in: 0...65535)
      isRemovable = try list.takeFlag("removable") ?? false
    case .serial:
      guard let port = list.take("chardev") else { throw OptionError("\(list.option): chardev= is missing") }
      kind = .serial(port: "chardev:\(port)")
    case .host: kind = .host(try USBHostConfiguration(&list))
    }
    self.id = id
    bus = list.take("bus")
    port = list.take("port")
    serial = model == .host ? nil : list.take("serial")
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

  /// Which it is.
  public var model: Model {
    switch kind {
    case .keyboard: .keyboard
    case .mouse: .mouse
    case .tablet: .tablet
    case .hub: .hub
    case .storage: .storage
    case .serial: .serial
    case .host: .host
    }
  }

  /// QEMU's name for it.
  public var driver: String { model.rawValue }

  /// The drive or node that a disk is on.
  public var driveName: String? {
    if case .storage(let name) = kind { name } else { nil }
  }

  /// Whether it moves the pointer.
  public var isPointer: Bool { kind == .mouse || kind == .tablet }
}

extension USBConfiguration {
  /// What `--print-config` shows: a line a controller and a device.
  var lines: [(String, String)] {
    controllers.map { ("usb", $0.model.name) }
      + devices.map { device in
        (
          "usb device",
          [device.driver, device.bus, device.port.map { "port \($0)" }].compactMap { $0 }.joined(
            separator: ", ")
        )
      }
  }
}
