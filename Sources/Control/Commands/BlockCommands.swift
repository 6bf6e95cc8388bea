// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import JSON
import Machine
import OptionSyntax

extension QMPCommands {
  /// A drive is named by its own name or by its path in the object tree.
  private static let drive: [Structure.Member] = [.optional("device", .string), .optional("id", .string)]

  /// Drives and their media.
  static let block: [QMPCommand] = [
    QMPCommand("query-block", returns: .array(BlockDescription.drive)) { _, context in
      .array(context.machine.drives.map { BlockDescription.value(of: $0) })
    },
    QMPCommand(
      "query-blockstats", [.optional("query-nodes", .boolean)], returns: .array(BlockDescription.counters)
    ) { _, context in .array(context.machine.drives.map { BlockDescription.statistics(of: $0) }) },
    QMPCommand(
      "query-named-block-nodes", [.optional("flat", .boolean)], returns: .array(BlockDescription.node)
    ) { _, context in
      .array(
        context.machine.drives.compactMap { drive in
          guard drive.nodeName == nil, let medium = drive.medium else { return nil }
          return BlockDescription.node(medium, of: drive)
        } + context.machine.blockNodes.map { BlockDescription.node($0) })
    },
    .action(
      "blockdev-add",
      Structure(
        [
          .required("driver", .enumeration(BlockNodeConfiguration.Driver.allCases.map(\.rawValue))),
          .optional("node-name", .string), .optional("read-only", .boolean),
          .optional("auto-read-only", .boolean), .optional("discard", .enumeration(["ignore", "unmap"])),
          .optional(
            "cache", .members(.optional("direct", .boolean), .optional("no-flush", .boolean))),
        ],
        isOpen: true)
    ) { (arguments, context) throws(QMPError) in
      guard arguments["node-name"] != nil else {
        throw QMPError("'node-name' must be specified for the root node")
      }
      do {
        var list = try PropertyList(flattening: .object(arguments.members), option: "blockdev-add")
        try context.machine.addBlockNode(try BlockNodeConfiguration(&list))
      } catch { throw QMPError(error) }
    },
    .action("blockdev-del", [.required("node-name", .string)]) { (arguments, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.removeBlockNode(arguments.text("node-name")) } catch {
        throw QMPError(error)
      }
    },
    .action("blockdev-insert-medium", [.required("id", .string), .required("node-name", .string)]) {
      (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.insertMedium(node: arguments.text("node-name"), intoDrive: name)
      }
    },
    .action(
      "block_resize",
      [.optional("device", .string), .optional("node-name", .string), .required("size", .integer)]
    ) { (arguments, context) throws(QMPError) in
      if case .integer(let size)? = arguments["size"], size < 0 {
        throw QMPError("Parameter 'size' expects a >0 size")
      }
      let size: UInt64 = try arguments.require("size")
      do throws(MachineError) {
        try context.machine.resizeImage(
          ofDrive: arguments["device"]?.string, orNode: arguments["node-name"]?.string, to: size)
      } catch { throw QMPError(error) }
    },
    .action("eject", drive + [.optional("force", .boolean)]) { (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.eject(drive: name, force: arguments.flag("force"))
      }
    },
    .action("blockdev-open-tray", drive + [.optional("force", .boolean)]) {
      (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.openTray(ofDrive: name, force: arguments.flag("force"))
      }
    },
    .action("blockdev-close-tray", drive) { (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.closeTray(ofDrive: name)
      }
    },
    .action("blockdev-remove-medium", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.removeMedium(fromDrive: name)
      }
    },
    .action(
      "blockdev-change-medium",
      drive + [
        .required("filename", .string), .optional("format", .enumeration(["raw"])),
        .optional("force", .boolean),
        .optional("read-only-mode", .enumeration(["retain", "read-only", "read-write"])),
      ]
    ) { (arguments, context) throws(QMPError) in
      try onDrive(arguments, context) { (machine, name) throws(MachineError) in
        try machine.changeMedium(
          ofDrive: name, to: arguments.text("filename"), force: arguments.flag("force"))
      }
    },
  ]

  private static func onDrive(
    _ arguments: QMPArguments, _ context: QMPContext,
    _ body: (Machine, String) throws(MachineError) -> Void
  ) throws(QMPError) {
    let name: String
    switch (arguments["device"]?.string, arguments["id"]?.string) {
    case (let device?, nil): name = device
    case (nil, let id?):
      let isID = context.machine.drives.contains { $0.deviceID == id }
      name = isID ? id : ObjectTree.drive(atPath: id, in: context.machine) ?? id
    default: throw QMPError("Need exactly one of 'device' and 'id'")
    }
    guard context.machine.drives.contains(where: { $0.name == name || $0.deviceID == name }) else {
      throw QMPError("Device '\(name)' not found", class: .deviceNotFound)
    }
    do throws(MachineError) { try body(context.machine, name) } catch { throw QMPError(error) }
  }
}
