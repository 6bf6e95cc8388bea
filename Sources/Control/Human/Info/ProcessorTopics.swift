// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine

extension HumanCommands {
  /// CPUs and what they see.
  static let processorTopics: [HumanCommand] = [
    HumanCommand("cpus", help: "the CPUs and their threads on the host") { _, monitor, output in
      for cpu in monitor.machine.cpus {
        let mark = cpu.index == monitor.currentCPU ? "*" : " "
        try output.line("\(mark) CPU #\(cpu.index): thread_id=\(cpu.hostThread)")
      }
    },
    HumanCommand(
      "registers", [HumanArgument("all", .flag("a")), HumanArgument("vcpu", .integer, optional: true)],
      "[-a|vcpu]", help: "the registers of the current CPU, of all, or of one"
    ) { arguments, monitor, output in
      let cpus = monitor.machine.cpus.map(\.index)
      var shown = arguments.has("a") ? cpus : [monitor.currentCPU]
      if arguments.numbers["vcpu"] != nil { shown = [arguments.integer("vcpu")] }
      for index in shown {
        guard cpus.contains(index) else { throw HumanError.plain("CPU#\(index) not available") }
        try output.line("\nCPU#\(index)")
        try output.print(RegisterListing(try monitor.machine.registers(ofCPU: index)).text)
      }
    },
    HumanCommand("mem", help: "ranges of addresses that the CPU's page tables map") { _, monitor, output in
      var walk = try monitor.machine.pageTableWalk(onCPU: monitor.currentCPU)
      guard walk.mode != .none else { return try output.line("PG disabled") }
      var listing = MappedRanges()
      let isComplete = try walk.run { (page) throws(HumanError) in try listing.add(page, to: &output) }
      try listing.finish(to: &output)
      if !isComplete { try output.line(tooManyTables) }
    },
    HumanCommand("tlb", help: "every page that the CPU's page tables map") { _, monitor, output in
      var walk = try monitor.machine.pageTableWalk(onCPU: monitor.currentCPU)
      guard walk.mode != .none else { return try output.line("PG disabled") }
      let isComplete = try walk.run { (page) throws(HumanError) in
        let flags = zip("XGPDACTUW", [63, 8, 7, 6, 5, 4, 3, 2, 1]).map { letter, bit in
          // Bit 7 of an entry for a small page is the PAT's.
          bit == 7 && page.byteCount == 4096 || page.entry >> UInt64(bit) & 1 == 0 ? "-" : letter
        }
        try output.line(
          "\(Digits.hex(page.linear, 16)): \(Digits.hex(page.physical, 16)) \(String(flags))")
      }
      if !isComplete { try output.line(tooManyTables) }
    },
    HumanCommand(
      "lapic", [HumanArgument("apic-id", .integer, optional: true)], "[apic-id]",
      help: "the local APIC of the current CPU, or of one"
    ) { arguments, monitor, output in
      let index = arguments.numbers["apic-id"] == nil ? monitor.currentCPU : arguments.integer("apic-id")
      guard monitor.machine.cpus.indices.contains(index) else {
        throw HumanError.plain("No local APIC with ID \(index)")
      }
      try LocalAPICListing(cpu: index, state: try monitor.machine.registers(ofCPU: index))
        .print(to: &output)
    },
  ]

  private static let tooManyTables = "... the guest has more page tables than are looked at"
}

/// Pages put together as long as they follow each other and are mapped alike.
private struct MappedRanges {
  private var start: UInt64 = 0
  private var end: UInt64 = 0
  private var flags: (user: Bool, writes: Bool)?

  mutating func add(_ page: PageTableWalk.Page, to output: inout HumanOutput) throws(HumanError) {
    let new = (user: page.allowsUser, writes: page.allowsWrites)
    if let flags, page.linear == end, flags == new {
      end = page.linear &+ page.byteCount
      return
    }
    try finish(to: &output)
    (start, end, flags) = (page.linear, page.linear &+ page.byteCount, new)
  }

  mutating func finish(to output: inout HumanOutput) throws(HumanError) {
    guard let flags else { return }
    try output.line(
      "\(Digits.hex(start, 16))-\(Digits.hex(end, 16)) \(Digits.hex(end &- start, 16)) "
        + "\(flags.user ? "u" : "-")r\(flags.writes ? "w" : "-")")
    self.flags = nil
  }
}
