// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  /// What toolstacks ask to learn that there is none of it.
  static let absent: [QMPCommand] = [
    QMPCommand("query-balloon", returns: .members(.required("actual", .integer))) {
      (_, _) throws(QMPError) in
      throw QMPError("No balloon device has been activated", class: .deviceNotActive)
    },
    QMPCommand("query-migrate", returns: .nothing) { _, _ in .object([]) },
    QMPCommand(
      "query-migrate-capabilities",
      returns: .array(.members(.required("capability", .string), .required("state", .boolean)))
    ) { _, _ in [] },
    QMPCommand("query-tpm", returns: .array(.any)) { _, _ in [] },
    QMPCommand("query-tpm-models", returns: .array(.string)) { _, _ in [] },
    QMPCommand("query-tpm-types", returns: .array(.string)) { _, _ in [] },
    QMPCommand(
      "query-spice", returns: .members(.required("enabled", .boolean), .required("migrated", .boolean))
    ) { _, _ in ["enabled": false, "migrated": false] },
  ]

  /// Names that QEMU has for Xen's toolstack, which drives this program by other ways. They are kept free.
  static let reserved = [
    "xen-save-devices-state", "xen-load-devices-state", "xen-set-global-dirty-log", "xen-set-replication",
    "xen-colo-do-checkpoint", "query-xen-replication-status", "xen-event-list", "xen-event-inject",
  ]
}
