// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import JSON
import Machine

/// Every event there is, and how the machine's are told.
enum QMPEvents {
  private static let cause = SchemaType.enumeration(MachineEvent.Cause.allCases.map(\.rawValue))
  private static let crashAction = SchemaType.enumeration(
    MachineEvent.CrashAction.allCases.map(\.rawValue))
  private static let client = VNCDescription.address
  private static let server = VNCDescription.server

  private static let socketAddress = SchemaType.object(
    Structure(
      [.required("type", .enumeration(["inet", "unix", "fd"]))], tag: "type",
      variants: [
        .init(value: "inet", members: [.required("host", .string), .required("port", .string)]),
        .init(value: "unix", members: [.required("path", .string), .optional("abstract", .boolean)]),
        .init(value: "fd", members: [.required("str", .string)]),
      ]))

  static let all: [QMPEventDeclaration] =
    [
      event("SHUTDOWN", .required("guest", .boolean), .required("reason", cause)),
      event("POWERDOWN"),
      event("RESET", .required("guest", .boolean), .required("reason", cause)),
      event("DEVICE_DELETED", .optional("device", .string), .required("path", .string)),
      event("STOP"),
      event("RESUME"),
      event("RTC_CHANGE", .required("offset", .integer), .required("qom-path", .string)),
      event(
        "DEVICE_TRAY_MOVED", .required("device", .string), .required("id", .string),
        .required("tray-open", .boolean)),
    ]
    + ["VNC_CONNECTED", "VNC_INITIALIZED", "VNC_DISCONNECTED"].map { name in
      QMPEventDeclaration(
        name: name,
        data: Structure([
          .required("server", .object(Structure(server))), .required("client", .object(Structure(client))),
        ]))
    } + [
      event(
        "BLOCK_IO_ERROR", .required("device", .string), .optional("node-name", .string),
        .required("operation", .enumeration(["read", "write"])),
        .required("action", .enumeration(["ignore", "report", "stop"])), .optional("nospace", .boolean),
        .required("reason", .string)),
      event("NETDEV_STREAM_CONNECTED", .required("netdev-id", .string), .required("addr", socketAddress)),
      event("NETDEV_STREAM_DISCONNECTED", .required("netdev-id", .string)),
      event("NIC_RX_FILTER_CHANGED", .optional("name", .string), .required("path", .string)),
      event("GUEST_PANICKED", .required("action", crashAction)),
      event("GUEST_CRASHLOADED", .required("action", crashAction)),
    ]

  private static func event(_ name: String, _ members: Structure.Member...) -> QMPEventDeclaration {
    QMPEventDeclaration(name: name, data: Structure(members))
  }

  /// The machine's event in QMP's words.
  static func event(for event: MachineEvent, of machine: Machine) -> QMPEvent {
    switch event {
    case .shutdown(let cause): QMPEvent("SHUTDOWN", told(cause))
    case .powerDown: QMPEvent("POWERDOWN")
    case .reset(let cause): QMPEvent("RESET", told(cause))
    case .stop: QMPEvent("STOP")
    case .resume: QMPEvent("RESUME")
    case .clockChanged(let offset):
      QMPEvent(
        "RTC_CHANGE", [.init("offset", .integer(offset)), .init("qom-path", "/machine/unattached/rtc")])
    case .deviceRemoved(let id, let name):
      QMPEvent(
        "DEVICE_DELETED",
        (id.map { [.init("device", .string($0))] } ?? []) + [
          .init(
            "path", .string(id.map { "/machine/peripheral/\($0)" } ?? "/machine/peripheral-anon/\(name)"))
        ])
    case .crashed(let report, let action):
      QMPEvent(
        report == .panicked ? "GUEST_PANICKED" : "GUEST_CRASHLOADED",
        [.init("action", .string(action.rawValue))])
    case .networkStream(let id, let address?):
      QMPEvent(
        "NETDEV_STREAM_CONNECTED", [.init("netdev-id", .string(id)), .init("addr", told(address))])
    case .networkStream(let id, nil):
      QMPEvent("NETDEV_STREAM_DISCONNECTED", [.init("netdev-id", .string(id))])
    case .receiveFilterChanged(let name, let id):
      QMPEvent(
        "NIC_RX_FILTER_CHANGED",
        [
          .init("name", .string(name)),
          .init("path", .string(id.map { "/machine/peripheral/\($0)" } ?? "/machine/unattached/\(name)")),
        ])
    case .viewer(let viewer, let change): VNCDescription.event(viewer, change, of: machine)
    case .trayMoved(let drive, let deviceID, let isOpen):
      QMPEvent(
        "DEVICE_TRAY_MOVED",
        [
          .init("device", .string(name(ofDrive: drive, of: machine))),
          .init("id", .string(deviceID ?? ObjectTree.path(ofDrive: drive))),
          .init("tray-open", .bool(isOpen)),
        ])
    case .blockError(let drive, let isRead, let action, let isNoSpace, let reason):
      QMPEvent(
        "BLOCK_IO_ERROR",
        [
          .init("device", .string(name(ofDrive: drive, of: machine))),
          .init("operation", isRead ? "read" : "write"),
          .init("action", .string(action.rawValue)), .init("nospace", .bool(isNoSpace)),
          .init("reason", .string(reason)),
        ])
    }
  }

  /// What a drive is called: nothing, if only its device or its image has a name.
  private static func name(ofDrive name: String, of machine: Machine) -> String {
    machine.drives.contains { $0.name == name && $0.isAnonymous } ? "" : name
  }

  private static func told(_ address: SocketSettings.Address) -> JSONValue {
    switch address {
    case .tcp(let host, let port):
      .object([.init("host", .string(host)), .init("port", .string("\(port)")), .init("type", "inet")])
    case .unix(let path, let isAbstract):
      .object(
        [.init("path", .string(path))] + (isAbstract ? [.init("abstract", .bool(true))] : []) + [
          .init("type", "unix")
        ])
    case .descriptor(let number): .object([.init("str", .string("\(number)")), .init("type", "fd")])
    }
  }

  private static func told(_ cause: MachineEvent.Cause) -> [JSONValue.Member] {
    [.init("guest", .bool(cause.isGuest)), .init("reason", .string(cause.rawValue))]
  }
}
