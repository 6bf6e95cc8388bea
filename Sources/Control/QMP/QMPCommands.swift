// SPDX-License-Identifier: GPL-2.0-or-later

import JSON

/// Every command there is.
enum QMPCommands {
  static let all: [QMPCommand] =
    negotiation + runState + machine + processors + memory + input + display + block + characters + network
    + devices + descriptors
    + objects + namedObjects + options + absent
    + human

  static let byName: [String: QMPCommand] = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

  /// The monitor itself.
  private static let negotiation: [QMPCommand] = [
    .action("qmp_capabilities", [.optional("enable", .array(.enumeration(QMPSession.capabilities)))]) {
      (arguments, context) throws(QMPError) in
      try context.session.negotiate(enabling: arguments["enable"]?.array?.compactMap(\.string) ?? [])
    },
    QMPCommand("query-version", returns: QMPVersion.schema) { _, _ in QMPVersion.value },
    QMPCommand("query-commands", returns: .array(.members(.required("name", .string)))) { _, _ in
      .array(all.map { ["name": .string($0.name)] })
    },
    QMPCommand("query-qmp-schema", returns: .array(.any)) { _, _ in
      .array(SchemaIntrospection(commands: all, events: QMPEvents.all).entries)
    },
  ]
}
