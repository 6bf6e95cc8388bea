// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  private static let parameter = SchemaType.members(
    .required("name", .string), .required("type", .enumeration(["string", "boolean", "number", "size"])),
    .optional("help", .string), .optional("default", .string))

  /// The command line that this program understands.
  static let options: [QMPCommand] = [
    QMPCommand(
      "query-command-line-options", [.optional("option", .string)],
      returns: .array(.members(.required("option", .string), .required("parameters", .array(parameter))))
    ) { (arguments, context) throws(QMPError) in
      var options = context.machine.knownOptions?() ?? []
      if let name = arguments["option"]?.string {
        options = options.filter { $0.name == name }
        guard !options.isEmpty else { throw QMPError("invalid option name: \(name)") }
      }
      return .array(
        options.map { option in
          [
            "option": .string(option.name),
            "parameters": .array(option.properties.map { ["name": .string($0), "type": "string"] }),
          ]
        })
    }
  ]
}
