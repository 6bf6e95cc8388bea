// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine
import OptionSyntax

extension QMPCommands {
  /// Objects that others refer to by their id.
  static let namedObjects: [QMPCommand] = [
    .action(
      "object-add",
      Structure(
        [
          .required("qom-type", .enumeration(ObjectConfiguration.typeNames)), .required("id", .string),
        ], isOpen: true)
    ) { (arguments, context) throws(QMPError) in
      do {
        var list = try PropertyList(flattening: .object(arguments.members), option: "object-add")
        let object = try ObjectConfiguration(&list)
        try list.finish()
        try context.machine.addObject(object)
      } catch { throw QMPError(error) }
    },
    .action("object-del", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.removeObject(arguments.text("id")) } catch {
        throw QMPError(error)
      }
    },
    QMPCommand(
      "query-events", returns: .array(.members(.required("name", .string)))
    ) { _, _ in .array(QMPEvents.all.map { ["name": .string($0.name)] }) },
  ]
}
