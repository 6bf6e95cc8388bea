// SPDX-License-Identifier: GPL-2.0-or-later

import JSON

/// What `query-qmp-schema` answers: every command, event and type, made from their declarations. Types that are not
/// built in have numbers for names, as they are nobody's business.
struct SchemaIntrospection {
  private(set) var entries: [JSONValue] = []
  private var names: [SchemaType: String] = [:]

  init(commands: [QMPCommand], events: [QMPEventDeclaration]) {
    for command in commands {
      entries.append([
        "name": .string(command.name), "meta-type": "command", "allow-oob": .bool(command.allowsOutOfBand),
        "arg-type": .string(name(of: .object(command.arguments))),
        "ret-type": .string(name(of: command.returns)),
      ])
    }
    for event in events {
      entries.append([
        "name": .string(event.name), "meta-type": "event", "arg-type": .string(name(of: .object(event.data))),
      ])
    }
  }

  /// The name of a type, described on its first use.
  private mutating func name(of type: SchemaType) -> String {
    if let known = names[type] { return known }
    switch type {
    case .string: return builtIn("str", "string", type)
    case .integer: return builtIn("int", "int", type)
    case .number: return builtIn("number", "number", type)
    case .boolean: return builtIn("bool", "boolean", type)
    case .null: return builtIn("null", "null", type)
    case .any: return builtIn("any", "value", type)
    case .array(let element):
      let elementName = name(of: element)
      let name = "[\(elementName)]"
      names[type] = name
      entries.append(["name": .string(name), "meta-type": "array", "element-type": .string(elementName)])
      return name
    case .enumeration(let words):
      let name = newName(type)
      entries.append([
        "name": .string(name), "meta-type": "enum",
        "members": .array(words.map { ["name": .string($0)] }), "values": .array(words.map { .string($0) }),
      ])
      return name
    case .alternate(let types):
      let name = newName(type)
      let members = types.map { JSONValue.object([.init("type", .string(self.name(of: $0)))]) }
      entries.append(["name": .string(name), "meta-type": "alternate", "members": .array(members)])
      return name
    case .object(let structure):
      let name = newName(type)
      var entry: [JSONValue.Member] = [
        .init("name", .string(name)), .init("meta-type", "object"),
        .init("members", .array(structure.members.map { describe($0) })),
      ]
      if let tag = structure.tag {
        entry.append(.init("tag", .string(tag)))
        entry.append(
          .init(
            "variants",
            .array(
              structure.variants.map {
                ["case": .string($0.value), "type": .string(self.name(of: .object(Structure($0.members))))]
              })))
      }
      entries.append(.object(entry))
      return name
    }
  }

  private mutating func describe(_ member: Structure.Member) -> JSONValue {
    var fields: [JSONValue.Member] = [
      .init("name", .string(member.name)), .init("type", .string(name(of: member.type))),
    ]
    // An optional member is one that has a default, which is told as null.
    if member.isOptional { fields.append(.init("default", .null)) }
    return .object(fields)
  }

  private mutating func newName(_ type: SchemaType) -> String {
    let name = String(names.count)
    names[type] = name
    return name
  }

  private mutating func builtIn(_ name: String, _ kind: String, _ type: SchemaType) -> String {
    names[type] = name
    entries.append(["name": .string(name), "meta-type": "builtin", "json-type": .string(kind)])
    return name
  }
}
