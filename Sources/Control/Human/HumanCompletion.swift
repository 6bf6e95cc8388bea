// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Glibc
import Machine

/// Completes the human monitor's lines: commands, what `info` can tell, drives, keys and files.
struct HumanCompletion {
  let machine: Machine

  /// What could follow `text`.
  func completion(of text: String) -> Completion {
    var words = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
    let typed = text.hasSuffix(" ") || words.isEmpty ? "" : words.removeLast()
    guard let name = words.first else { return Completion(typed, of: Self.names(HumanCommands.all)) }
    guard let command = HumanCommands.byName[name] else { return Completion(typed, of: []) }
    words.removeFirst()
    if command.name == "info" {
      guard let topic = words.first else { return Completion(typed, of: Self.names(HumanCommands.topics)) }
      guard let command = HumanCommands.topicsByName[topic] else { return Completion(typed, of: []) }
      return completion(of: typed, after: Array(words.dropFirst()), in: command)
    }
    if command.name == "help", words == ["info"] {
      return Completion(typed, of: Self.names(HumanCommands.topics))
    }
    return completion(of: typed, after: words, in: command)
  }

  private static func names(_ commands: [HumanCommand]) -> [String] { commands.flatMap(\.names) }

  /// What could be the argument after `words`.
  private func completion(of typed: String, after words: [String], in command: HumanCommand) -> Completion {
    let positional = command.arguments.filter { argument in
      switch argument.kind {
      case .flag, .option, .format: false
      default: true
      }
    }
    let given = words.filter { !$0.hasPrefix("-") }
    guard given.count < positional.count else { return Completion(typed, of: []) }
    switch positional[given.count].kind {
    case .drive:
      let drives = machine.drives.map(\.name)
      return Completion(typed, of: command.name == "change" ? drives + ["vnc"] : drives)
    case .command: return Completion(typed, of: Self.names(HumanCommands.all))
    case .word(let choices): return Completion(typed, of: choices)
    case .keys: return keys(typed)
    case .file where given.first == "vnc": return Completion(typed, of: ["password"])
    case .file: return Completion(typed, of: Self.files(typed))
    default: return Completion(typed, of: [])
    }
  }

  private func keys(_ typed: String) -> Completion {
    let held = typed.lastIndex(of: "-").map { String(typed[...$0]) } ?? ""
    return Completion(typed, of: KeyNames.codes.keys.map { held + $0 })
  }

  /// More entries of a directory than this are not looked at.
  private static let mostEntries = 10_000

  /// The files whose names begin with `typed`; directories end with a slash.
  private static func files(_ typed: String) -> [String] {
    let directory = typed.lastIndex(of: "/").map { String(typed[...$0]) } ?? ""
    let start = String(typed.dropFirst(directory.count))
    guard let stream = opendir(directory.isEmpty ? "." : directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    var looked = 0
    while looked < mostEntries, let entry = readdir(stream) {
      looked += 1
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(start), name != ".", name != "..", !name.hasPrefix(".") || start.hasPrefix(".")
      else {
        continue
      }
      let isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
      names.append(directory + name + (isDirectory ? "/" : ""))
    }
    return names
  }
}
