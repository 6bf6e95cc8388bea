// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import JSON
import Machine
import TestSupport
import Testing

@testable import Control

/// Clients that say anything at all, to the machine itself: what is not refused is done.
@Suite struct QMPFuzzTests {
  private static let limit = Duration.milliseconds(1000)
  /// What would end the machine, take long or write files is left out of what is made up.
  private static let forbidden: Set<String> = [
    "quit", "dump-guest-memory", "pmemsave", "memsave", "screendump", "chardev-add", "chardev-change",
    "query-qmp-schema", "human-monitor-command", "netdev_add", "object-add", "display-update", "blockdev-add",
    "cont", "remove-fd",
  ]

  private func announcedGenerator(_ name: String) -> SeededGenerator {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("\(name): seed \(seed)")
    return SeededGenerator(seed: seed)
  }

  /// Some JSON, at most so deep.
  private func value(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 10 : 8), using: &random) {
    case 0: .null
    case 1: .bool(.random(using: &random))
    case 2: .integer(.random(in: -2...70000, using: &random))
    case 3:
      [.integer(.min), .integer(.max), .unsigned(.max), .integer(-1)].randomElement(using: &random) ?? 0
    case 4:
      .number([.infinity, -0.0, 1e308, 0.5, 1e19].filter(\.isFinite).randomElement(using: &random) ?? 0)
    case 5:
      .string(["", "\u{0}", "ide1-cd0", "raw", "vnc", "é\u{1F600}"].randomElement(using: &random) ?? "")
    case 6:
      .string(
        String(
          decoding: (0..<Int.random(in: 0..<40, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
          }, as: UTF8.self))
    case 7: .string(String(repeating: "x", count: .random(in: 0..<300, using: &random)))
    case 8: .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth - 1, &random) })
    default:
      .object(
        (0..<Int.random(in: 0..<4, using: &random)).map { _ in
          .init(
            ["type", "data", "id", "x", ""].randomElement(using: &random) ?? "", value(depth - 1, &random))
        })
    }
  }

  /// A value of a type, mostly.
  private func value(of type: SchemaType, _ random: inout SeededGenerator) -> JSONValue {
    guard Int.random(in: 0..<8, using: &random) > 0 else { return value(2, &random) }
    switch type {
    case .string:
      return .string(["ide1-cd0", "", "raw", "/machine", "a"].randomElement(using: &random) ?? "")
    case .enumeration(let words): return .string(words.randomElement(using: &random) ?? "")
    case .integer, .number:
      return [0, 1, -1, 2, 65536, .integer(.min), .integer(.max), .unsigned(.max)].randomElement(
        using: &random)
        ?? 0
    case .boolean: return .bool(.random(using: &random))
    case .null: return .null
    case .any: return value(2, &random)
    case .array(let element):
      return .array((0..<Int.random(in: 0..<20, using: &random)).map { _ in value(of: element, &random) })
    case .alternate(let types):
      return types.randomElement(using: &random).map { value(of: $0, &random) } ?? .null
    case .object(let structure): return .object(members(of: structure, &random))
    }
  }

  private func members(of structure: Structure, _ random: inout SeededGenerator) -> [JSONValue.Member] {
    var result = structure.members.compactMap { member -> JSONValue.Member? in
      let isThere = !member.isOptional || Bool.random(using: &random)
      return isThere ? .init(member.name, value(of: member.type, &random)) : nil
    }
    if let word = result.first(where: { $0.name == structure.tag })?.value.string {
      for member in structure.variants.first(where: { $0.value == word })?.members ?? [] {
        result.append(.init(member.name, value(of: member.type, &random)))
      }
    }
    if Int.random(in: 0..<10, using: &random) == 0 { result.append(.init("what", value(2, &random))) }
    return result
  }

  /// Every command with arguments that fit, nearly fit or do not fit.
  @Test func commandsBearAnyArguments() throws {
    let client = try QMPClient()
    var random = announcedGenerator("commands")
    let commands = QMPCommands.all.filter { !Self.forbidden.contains($0.name) }
    let clock = ContinuousClock()
    let end = clock.now + Self.limit
    while clock.now < end {
      for command in commands.shuffled(using: &random).prefix(50) {
        let answer = client.ask(command.name, .object(members(of: command.arguments, &random)))
        #expect(answer["return"] != nil || answer["error"]?["desc"]?.string != nil, "\(command.name)")
      }
      client.events = []
    }
    #expect(client.value("query-status") != nil)
  }

  /// Messages that are wrong in every way a message can be, in pieces of any size.
  @Test func anyBytesAreBorne() throws {
    let client = try QMPClient()
    var random = announcedGenerator("bytes")
    let clock = ContinuousClock()
    let end = clock.now + .milliseconds(700)
    let sound = Array(#"{"execute":"query-status","arguments":{},"id":[1,{"a":null},-5.5e3,"é"]}"#.utf8)
    while clock.now < end {
      var bytes: [UInt8]
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in .random(in: 0...255, using: &random)
        }
      case 1:
        let depth = Int.random(in: 1...3000, using: &random)
        bytes = Array(
          String(repeating: ["[", "{\"a\":", "[{"].randomElement(using: &random) ?? "[", count: depth).utf8)
      case 2: bytes = Array("{\"execute\":\"x\",\"id\":\(String(repeating: "9", count: 5000))}".utf8)
      case 3: bytes = Array("{\"execute\":\"x\",\"id\":1e\(String(repeating: "9", count: 400))}".utf8)
      case 4: bytes = Array(value(5, &random).text().utf8)
      case 5:
        // Broken somewhere.
        bytes = sound
        for _ in 0..<3 {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
        }
      case 6: bytes = Array(sound.prefix(.random(in: 0..<sound.count, using: &random)))
      default:
        bytes =
          Array(#"{"execute":"qmp_capabilities","arguments":"#.utf8) + Array(value(3, &random).text().utf8)
          + [0x7D]
      }
      if Bool.random(using: &random) { bytes.append(0x0A) }
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(.random(in: 1...100, using: &random))
        _ = client.say(Array(piece))
        rest = rest.dropFirst(piece.count)
      }
    }
    // However it was left, the end of the line and an error's answer bring it back.
    _ = client.say([0x0A, 0x22, 0x0A, 0x5D, 0x7D, 0x0A])
    client.close()
    let again = try QMPClient()
    #expect(again.value("query-status") != nil)
  }

  /// What is said without an end is not kept without an end.
  @Test func whatHasNoEndIsGivenUp() throws {
    let client = try QMPClient()
    let before = Self.resident()
    let piece = Array(String(repeating: "a", count: 1 << 16).utf8)
    var errors = client.say(Array(#"{"execute":""#.utf8)).count
    for _ in 0..<512 { errors += client.say(piece).count }
    #expect(errors > 0)
    #expect(Self.resident() &- before < 64 << 20)
    let deep = Array(String(repeating: "[", count: 1 << 16).utf8)
    for _ in 0..<8 { errors += client.say(deep).count }
    #expect(Self.resident() &- before < 64 << 20)
  }

  /// The memory of this process, in bytes.
  private static func resident() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
  }

  /// Lines for people: commands with words that fit or do not.
  @Test func theHumanMonitorBearsAnyLine() throws {
    let client = try QMPClient()
    let interpreter = HumanInterpreter(machine: client.machine)
    var random = announcedGenerator("lines")
    let names =
      HumanCommands.all.map(\.name).filter {
        !["quit", "dump-guest-memory", "pmemsave", "memsave", "screendump", "cont", "logfile"].contains($0)
      } + HumanCommands.topics.map { "info \($0.name)" }
    let words = [
      "ide1-cd0", "-f", "-a", "/8xb", "/99999999999999999999i", "0xffffffffffffffff", "-1", "$rip", "$", "(1",
      "1/0",
      "1<<64", "\"", "\"a b\"", "\\", "é", "\u{1F600}", "ctrl-alt", "--", "=", "4096", "%", "port80", "on",
      "vnc",
    ]
    let clock = ContinuousClock()
    let end = clock.now + .milliseconds(700)
    while clock.now < end {
      var line = names.randomElement(using: &random) ?? "info"
      for _ in 0..<Int.random(in: 0..<5, using: &random) {
        line += [" ", "", "  "].randomElement(using: &random) ?? " "
        line += words.randomElement(using: &random) ?? ""
      }
      if Int.random(in: 0..<10, using: &random) == 0 {
        line += String(
          decoding: (0..<50).map { _ in UInt8.random(in: 0...255, using: &random) }, as: UTF8.self)
      }
      let answer = client.machine.lock.withLock { interpreter.run(line) }
      #expect(answer.isEmpty || answer.hasSuffix("\r\n"), "\(line)")
      // QMP hears what the events were.
      _ = client.takeAnswers()
      client.events = []
    }
  }
}
