// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine
import PCI

extension QMPCommands {
  /// What machine it is.
  static let machine: [QMPCommand] = [
    QMPCommand("query-name", returns: .members(.optional("name", .string))) { _, context in
      .object(context.machine.configuration.name.map { [.init("name", .string($0))] } ?? [])
    },
    QMPCommand("query-uuid", returns: .members(.required("UUID", .string))) { _, context in
      ["UUID": .string(context.machine.configuration.uuid ?? "00000000-0000-0000-0000-000000000000")]
    },
    QMPCommand(
      "query-machines",
      returns: .array(
        .members(
          .required("name", .string), .optional("alias", .string), .optional("is-default", .boolean),
          .required("cpu-max", .integer), .required("hotpluggable-cpus", .boolean),
          .required("numa-mem-supported", .boolean), .required("deprecated", .boolean),
          .optional("default-cpu-type", .string), .optional("default-ram-id", .string)))
    ) { _, _ in
      [
        [
          "hotpluggable-cpus": false, "name": "pc", "numa-mem-supported": false, "is-default": true,
          "cpu-max": JSONValue(Machine.maximumCPUCount), "deprecated": false, "default-ram-id": "pc.ram",
        ]
      ]
    },
    QMPCommand("query-target", returns: .members(.required("arch", .string))) { _, _ in ["arch": "x86_64"] },
    QMPCommand(
      "query-kvm", returns: .members(.required("enabled", .boolean), .required("present", .boolean))
    ) { _, context in
      ["enabled": .bool(context.machine.engineName == "kvm"), "present": true]
    },
    QMPCommand(
      "query-mice",
      returns: .array(
        .members(
          .required("name", .string), .required("index", .integer), .required("current", .boolean),
          .required("absolute", .boolean)))
    ) { _, context in
      [
        [
          "name": "QEMU PS/2 Mouse", "index": 2, "current": .bool(true),
          "absolute": .bool(context.machine.input.isAbsolute),
        ]
      ]
    },
    QMPCommand("query-iothreads", returns: .array(.any)) { _, _ in [] },
    QMPCommand("query-jobs", returns: .array(.any)) { _, _ in [] },
    QMPCommand("query-block-jobs", returns: .array(.any)) { _, _ in [] },
    QMPCommand("query-pci", returns: PCIDescription.schema) { _, context in
      PCIDescription.value(of: context.machine)
    },
  ]
}
