// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Which requests of an image are to fail, in the words of QEMU's blkdebug (docs/devel/blkdebug.txt).
public struct FaultRules: Equatable, Sendable {
  /// What a request comes by on its way.
  public enum Event: String, Sendable, CaseIterable {
    case read = "read_aio"
    case write = "write_aio"
    case flushToOS = "flush_to_os"
    case flushToDisk = "flush_to_disk"
  }

  /// `[inject-error]` or `[set-state]`.
  struct Rule: Equatable, Sendable {
    enum Action: Equatable, Sendable {
      /// The request fails; `sector` is one that it must concern.
      case fail(code: Int32, sector: UInt64?, once: Bool)
      case enter(state: Int)
    }
    var event: Event
    /// The state in which it holds; 0 for all.
    var state: Int
    var action: Action
  }

  private(set) var rules: [Rule] = []
  private var state = 1

  /// No request is to fail.
  public init() {}

  /// What holds for a request that comes by an event.
  /// - Returns: the `errno` with which it fails; nil if it does not.
  mutating func apply(_ event: Event, to request: BlockRequest) -> Int32? {
    var failure: Int32?
    var newState = state
    for (index, rule) in rules.enumerated().reversed()
    where rule.event == event && (rule.state == 0 || rule.state == state) {
      switch rule.action {
      case .enter(let next): newState = next
      case .fail(let code, let sector, let once):
        guard failure == nil, Self.concerns(request, sector) else { continue }
        failure = code
        if once { rules.remove(at: index) }
      }
    }
    state = newState
    return failure
  }

  private static func concerns(_ request: BlockRequest, _ sector: UInt64?) -> Bool {
    guard let sector, request.operation != .flush else { return true }
    let first = request.offset / 512
    let (end, isTooFar) = request.offset.addingReportingOverflow(request.transferByteCount)
    return sector >= first && sector < (isTooFar ? .max : (end &+ 511) / 512)
  }

  // MARK: The file

  /// The rules in the text of a configuration file: sections in brackets, lines `name = "value"`, comments after `#`.
  /// - Throws: what is wrong, and in which line.
  public init(text: String) throws(FaultRulesError) {
    var section: (name: String, values: [String: String], line: Int)?
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = Self.trimmed(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      if line.hasPrefix("["), line.hasSuffix("]") {
        if let section { try add(section.name, section.values, line: section.line) }
        section = (String(line.dropFirst().dropLast()), [:], index + 1)
        continue
      }
      let parts = line.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, section != nil else {
        throw FaultRulesError("line \(index + 1) is neither '[section]' nor 'name = \"value\"'")
      }
      var value = Self.trimmed(parts[1])
      if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
        value = value.dropFirst().dropLast()
      }
      section?.values[String(Self.trimmed(parts[0]))] = String(value)
    }
    if let section { try add(section.name, section.values, line: section.line) }
  }

  private mutating func add(_ name: String, _ values: [String: String], line: Int) throws(FaultRulesError) {
    var values = values
    func number(_ key: String) throws(FaultRulesError) -> Int? {
      guard let text = values.removeValue(forKey: key) else { return nil }
      guard let number = Int(text), number >= 0 else {
        throw FaultRulesError("line \(line): \(key) = \"\(text)\" is not a number")
      }
      return number
    }
    func flag(_ key: String) throws(FaultRulesError) -> Bool {
      switch values.removeValue(forKey: key) {
      case nil, "off": return false
      case "on": return true
      case let text?: throw FaultRulesError("line \(line): \(key) = \"\(text)\" must be on or off")
      }
    }
    let eventName = values.removeValue(forKey: "event") ?? ""
    guard let event = Event(rawValue: eventName) else {
      let known = Event.allCases.map(\.rawValue).joined(separator: ", ")
      throw FaultRulesError("line \(line): there is no event '\(eventName)'; there are: \(known)")
    }
    let state = try number("state") ?? 0
    let action: Rule.Action
    switch name {
    case "inject-error":
      let code = Int32(clamping: try number("errno") ?? Int(EIO))
      let sector = try number("sector").map { UInt64($0) }
      let once = try flag("once")
      // All requests here fail at once.
      _ = try flag("immediately")
      action = .fail(code: code, sector: sector, once: once)
    case "set-state":
      guard let next = try number("new_state") else {
        throw FaultRulesError("line \(line): new_state is missing")
      }
      action = .enter(state: next)
    default:
      throw FaultRulesError("line \(line): there is no section '\(name)'; there are: inject-error, set-state")
    }
    if let unknown = values.keys.min() { throw FaultRulesError("line \(line): unknown name '\(unknown)'") }
    rules.append(Rule(event: event, state: state, action: action))
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
    while let last = text.last, last == " " || last == "\t" || last == "\r" { text = text.dropLast() }
    return text
  }

  /// The rules in a file of at most 64 KiB.
  public init(path: String) throws(FaultRulesError) {
    let descriptor = martlet_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else {
      throw FaultRulesError("'\(path)' cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { Glibc.close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    guard count >= 0, count < bytes.count else {
      throw FaultRulesError(
        count < 0 ? "'\(path)' cannot be read: \(String(cString: strerror(errno)))" : "'\(path)' is too long")
    }
    do throws(FaultRulesError) {
      try self.init(text: String(decoding: bytes[..<count], as: UTF8.self))
    } catch {
      throw FaultRulesError("'\(path)': \(error)")
    }
  }
}

/// Rules that cannot be understood.
public struct FaultRulesError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What is wrong with them.
  public let description: String
  init(_ description: String) { self.description = description }
}
