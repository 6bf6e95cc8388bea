// SPDX-License-Identifier: GPL-2.0-or-later

/// A command of the human monitor.
struct HumanCommand: Sendable {
  typealias Body = @Sendable (HumanArguments, HumanInterpreter, inout HumanOutput) throws -> Void

  /// The name by which messages call it.
  let name: String
  /// Other names, such as "q" for "quit".
  let aliases: [String]
  let arguments: [HumanArgument]
  /// What it takes, as `help` shows it.
  let parameters: String
  /// What it does, for `help`.
  let help: String
  let run: Body

  init(
    _ name: String, aliases: [String] = [], _ arguments: [HumanArgument] = [], _ parameters: String = "",
    help: String, run: @escaping Body
  ) {
    (self.name, self.aliases, self.arguments) = (name, aliases, arguments)
    (self.parameters, self.help, self.run) = (parameters, help, run)
  }

  var names: [String] { [name] + aliases }
  /// All names, as messages and `help` show them.
  var fullName: String { names.joined(separator: "|") }
  /// The line that `help` shows.
  func helpLine(prefix: String = "") -> String { "\(prefix)\(fullName) \(parameters) -- \(help)" }

  /// What is not there, and why.
  static func missing(
    _ name: String, _ parameters: String = "", help: String, _ reason: String
  ) -> HumanCommand {
    HumanCommand(name, [HumanArgument("arguments", .rest)], parameters, help: help) { _, _, _ in
      throw HumanError.failed(reason)
    }
  }
}

/// Every command of the human monitor.
enum HumanCommands {
  static let all: [HumanCommand] =
    (running + media + screen + input + devices + network + memory + ports + snapshots + diagnostics + faults
    + [
      helpCommand, infoCommand,
    ])
    .sorted { $0.name < $1.name }

  static let byName = named(all)

  /// What `info` can tell.
  static let topics: [HumanCommand] =
    (machineTopics + processorTopics + memoryTopics + interruptTopics + deviceTopics + networkTopics
    + hostTopics)
    .sorted { $0.name < $1.name }

  static let topicsByName = named(topics)

  private static func named(_ commands: [HumanCommand]) -> [String: HumanCommand] {
    Dictionary(commands.flatMap { command in command.names.map { ($0, command) } }) { first, _ in first }
  }
}
