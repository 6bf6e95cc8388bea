// SPDX-License-Identifier: GPL-2.0-or-later

import CJSON

/// A text that is no JSON.
public struct JSONError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What is wrong with it, for people.
  public let description: String
}

/// Takes JSON values out of a stream of bytes that comes in pieces, one value behind the other with or without
/// space between them. Single quotes are taken for double ones, as QEMU does.
///
/// The stream comes from outside: nesting and the size of a value are bounded.
public final class JSONStream {
  /// The deepest nesting that is taken, as QEMU's.
  public static let maximumDepth = 1024
  private let tokener: UnsafeMutablePointer<json_tokener>?
  private let maximumByteCount: Int
  /// How many bytes of an unfinished value were taken.
  private var pending = 0

  /// - Parameter maximumByteCount: the length of a value beyond which it is an error.
  public init(maximumByteCount: Int = 4 << 20) {
    self.maximumByteCount = maximumByteCount
    tokener = json_tokener_new_ex(Int32(Self.maximumDepth))
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8 | JSON_TOKENER_ALLOW_TRAILING_CHARS)
  }

  deinit { json_tokener_free(tokener) }

  /// Whether a value has begun and not ended.
  public var isWithinValue: Bool { pending > 0 }

  /// Takes bytes up to the end of the first value.
  /// - Parameter bytes: on return, what was not looked at.
  /// - Returns: the value; nil if its end has not come yet.
  public func next(_ bytes: inout UnsafeRawBufferPointer) throws(JSONError) -> JSONValue? {
    if pending == 0 { bytes = UnsafeRawBufferPointer(rebasing: bytes.drop(while: Self.isSpace)) }
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return nil }
    let count = min(bytes.count, maximumByteCount - pending + 1)
    let object = json_tokener_parse_ex(
      tokener, base.assumingMemoryBound(to: CChar.self), Int32(clamping: count))
    defer { json_object_put(object) }
    let error = json_tokener_get_error(tokener)
    let used = min(json_tokener_get_parse_end(tokener), count)
    switch error {
    case json_tokener_success:
      bytes = UnsafeRawBufferPointer(rebasing: bytes[used...])
      reset()
      return JSONValue(object)
    case json_tokener_continue:
      pending += count
      bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
      guard pending <= maximumByteCount else {
        reset()
        throw JSONError(description: "a value is longer than \(maximumByteCount) bytes")
      }
      return nil
    default:
      bytes = UnsafeRawBufferPointer(rebasing: bytes[min(used + 1, bytes.count)...])
      reset()
      throw JSONError(description: String(cString: json_tokener_error_desc(error)))
    }
  }

  /// Forgets the beginning of a value.
  public func reset() {
    json_tokener_reset(tokener)
    pending = 0
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

extension JSONValue {
  /// Reads a text that is one JSON value.
  public init(parsing text: String) throws(JSONError) {
    var text = text + "\n"
    let result = text.withUTF8 { utf8 -> Result<JSONValue, JSONError> in
      var bytes = UnsafeRawBufferPointer(utf8)
      let stream = JSONStream(maximumByteCount: utf8.count)
      do throws(JSONError) {
        guard let value = try stream.next(&bytes) else {
          return .failure(JSONError(description: "the text ends within a value"))
        }
        guard bytes.allSatisfy({ $0 == 0x0A || $0 == 0x20 }) else {
          return .failure(JSONError(description: "there is more behind the value"))
        }
        return .success(value)
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }
}
