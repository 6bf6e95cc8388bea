// SPDX-License-Identifier: GPL-2.0-or-later

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
    machine.drives.first { $0.deviceID == path || Self.path(ofDrive: $0.name) == path }?.name
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
    unattached += machine.drives.map { drive in
      Child(
        drive.name,
        Node(
          type: drive.kind == .disk ? "ide-hd" : "ide-cd",
          properties: [
            Property("drive", "str", .string(drive.name)), Property("serial", "str", .string(drive.serial)),
          ]))
    }
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
    let container = Node(type: "container")
    let board = Node(
      type: "pc-machine",
      properties: [
        Property("accel", "str", .string(machine.engineName)),
        Property("memory-size", "int", JSONValue(configuration.memoryByteCount)),
      ],
      children: [
        Child("peripheral", Node(type: "container", children: nodes(hasID: true))),
        Child("peripheral-anon", Node(type: "container", children: nodes(hasID: false))),
        Child("unattached", Node(type: "container", children: unattached)),
      ])
    return Node(
      type: "container",
      children: [Child("machine", board), Child("objects", container), Child("chardevs", container)])
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
