// SPDX-License-Identifier: GPL-2.0-or-later

import JSON

extension SchemaType {
  /// Refuses a value that is not of this type.
  /// - Parameter name: what the value is called in the error: the path of member names.
  func check(_ value: JSONValue, name: String) throws(QMPError) {
    switch (self, value) {
    case (.any, _), (.string, .string), (.integer, .integer), (.integer, .unsigned), (.boolean, .bool),
      (.null, .null), (.number, .number), (.number, .integer), (.number, .unsigned):
      return
    case (.enumeration(let words), .string(let word)):
      guard words.contains(word) else {
        // QEMU names a member here without the path to it.
        let last = name.split(separator: ".").last ?? ""
        throw QMPError("Parameter '\(last)' does not accept value '\(word)'")
      }
    case (.array(let element), .array(let values)):
      for (index, value) in values.enumerated() { try element.check(value, name: "\(name)[\(index)]") }
    case (.object(let structure), .object(let members)):
      try structure.check(members, path: name.isEmpty ? "" : name + ".")
    case (.alternate(let types), _):
      guard let type = types.first(where: { $0.accepts(kindOf: value) }) else {
        throw QMPError("Invalid parameter type for '\(name)', expected: \(expectation)")
      }
      try type.check(value, name: name)
    default:
      throw QMPError("Invalid parameter type for '\(name)', expected: \(expectation)")
    }
  }

  private func accepts(kindOf value: JSONValue) -> Bool {
    switch (self, value) {
    case (.any, _), (.string, .string), (.enumeration, .string), (.integer, .integer), (.integer, .unsigned),
      (.number, .number), (.number, .integer), (.boolean, .bool), (.null, .null), (.array, .array),
      (.object, .object):
      true
    default: false
    }
  }
}

extension Structure {
  /// Refuses members that are not declared, are missing or have the wrong type.
  func check(_ values: [JSONValue.Member], path: String) throws(QMPError) {
    var expected = members
    if let tag, let word = values.last(where: { $0.name == tag })?.value.string {
      expected += variants.first { $0.value == word }?.members ?? []
    }
    for member in expected {
      guard let value = values.last(where: { $0.name == member.name })?.value else {
        if member.isOptional { continue }
        throw QMPError("Parameter '\(path)\(member.name)' is missing")
      }
      try member.type.check(value, name: path + member.name)
    }
    for value in values where !isOpen && !expected.contains(where: { $0.name == value.name }) {
      throw QMPError("Parameter '\(path)\(value.name)' is unexpected")
    }
  }
}
