// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine

/// What may stand behind an option, for the completion of shells.
enum OptionValues {
  /// What a value is.
  enum Kind: Equatable {
    case file
    case directory
    /// One of these, or something else.
    case words([String])
    /// Properties, of which the first may be one of these words.
    case properties(first: [String], keys: [String])
    case text
  }

  /// The options with properties in their values, and the properties' names.
  static var properties: [(name: String, properties: [String])] {
    OptionTable.declarations.compactMap { option in
      let words: [String]
      switch kind(of: option) {
      case .properties(let first, let keys): words = first + keys
      case .words(let all): words = all
      default: return nil
      }
      let names = words.compactMap { word in word.firstIndex(of: "=").map { String(word[..<$0]) } }
      return names.isEmpty ? nil : (option.name, Set(names).sorted())
    }
  }

  private static let ports = [
    "stdio", "mon:stdio", "pty", "null", "none", "file:", "pipe:", "unix:", "tcp:", "telnet:", "chardev:",
  ]

  /// The kind of an option's value, by the option's name.
  static func kind(of option: OptionDeclaration) -> Kind {
    let drivers = DeviceCatalog.drivers
    return switch option.name {
    case "accel": .words(Accelerator.allCases.map(\.rawValue) + ["auto"])
    case "cpu": .words(CPUModel.all.map(\.name) + ["help"])
    case "usbdevice":
      .words(["tablet", "mouse", "keyboard", "hub", "disk:", "serial:"])
    case "vga": .words(["std", "none"])
    case "display": .words(["none", "vnc="])
    case "net":
      .properties(first: ["nic", "user", "tap", "socket", "none"], keys: ["model=", "macaddr=", "name="])
    case "nic":
      .properties(first: ["user", "tap", "socket", "none"], keys: ["model=", "mac=", "id=", "hostfwd="])
    case "netdev":
      .properties(
        first: ["user", "tap", "socket", "stream", "dgram", "hubport"],
        keys: ["id=", "hostfwd=", "ifname=", "hubid="])
    case "object": .properties(first: ["secret", "filter-dump"], keys: ["id=", "data=", "file=", "netdev="])
    case "sandbox": .words(["off"])
    case "serial", "parallel", "debugcon", "qmp", "qmp-pretty", "monitor", "qtest": .words(ports)
    case "vnc":
      .properties(
        first: [":", "unix:", "fd:", "none"],
        keys: ["password=on", "share=", "to=", "websocket=on", "password-file="])
    case "machine":
      .properties(first: ["pc", "help"], keys: ["accel=", "acpi=", "kernel=", "mem-merge=", "type="])
    case "device":
      .properties(
        first: drivers.map(\.name) + ["help"],
        keys: ["id="] + Set(drivers.flatMap { $0.properties.map { "\($0.name)=" } }).sorted())
    case "global":
      .words(drivers.flatMap { driver in driver.properties.map { "\(driver.name).\($0.name)=" } })
    case "drive":
      .properties(
        first: ["file="],
        keys: [
          "file=", "format=raw", "if=", "id=", "index=", "media=cdrom", "media=disk", "cache=", "readonly=on",
          "snapshot=on", "discard=", "serial=", "bootindex=", "werror=", "rerror=", "aio=",
        ])
    case "blockdev":
      .properties(
        first: ["driver=raw", "driver=file"],
        keys: [
          "node-name=", "file.driver=file", "file.filename=", "read-only=on", "cache.direct=on",
          "discard=unmap",
        ])
    case "chardev":
      .properties(
        first: ConfigurationBuilder.backEnds,
        keys: [
          "id=", "path=", "host=", "port=", "fd=", "server=on", "wait=off", "telnet=on", "reconnect=",
          "mux=on",
          "logfile=", "logappend=on", "size=", "append=on", "signal=off",
        ])
    case "mon":
      .properties(first: ["chardev="], keys: ["chardev=", "mode=control", "mode=readline", "pretty=on"])
    case "boot":
      .properties(
        first: ["c", "d", "dc"],
        keys: ["order=", "once=", "menu=on", "splash-time=", "reboot-timeout=", "strict=on"])
    case "smp": .properties(first: [], keys: ["cpus=", "sockets=", "cores=", "threads="])
    case "rtc": .properties(first: ["base="], keys: ["base=utc", "base=localtime", "clock=host", "clock=vm"])
    case "smbios":
      .properties(
        first: ["type=", "file="],
        keys: [
          "manufacturer=", "product=", "version=", "serial=", "uuid=", "sku=", "family=", "asset=", "value=",
        ])
    case "fw_cfg": .properties(first: ["name=opt/"], keys: ["file=", "string="])
    case "trace", "d": .words(Machine.traceCategories + ["help"])
    case "action":
      .properties(
        first: [],
        keys: ["reboot=reset", "reboot=shutdown", "shutdown=pause", "shutdown=poweroff"]
          + Machine.PanicAction.allCases.map { "panic=\($0.rawValue)" })
    case "add-fd": .properties(first: ["fd="], keys: ["fd=", "set=", "opaque="])
    case "overcommit": .words(["mem-lock=on", "mem-lock=off"])
    case "msg": .words(["timestamp=on", "guest-name=on"])
    default:
      switch option.valueName {
      case "file": .file
      case "dir", "path": .directory
      default: .text
      }
    }
  }
}
