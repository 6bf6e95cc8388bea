// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The registers that expressions know.
enum RegisterNames {
  /// In the order of the instruction encoding.
  private static let general = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
  private static let segments = ["es", "cs", "ss", "ds", "fs", "gs"]

  static let all: [String] =
    general.flatMap { ["e\($0)", "r\($0)"] } + (8...15).map { "r\($0)" }
    + ["sp", "fp", "eip", "rip", "pc", "eflags", "rflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"]
    + segments.flatMap { [$0, "\($0).base", "\($0).limit"] }

  static func value(of name: String, in cpu: CPUState) -> UInt64? {
    switch name {
    case "sp": return value(of: "rsp", in: cpu)
    case "fp": return value(of: "rbp", in: cpu)
    case "eip", "rip": return cpu.rip
    case "pc": return cpu.linearInstructionPointer
    case "eflags", "rflags": return cpu.rflags
    case "cr0": return cpu.cr0
    case "cr2": return cpu.cr2
    case "cr3": return cpu.cr3
    case "cr4": return cpu.cr4
    case "cr8": return cpu.cr8
    case "efer": return cpu.efer
    default: break
    }
    let parts = name.split(separator: ".", maxSplits: 1)
    if let index = segments.firstIndex(where: { $0 == parts.first.map(String.init) }),
      cpu.segments.indices.contains(index)
    {
      let segment = cpu.segments[index]
      switch parts.count > 1 ? parts[1] : "" {
      case "base": return segment.base
      case "limit": return UInt64(segment.limit)
      case "": return UInt64(segment.selector)
      default: return nil
      }
    }
    let short = String(name.dropFirst())
    let index = general.firstIndex(of: short) ?? Int(short).flatMap { (8...15).contains($0) ? $0 : nil }
    guard let index, cpu.general.indices.contains(index) else { return nil }
    return cpu.general[index]
  }
}
