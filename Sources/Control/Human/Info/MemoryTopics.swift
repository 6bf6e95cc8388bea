// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// Memory and what is at which address.
  static let memoryTopics: [HumanCommand] = [
    HumanCommand(
      "mtree",
      ["f", "d", "o", "D"].map { HumanArgument($0, .flag(Character($0))) }, "[-f] [-D]",
      help: "what is at which address (-f: as it is seen, without overlaps; -D: with what is hidden)"
    ) { arguments, monitor, output in
      if arguments.has("f") {
        try printFlatViews(of: monitor.machine, to: &output)
      } else {
        try printTree(of: monitor.machine, showsHidden: arguments.has("D"), to: &output)
      }
    },
    HumanCommand("memory_size_summary", help: "how much memory the guest has, in bytes") {
      _, monitor, output in
      try output.line("base memory: \(monitor.machine.configuration.memoryByteCount)")
      try output.line("plugged memory: 0")
    },
    HumanCommand("memdev", help: "where the guest's memory comes from") { _, monitor, output in
      let configuration = monitor.machine.configuration
      let backing = configuration.memoryBacking
      try output.line("memory backend: pc.ram")
      try output.line("  size:  \(configuration.memoryByteCount)")
      try output.line("  merge: false\n  dump: true\n  prealloc: \(backing.isPreallocated)")
      try output.line("  share: \(backing.isShared)\n  reserve: false\n  policy: default\n  host nodes: \n")
    },
    HumanCommand("memory-devices", help: "memory that was plugged in: there is none") { _, _, _ in },
    HumanCommand("roms", help: "read-only memory") { _, monitor, output in
      let roms = monitor.machine.memoryRegions.filter { $0.kind == .rom || $0.kind == .romDevice }
      // The host bridge's shadow segments show RAM that was made read-only.
      for region in roms where !region.name.hasPrefix("pam-") {
        let place = region.isEnabled ? "addr=\(Digits.hex(region.base, 16))" : "addr=(not mapped)"
        try output.line(
          "\(place) size=0x\(Digits.hex(region.byteCount, 6)) mem=rom name=\"\(region.name)\"")
      }
    },
  ]

  private static func range(_ facts: Machine.AddressFacts) -> String {
    "\(Digits.hex(facts.base, 16))-\(Digits.hex(facts.base &+ facts.byteCount &- 1, 16)) "
      + "(prio \(facts.priority), \(facts.kind.rawValue)): \(facts.name)"
  }

  private static func printTree(
    of machine: Machine, showsHidden: Bool, to output: inout HumanOutput
  ) throws {
    try output.line("address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): system")
    for region in machine.memoryRegions.sorted(by: { $0.base < $1.base })
    where region.isEnabled || showsHidden {
      try output.line("    \(range(region))\(region.isEnabled ? "" : " [disabled]")")
    }
    try output.line("\naddress-space: I/O\n  0000000000000000-000000000000ffff (prio 0, i/o): io")
    for window in machine.portWindows { try output.line("    \(range(window))") }
    try output.line()
  }

  private static func printFlatViews(of machine: Machine, to output: inout HumanOutput) throws {
    for (index, (name, root, ranges)) in [
      ("memory", "system", machine.memoryMap), ("I/O", "io", machine.portWindows),
    ].enumerated() {
      try output.line("FlatView #\(index)\n AS \"\(name)\", root: \(root)\n Root memory region: \(root)")
      for part in ranges {
        let offset = part.offset == 0 ? "" : " @\(Digits.hex(part.offset, 16))"
        try output.line("  \(range(part))\(offset)")
      }
      try output.line()
    }
  }
}
