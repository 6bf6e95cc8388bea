// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  private static let memoryBacking = SchemaType.members(
    .optional("id", .string), .required("size", .integer), .required("merge", .boolean),
    .required("dump", .boolean), .required("prealloc", .boolean), .required("share", .boolean),
    .optional("reserve", .boolean), .required("host-nodes", .array(.integer)),
    .required("policy", .enumeration(["default", "preferred", "bind", "interleave"])))

  /// The guest's memory.
  static let memory: [QMPCommand] = [
    QMPCommand(
      "query-memory-size-summary",
      returns: .members(.required("base-memory", .integer), .optional("plugged-memory", .integer))
    ) { _, context in
      ["base-memory": JSONValue(context.machine.configuration.memoryByteCount), "plugged-memory": 0]
    },
    QMPCommand("query-memory-devices", returns: .array(.any)) { _, _ in [] },
    QMPCommand("query-memdev", returns: .array(memoryBacking)) { _, context in
      let configuration = context.machine.configuration
      let backing = configuration.memoryBacking
      return [
        [
          "share": .bool(backing.isShared), "reserve": true, "prealloc": .bool(backing.isPreallocated),
          "host-nodes": [], "merge": true, "dump": true, "size": JSONValue(configuration.memoryByteCount),
          "id": "pc.ram", "policy": "default",
        ]
      ]
    },
    .action(
      "memsave",
      [
        .required("val", .integer), .required("size", .integer), .required("filename", .string),
        .optional("cpu-index", .integer),
      ]
    ) { (arguments, context) throws(QMPError) in
      try save(.linear(cpu: try arguments.integer("cpu-index") ?? 0), arguments, context)
    },
    .action(
      "pmemsave",
      [.required("val", .integer), .required("size", .integer), .required("filename", .string)]
    ) { (arguments, context) throws(QMPError) in try save(.physical, arguments, context) },
    .action(
      "dump-guest-memory",
      [
        .required("paging", .boolean), .required("protocol", .string), .optional("detach", .boolean),
        .optional("begin", .integer), .optional("length", .integer),
        .optional("format", .enumeration(["elf"])),
      ]
    ) { (arguments, context) throws(QMPError) in
      guard !arguments.flag("paging") else {
        throw QMPError("paging is not supported: the dump holds physical memory")
      }
      guard arguments["begin"] == nil, arguments["length"] == nil else {
        throw QMPError("'begin' and 'length' are not supported: the dump holds all of the memory")
      }
      let target = arguments.text("protocol")
      guard target.hasPrefix("file:"), target.count > 5 else {
        throw QMPError("Invalid parameter 'protocol': 'file:PATH' is what is supported")
      }
      do throws(MachineError) {
        try context.machine.dumpMemory(to: String(target.dropFirst(5)))
      } catch { throw QMPError(error) }
    },
    QMPCommand(
      "query-dump-guest-memory-capability",
      returns: .members(.required("formats", .array(.enumeration(["elf"]))))
    ) { _, _ in ["formats": ["elf"]] },
  ]

  /// A file of this size is more than any guest has.
  private static let largestSave: UInt64 = 1 << 46

  private static func save(_ kind: Machine.AddressKind, _ arguments: QMPArguments, _ context: QMPContext)
    throws(QMPError)
  {
    let size: UInt64 = try arguments.require("size")
    guard size <= largestSave else { throw QMPError("Parameter 'size' is out of range") }
    // A linear address in the upper half may come as a negative number.
    let address: UInt64
    if let signed: Int64 = arguments["val"]?.integer {
      address = UInt64(bitPattern: signed)
    } else {
      address = try arguments.require("val")
    }
    do throws(MachineError) {
      try context.machine.saveMemory(kind, at: address, byteCount: size, to: arguments.text("filename"))
    } catch { throw QMPError(error) }
  }
}
