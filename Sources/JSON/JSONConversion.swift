// SPDX-License-Identifier: GPL-2.0-or-later

import CJSON

/// Between json-c's tree and ours. The depth of the tree is bounded by the parser.
extension JSONValue {
  /// The value of json-c's object; it stays the caller's.
  init(_ object: OpaquePointer?) {
    switch json_object_get_type(object) {
    case json_type_boolean: self = .bool(json_object_get_boolean(object) != 0)
    case json_type_double: self = .number(json_object_get_double(object))
    case json_type_int:
      let value = json_object_get_int64(object)
      // json-c answers with the nearest there is.
      self = value == .max ? JSONValue(json_object_get_uint64(object)) : .integer(value)
    case json_type_string:
      let count = Int(json_object_get_string_len(object))
      let bytes = UnsafeRawBufferPointer(start: json_object_get_string(object), count: count)
      self = .string(String(decoding: bytes, as: UTF8.self))
    case json_type_array:
      self = .array(
        (0..<json_object_array_length(object)).map { JSONValue(json_object_array_get_idx(object, $0)) })
    case json_type_object:
      var members: [Member] = []
      var position = json_object_iter_begin(object)
      var end = json_object_iter_end(object)
      while json_object_iter_equal(&position, &end) == 0 {
        if let name = json_object_iter_peek_name(&position) {
          members.append(Member(String(cString: name), JSONValue(json_object_iter_peek_value(&position))))
        }
        json_object_iter_next(&position)
      }
      self = .object(members)
    default: self = .null
    }
  }

  /// json-c's tree of this value, the caller's to give up.
  fileprivate func makeObject() -> OpaquePointer? {
    switch self {
    case .null: return nil
    case .bool(let value): return json_object_new_boolean(value ? 1 : 0)
    case .integer(let value): return json_object_new_int64(value)
    case .unsigned(let value): return json_object_new_uint64(value)
    case .number(let value): return json_object_new_double(value)
    case .string(var text):
      return text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          json_object_new_string_len(
            $0.baseAddress ?? UnsafePointer(bitPattern: 1), Int32(clamping: $0.count))
        }
      }
    case .array(let elements):
      let array = json_object_new_array_ext(Int32(clamping: elements.count))
      for element in elements { json_object_array_add(array, element.makeObject()) }
      return array
    case .object(let members):
      let object = json_object_new_object()
      for member in members { json_object_object_add(object, member.name, member.value.makeObject()) }
      return object
    }
  }

  /// The value as JSON text: on one line, or indented for people.
  public func text(isPretty: Bool = false) -> String {
    let object = makeObject()
    defer { json_object_put(object) }
    let layout = isPretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN
    var count = 0
    guard
      let text = json_object_to_json_string_length(object, layout | JSON_C_TO_STRING_NOSLASHESCAPE, &count)
    else { return "null" }
    return String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
  }
}
