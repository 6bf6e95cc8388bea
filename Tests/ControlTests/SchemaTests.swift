// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import TestSupport
import Testing

@testable import Control

@Suite struct SchemaTests {
  private static let structure = Structure(
    [
      .required("name", .string), .optional("count", .integer), .optional("list", .array(.boolean)),
      .required("kind", .enumeration(["a", "b"])), .optional("either", .alternate([.string, .null])),
    ], tag: "kind",
    variants: [.init(value: "b", members: [.required("data", .members(.required("x", .number)))])])

  private func error(_ text: String) throws -> String? {
    guard case .object(let members) = try JSONValue(parsing: text) else { return "no object" }
    do throws(QMPError) {
      try Self.structure.check(members, path: "")
      return nil
    } catch { return error.description }
  }

  @Test func whatFitsIsTaken() throws {
    #expect(try error(#"{"name":"n","kind":"a","count":18446744073709551615,"list":[true,false]}"#) == nil)
    #expect(try error(#"{"name":"n","kind":"b","data":{"x":1}}"#) == nil)
    #expect(try error(#"{"name":"n","kind":"a","either":null}"#) == nil)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    #expect(try error(#"{"kind":"a"}"#) == "Parameter 'name' is missing")
    #expect(try error(#"{"name":1,"kind":"a"}"#) == "Invalid parameter type for 'name', expected: string")
    #expect(try error(#"{"name":"n","kind":"c"}"#) == "Parameter 'kind' does not accept value 'c'")
    #expect(try error(#"{"name":"n","kind":"a","what":1}"#) == "Parameter 'what' is unexpected")
    #expect(try error(#"{"name":"n","kind":"a","data":{"x":1}}"#) == "Parameter 'data' is unexpected")
    #expect(
      try error(#"{"name":"n","kind":"b","data":{"x":"1"}}"#)
        == "Invalid parameter type for 'data.x', expected: number")
    #expect(
      try error(#"{"name":"n","kind":"a","list":[true,1]}"#)
        == "Invalid parameter type for 'list[1]', expected: boolean")
    #expect(
      try error(#"{"name":"n","kind":"a","either":5}"#)
        == "Invalid parameter type for 'either', expected: string or null")
  }

  /// Every type that is used is described, once, and every command and event is there.
  @Test func introspectionIsComplete() throws {
    let entries = SchemaIntrospection(commands: QMPCommands.all, events: QMPEvents.all).entries
    let names = entries.compactMap { $0["name"]?.string }
    #expect(Set(names).count == names.count)
    #expect(names.count == entries.count)
    for command in QMPCommands.all { #expect(names.contains(command.name)) }
    var used: [String] = []
    for entry in entries {
      used += ["arg-type", "ret-type", "element-type"].compactMap { entry[$0]?.string }
      for member in (entry["members"]?.array ?? []) + (entry["variants"]?.array ?? []) {
        if let type = member["type"]?.string { used.append(type) }
      }
    }
    #expect(!used.isEmpty)
    #expect(Set(used).subtracting(names).isEmpty)
  }

  @Test func commandsHaveOneNameEach() {
    #expect(QMPCommands.byName.count == QMPCommands.all.count)
  }

  /// Random arguments are refused or taken; nothing traps.
  @Test func randomArgumentsAreCheckedSafely() {
    var generator = SeededGenerator(seed: 7)
    func value(_ depth: Int) -> JSONValue {
      switch Int.random(in: 0...7, using: &generator) {
      case 0: .null
      case 1: .bool(.random(using: &generator))
      case 2: .integer(.random(in: .min ... .max, using: &generator))
      case 3: .unsigned(.max)
      case 4: .number(.infinity)
      case 5: .string("qcode")
      case 6: .array(depth > 3 ? [] : (0..<3).map { _ in value(depth + 1) })
      default: .object(depth > 3 ? [] : [.init("type", value(depth + 1)), .init("data", value(depth + 1))])
      }
    }
    for command in QMPCommands.all {
      for _ in 0..<20 {
        let members = command.arguments.members.map { JSONValue.Member($0.name, value(0)) }
        try? command.arguments.check(members, path: "")
      }
    }
  }
}
