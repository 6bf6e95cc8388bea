// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import JSON
import Machine

extension QMPCommands {
  private static let instance: [Structure.Member] = [
    .optional("core-id", .integer), .optional("die-id", .integer), .optional("node-id", .integer),
    .optional("socket-id", .integer), .optional("thread-id", .integer),
  ]

  /// The CPUs.
  static let processors: [QMPCommand] = [
    QMPCommand(
      "query-cpus-fast",
      returns: .array(
        .members(
          .required("cpu-index", .integer), .required("qom-path", .string), .required("thread-id", .integer),
          .optional("props", .object(Structure(instance))), .required("target", .enumeration(["x86_64"]))))
    ) { _, context in
      .array(
        context.machine.cpus.map { cpu in
          [
            "thread-id": JSONValue(Int(cpu.hostThread)),
            "props": [
              "core-id": JSONValue(cpu.core), "thread-id": JSONValue(cpu.thread),
              "socket-id": JSONValue(cpu.socket),
            ],
            "qom-path": .string(ObjectTree.path(ofCPU: cpu.index)), "cpu-index": JSONValue(cpu.index),
            "target": "x86_64",
          ]
        })
    },
    QMPCommand(
      "query-hotpluggable-cpus",
      returns: .array(
        .members(
          .required("type", .string), .required("vcpus-count", .integer),
          .required("props", .object(Structure(instance))), .optional("qom-path", .string)))
    ) { (_, _) throws(QMPError) in throw QMPError("machine does not support hot-plugging CPUs") },
    QMPCommand(
      "query-cpu-definitions",
      returns: .array(
        .members(
          .required("name", .string), .required("static", .boolean), .required("migration-safe", .boolean),
          .required("typename", .string), .required("deprecated", .boolean)))
    ) { _, _ in
      .array(
        CPUModel.all.map { model in
          [
            "name": .string(model.name), "typename": .string("\(model.name)-x86_64-cpu"), "static": false,
            "migration-safe": .bool(model.identity != nil), "deprecated": false,
          ]
        })
    },
  ]
}
