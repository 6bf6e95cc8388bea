// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

/// What `query-version` and the greeting say: the version of QEMU whose dialect this is, by which clients decide what
/// they may use, and in `package` what it really is.
enum QMPVersion {
  static let schema = SchemaType.members(
    .required(
      "qemu",
      .members(.required("major", .integer), .required("minor", .integer), .required("micro", .integer))),
    .required("package", .string))

  static let value: JSONValue = [
    "qemu": ["micro": 0, "minor": 2, "major": 7],
    "package": .string("Martlet \(MachineConfiguration.version)"),
  ]
}
