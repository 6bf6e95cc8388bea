// SPDX-License-Identifier: GPL-2.0-or-later

extension HumanCommands {
  static let helpCommand = HumanCommand(
    "help", aliases: ["?"],
    [HumanArgument("name", .command, optional: true), HumanArgument("topic", .text, optional: true)], "[cmd]",
    help: "show what there is, or one command"
  ) { arguments, _, output in
    guard let name = arguments.texts["name"] else {
      for command in all { try output.line(command.helpLine()) }
      return
    }
    guard let command = byName[name] else { throw HumanError.plain("unknown command: '\(name)'") }
    guard command.name == "info" else { return try output.line(command.helpLine()) }
    guard let topic = arguments.texts["topic"] else { return try printTopics(to: &output) }
    guard let command = topicsByName[topic] else {
      throw HumanError.plain("unknown command: 'info \(topic)'")
    }
    try output.line(command.helpLine(prefix: "info "))
  }

  /// `info` with no topic, or one that does not exist, lists them.
  static let infoCommand = HumanCommand(
    "info", [], "[subcommand]", help: "show what there is to know about the machine"
  ) { _, _, output in try printTopics(to: &output) }

  private static func printTopics(to output: inout HumanOutput) throws {
    for topic in topics { try output.line(topic.helpLine(prefix: "info ")) }
  }
}
