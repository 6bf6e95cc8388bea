// SPDX-License-Identifier: GPL-2.0-or-later

/// The type of a value in QMP: what a command takes and returns, what an event tells. One declaration serves the
/// check of what comes in, and what `query-qmp-schema` says.
indirect enum SchemaType: Hashable, Sendable {
  case string
  case integer
  case number
  case boolean
  case null
  /// Anything at all.
  case any
  /// One of these words.
  case enumeration([String])
  case array(SchemaType)
  case object(Structure)
  /// A value of one of these, told apart by its JSON kind.
  case alternate([SchemaType])

  /// An object with these members.
  static func members(_ members: Structure.Member...) -> SchemaType { .object(Structure(members)) }
  /// An object without members.
  static let nothing = SchemaType.object(Structure([]))

  /// What QEMU calls it when something else is found.
  var expectation: String {
    switch self {
    case .string, .enumeration: "string"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .null: "null"
    case .any: "any value"
    case .array: "array"
    case .object: "object"
    case .alternate(let types): types.map(\.expectation).joined(separator: " or ")
    }
  }
}

/// An object's members, and those that depend on the value of one of them.
struct Structure: Hashable, Sendable {
  struct Member: Hashable, Sendable {
    let name: String
    let type: SchemaType
    let isOptional: Bool

    static func required(_ name: String, _ type: SchemaType) -> Member {
      Member(name: name, type: type, isOptional: false)
    }
    static func optional(_ name: String, _ type: SchemaType) -> Member {
      Member(name: name, type: type, isOptional: true)
    }
  }

  /// Members that are there if the tag has this value.
  struct Variant: Hashable, Sendable {
    let value: String
    let members: [Member]
  }

  var members: [Member]
  /// The member that says which of the variants it is; it is an enumeration.
  var tag: String?
  var variants: [Variant] = []
  /// Whether there may be members that are not declared: properties of devices.
  var isOpen = false

  init(_ members: [Member], tag: String? = nil, variants: [Variant] = [], isOpen: Bool = false) {
    self.members = members
    self.isOpen = isOpen
    self.tag = tag
    self.variants = variants
  }
}
