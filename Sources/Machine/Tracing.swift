// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import KVM
import OptionSyntax

/// What can be traced, and the connection from the categories to the log.
extension Machine {
  /// Categories besides those of the devices.
  private static let busCategories = [
    ("io", "every access to an I/O port"), ("mmio", "every access to memory that a device answers"),
    ("port80", "POST codes: bytes written to I/O port 0x80"),
  ]
  private static let deviceCategories = [
    ("fw_cfg", "what the firmware asks about the machine"), ("i8042", "commands to the keyboard controller"),
    ("ide", "commands to disks and CDs"), ("int", "interrupts and exceptions, with registers (soft engine)"),
    ("ehci", "ports of EHCI controllers"), ("uhci", "ports of UHCI controllers"),
    ("xhci", "ports and refused commands of xHCI controllers"),
    ("pci", "accesses to PCI configuration space"),
    ("vnc", "viewers that come and go"),
  ]

  /// The names of all categories.
  public static var traceCategories: [String] { (busCategories + deviceCategories).map(\.0) }

  /// The text of `-trace help`.
  public static var traceHelp: String {
    (busCategories + deviceCategories).map {
      "\($0.0)\(String(repeating: " ", count: max(1, 10 - $0.0.count)))\($0.1)\n"
    }
    .joined()
  }

  /// Turns on what the configuration names.
  func traceAsConfigured(_ board: Board) throws(MachineError) {
    let log = self.log
    let categories =
      board.devices.flatMap { $0.traceCategories } + [board.pci.trace] + board.engine.traceCategories
    for name in configuration.tracedCategories {
      switch name {
      case "io":
        let next = board.ports.trace
        board.ports.trace = { port, value, width, isWrite in
          next?(port, value, width, isWrite)
          log.message("io: \(isWrite ? "out" : "in") \(hex(port)) \(hex(value)) width \(width.count)")
        }
      case "mmio":
        board.memory.trace = { address, value, width, isWrite in
          log.message("mmio: \(isWrite ? "write" : "read") \(address) \(hex(value)) width \(width.count)")
        }
      case "port80":
        let next = board.ports.trace
        board.ports.trace = { port, value, width, isWrite in
          next?(port, value, width, isWrite)
          if isWrite && port == 0x80 { log.message("port80: \(hex(value & 0xFF))") }
        }
      // The VNC server has a logger of its own.
      case "vnc": break
      default:
        let matching = categories.filter { $0.name == name }
        guard !matching.isEmpty || Self.traceCategories.contains(name) else {
          let known = (Self.busCategories + Self.deviceCategories).map(\.0)
          throw MachineError(
            "-trace: there is no category '\(name)'\(didYouMean(name, in: known)); '-trace help' lists them")
        }
        for category in matching { category.send { log.message("\($0): \($1)") } }
      }
    }
  }

  /// The text of `-cpu help`.
  public static var cpuHelp: String {
    let models = KVMEngine.supportedModels.map {
      "x86 \($0.name)\(String(repeating: " ", count: max(1, 18 - $0.name.count)))\($0.summary)"
    }
    var lines = ["Available CPUs:"] + models + ["", "Recognized CPUID flags:"]
    var line = ""
    for name in KVMEngine.allFeatureNames {
      if line.count + name.count > 76 {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? "  \(name)" : " \(name)"
    }
    return (lines + [line, ""]).joined(separator: "\n")
  }
}
