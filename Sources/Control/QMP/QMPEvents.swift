// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

/// Every event there is, and how the machine's are told.
enum QMPEvents {
  private static let cause = SchemaType.enumeration(MachineEvent.Cause.allCases.map(\.rawValue))
  private static let crashAction = SchemaType.enumeration(
    MachineEvent.CrashAction.allCases.map(\.rawValue))
  private static let client = VNCDescription.address
  private static let server = VNCDescription.server

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

  private static func told(_ cause: MachineEvent.Cause) -> [JSONValue.Member] {
    [.init("guest", .bool(cause.isGuest)), .init("reason", .string(cause.rawValue))]
  }
}
