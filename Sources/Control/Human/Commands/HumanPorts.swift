// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// I/O ports. Chips that KVM keeps in the kernel (8259, 8254) answer the guest only.
  static let ports: [HumanCommand] = [
    HumanCommand(
      "i", [HumanArgument("fmt", .format), HumanArgument("addr", .integer)], "/fmt addr",
      help: "read an I/O port: size b h w"
    ) { arguments, monitor, output in
      let port = UInt16(truncatingIfNeeded: arguments.number("addr"))
      let (size, letter) = size(arguments.format)
      let value = monitor.machine.readPort(port, byteCount: size)
      try output.line("port\(letter)[0x\(Digits.hex(port, 4))] = 0x\(Digits.hex(value, size * 2))")
    },
    HumanCommand(
      "o",
      [HumanArgument("fmt", .format), HumanArgument("addr", .integer), HumanArgument("val", .integer)],
      "/fmt addr value", help: "write an I/O port: size b h w"
    ) { arguments, monitor, _ in
      monitor.machine.writePort(
        UInt16(truncatingIfNeeded: arguments.number("addr")),
        UInt32(truncatingIfNeeded: arguments.number("val")), byteCount: size(arguments.format).0)
    },
  ]

  private static func size(_ format: DumpFormat) -> (Int, Character) {
    switch format.byteCount {
    case 2: (2, "w")
    case 4: (4, "l")
    default: (1, "b")
    }
  }
}
