// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  private static let property: SchemaType = .members(
    .required("name", .string), .required("type", .string), .optional("description", .string),
    .optional("default-value", .any))

  /// The tree of objects.
  static let objects: [QMPCommand] = [
    QMPCommand("qom-list", [.required("path", .string)], returns: .array(property)) {
      (arguments, context) throws(QMPError) in
      let node = try ObjectTree.node(at: arguments.text("path"), in: context.machine)
      let own: [JSONValue] =
        [["name": "type", "type": "string"]]
        + node.properties.map { ["name": .string($0.name), "type": .string($0.type)] }
      return .array(
        own + node.children.map { ["name": .string($0.name), "type": .string("child<\($0.node.type)>")] })
    },
    QMPCommand("qom-get", [.required("path", .string), .required("property", .string)], returns: .any) {
      (arguments, context) throws(QMPError) in
      let node = try ObjectTree.node(at: arguments.text("path"), in: context.machine)
      let name = arguments.text("property")
      if name == "type" { return .string(node.type) }
      if let property = node.properties.first(where: { $0.name == name }) { return property.value }
      guard node.children.contains(where: { $0.name == name }) else {
        throw QMPError("Property '\(node.type).\(name)' not found")
      }
      return .string(arguments.text("path") + "/" + name)
    },
    .action(
      "qom-set", [.required("path", .string), .required("property", .string), .required("value", .any)]
    ) { (arguments, context) throws(QMPError) in
      let node = try ObjectTree.node(at: arguments.text("path"), in: context.machine)
      let name = arguments.text("property")
      guard name == "type" || node.properties.contains(where: { $0.name == name }) else {
        throw QMPError("Property '\(node.type).\(name)' not found")
      }
      throw QMPError("Property '\(node.type).\(name)' is not writable")
    },
    QMPCommand(
      "qom-list-types", [.optional("implements", .string), .optional("abstract", .boolean)],
      returns: .array(.members(.required("name", .string), .optional("abstract", .boolean)))
    ) { _, context in
      var types: Set<String> = []
      collect(ObjectTree.root(of: context.machine), into: &types)
      return .array(types.sorted().map { ["name": .string($0)] })
    },
  ]

  private static func collect(_ node: ObjectTree.Node, into types: inout Set<String>) {
    types.insert(node.type)
    for child in node.children { collect(child.node, into: &types) }
  }
}
