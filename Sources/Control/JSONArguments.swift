// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import OptionSyntax

extension PropertyList {
  /// The value of an option that can be written in both of QEMU's spellings: `a,key=value` or a JSON object. Members of
  /// objects within are named by paths: `file.filename`.
  public init(anySpelling text: String, option: String, implied: String? = nil) throws(OptionError) {
    guard text.hasPrefix("{") else {
      self = try PropertyList(text, option: option, implied: implied)
      return
    }
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: text) } catch {
      throw OptionError("\(option): that is no JSON: \(error)")
    }
    try self.init(flattening: value, option: option)
  }

  /// The members of a JSON object.
  init(flattening value: JSONValue, option: String) throws(OptionError) {
    var pairs: [(String, String)] = []
    try Self.flatten(value, path: "", option: option, into: &pairs)
    self.init(pairs, option: option)
  }

  private static func flatten(
    _ value: JSONValue, path: String, option: String, into pairs: inout [(String, String)]
  ) throws(OptionError) {
    switch value {
    case .object(let members):
      for member in members {
        try flatten(
          member.value, path: path.isEmpty ? member.name : "\(path).\(member.name)", option: option,
          into: &pairs)
      }
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        try flatten(element, path: "\(path).\(index)", option: option, into: &pairs)
      }
    case .bool(let flag): pairs.append((path, flag ? "on" : "off"))
    case .string(let text): pairs.append((path, text))
    case .integer, .unsigned, .number: pairs.append((path, value.text()))
    case .null: throw OptionError("\(option): '\(path)' cannot be null")
    }
  }
}
