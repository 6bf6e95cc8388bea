// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  private static let saveArguments = [
    HumanArgument("val", .long), HumanArgument("size", .long), HumanArgument("filename", .text),
  ]

  /// Looking at memory and registers.
  static let memory: [HumanCommand] = [
    HumanCommand(
      "x", [HumanArgument("fmt", .format), HumanArgument("addr", .long)], "/fmt addr",
      help: "show memory as a program on the CPU sees it: count, o d u x c i, size b h w g"
    ) { arguments, monitor, output in
      try MemoryListing(
        monitor: monitor, kind: .linear(cpu: monitor.currentCPU), format: arguments.format
      ).print(from: arguments.number("addr"), to: &output)
    },
    HumanCommand(
      "xp", [HumanArgument("fmt", .format), HumanArgument("addr", .long)], "/fmt addr",
      help: "show physical memory: count, o d u x c i, size b h w g"
    ) { arguments, monitor, output in
      try MemoryListing(monitor: monitor, kind: .physical, format: arguments.format)
        .print(from: arguments.number("addr"), to: &output)
    },
    HumanCommand(
      "print", aliases: ["p"], [HumanArgument("fmt", .format), HumanArgument("val", .long)], "/fmt expr",
      help: "show the value of an expression; $reg is a register of the CPU"
    ) { arguments, _, output in
      let value = arguments.number("val")
      switch arguments.format.form {
      case .octal: try output.line((value == 0 ? "" : "0") + String(value, radix: 8))
      case .hexadecimal: try output.line((value == 0 ? "" : "0x") + String(value, radix: 16))
      case .unsigned: try output.line(String(value))
      case .signed, .instruction: try output.line(String(Int64(bitPattern: value)))
      case .character: try output.line(DumpFormat.quoted(UInt8(truncatingIfNeeded: value)))
      }
    },
    HumanCommand(
      "gva2gpa", [HumanArgument("addr", .long)], "addr",
      help: "show the physical address of an address as a program on the CPU sees it"
    ) { arguments, monitor, output in
      let address = try monitor.machine.physicalAddress(
        ofLinear: arguments.number("addr"), onCPU: monitor.currentCPU)
      try output.line(address.map { "gpa: 0x" + String($0, radix: 16) } ?? "Unmapped")
    },
    HumanCommand(
      "memsave", saveArguments, "addr size file",
      help: "write memory as a program on the CPU sees it to a file (in quotes if it begins with a slash)"
    ) { arguments, monitor, _ in
      try save(.linear(cpu: monitor.currentCPU), arguments, monitor)
    },
    HumanCommand(
      "pmemsave", saveArguments, "addr size file",
      help: "write physical memory to a file (in quotes if it begins with a slash)"
    ) { arguments, monitor, _ in try save(.physical, arguments, monitor) },
    HumanCommand(
      "dump-guest-memory",
      ["p", "d", "z", "l", "s", "w"].map { HumanArgument($0, .flag(Character($0))) } + [
        HumanArgument("filename", .file), HumanArgument("begin", .long, optional: true),
        HumanArgument("length", .long, optional: true),
      ], "filename", help: "write all of the guest's memory and registers to an ELF core file"
    ) { arguments, monitor, _ in
      if let flag = arguments.flags.subtracting(["d"]).sorted().first {
        throw HumanError.failed("-\(flag) is not supported: the dump is an ELF file of physical memory")
      }
      guard arguments.numbers["begin"] == nil, arguments.numbers["length"] == nil else {
        throw HumanError.failed("'begin' and 'length' are not supported: the dump holds all of the memory")
      }
      try monitor.machine.dumpMemory(to: arguments.text("filename"))
    },
  ]

  /// More than any guest has.
  private static let largestSave: UInt64 = 1 << 46

  private static func save(
    _ kind: Machine.AddressKind, _ arguments: HumanArguments, _ monitor: HumanInterpreter
  ) throws {
    let size = arguments.number("size")
    guard size <= largestSave else { throw HumanError.failed("size is more than any guest has") }
    try monitor.machine.saveMemory(
      kind, at: arguments.number("val"), byteCount: size, to: arguments.text("filename"))
  }
}
