// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import JSON
import Machine

/// The machine as a tree of objects, as `qom-list` and `qom-get` show it: enough for toolstacks to find CPUs, drives and
/// devices, and to read what they are.
enum ObjectTree {
  /// An object: its type, what can be read, and what is below it.
  struct Node {
    let type: String
    var properties: [Property] = []
    var children: [Child] = []
  }

  struct Property {
    let name: String
    let type: String
    let value: JSONValue

    init(_ name: String, _ type: String, _ value: JSONValue) {
      (self.name, self.type, self.value) = (name, type, value)
    }
  }

  struct Child {
    let name: String
    let node: Node

    init(_ name: String, _ node: Node) { (self.name, self.node) = (name, node) }
  }

  static func path(ofCPU index: Int) -> String { "/machine/unattached/cpu[\(index)]" }
  static func path(ofDrive name: String) -> String { "/machine/unattached/\(name)" }

  /// The drive of a device with this id or path; nil if there is none.
  static func drive(atPath path: String, in machine: Machine) -> String? {
    machine.drives.first { drive in
      drive.deviceID.map { $0 == path || "/machine/peripheral/\($0)" == path }
        ?? (Self.path(ofDrive: drive.name) == path)
    }?.name
  }

  static func root(of machine: Machine) -> Node {
    let configuration = machine.configuration
    var unattached: [Child] = machine.cpus.map { cpu in
      Child(
        "cpu[\(cpu.index)]",
        Node(
          type: "\(configuration.cpu.model)-x86_64-cpu",
          properties: [
            Property("socket-id", "int", JSONValue(cpu.socket)),
            Property("core-id", "int", JSONValue(cpu.core)),
            Property("thread-id", "int", JSONValue(cpu.thread)),
          ]))
    }
    unattached += machine.drives.filter { $0.deviceID == nil }.map { Child($0.name, node(of: $0)) }
    let plugged = machine.usbDevices
    func nodes(hasID: Bool) -> [Child] {
      plugged.filter { ($0.id != nil) == hasID }.map { device in
        Child(
          device.name,
          Node(
            type: device.driver,
            properties: [
              Property("port", "str", .string(device.port)), Property("attached", "bool", .bool(true)),
            ]))
      }
    }
    let names = Set(plugged.map(\.name))
    unattached += machine.deviceNames.filter { !names.contains($0) }.map { Child($0, Node(type: $0)) }
    // What is plugged in comes and goes.
    let named = configuration.namedDevices.filter { device in
      !names.contains(device.id)
        && !DeviceCatalog.drivers.contains { $0.name == device.driver && $0.bus == "USB" }
    }.map { device in
      let drive = machine.drives.first { $0.deviceID == device.id }
      return Child(device.id, drive.map { node(of: $0) } ?? Node(type: device.driver))
    }
    let board = Node(
      type: "pc-machine",
      properties: [
        Property("accel", "str", .string(machine.engineName)),
        Property("memory-size", "int", JSONValue(configuration.memoryByteCount)),
      ],
      children: [
        Child("peripheral", Node(type: "container", children: named + nodes(hasID: true))),
        Child("peripheral-anon", Node(type: "container", children: nodes(hasID: false))),
        Child("unattached", Node(type: "container", children: unattached)),
      ])
    let objects = machine.objects.map { Child($0.id, Node(type: $0.typeName)) }
    let characters = machine.characterDevices.map { device in
      Child(
        device.label, Node(type: "chardev", properties: [Property("label", "str", .string(device.label))]))
    }
    return Node(
      type: "container",
      children: [
        Child("machine", board), Child("objects", Node(type: "container", children: objects)),
        Child("chardevs", Node(type: "container", children: characters)),
      ])
  }

  private static func node(of drive: Drive) -> Node {
    Node(
      type: drive.kind == .disk ? "ide-hd" : "ide-cd",
      properties: [
        Property("drive", "str", .string(drive.nodeName ?? (drive.isAnonymous ? "" : drive.name))),
        Property("serial", "str", .string(drive.serial)),
      ])
  }

  /// The object at a path.
  static func node(at path: String, in machine: Machine) throws(QMPError) -> Node {
    var node = root(of: machine)
    for name in path.split(separator: "/") {
      guard let child = node.children.first(where: { $0.name == name })?.node else {
        throw QMPError("Device '\(path)' not found", class: .deviceNotFound)
      }
      node = child
    }
    return node
  }
}
