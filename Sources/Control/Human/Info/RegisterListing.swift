// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The registers of a CPU as QEMU's monitor prints them.
struct RegisterListing {
  private let cpu: CPUState
  private let isLong: Bool

  init(_ cpu: CPUState) {
    self.cpu = cpu
    isLong = cpu.isIn64BitMode
  }

  var text: String {
    ([generalLines, flagLine] + segmentLines + [tableLines, controlLines, debugLines] + mathLines)
      .joined(separator: "\n") + "\n"
  }

  private func wide(_ value: UInt64) -> String {
    Digits.hex(isLong ? value : value & 0xFFFF_FFFF, isLong ? 16 : 8)
  }
  private func narrow(_ value: UInt64) -> String { Digits.hex(value & 0xFFFF_FFFF, 8) }

  // MARK: General registers

  private var generalLines: String {
    // A, B, C, D, then SI, DI, BP, SP: their numbers in the encoding.
    let rows: [[(String, Int)]] = [
      [("AX", 0), ("BX", 3), ("CX", 1), ("DX", 2)], [("SI", 6), ("DI", 7), ("BP", 5), ("SP", 4)],
    ]
    var lines = rows.map { row in
      row.map { "\(isLong ? "R" : "E")\($0.0)=\(general($0.1))" }.joined(separator: " ")
    }
    if isLong {
      for start in [8, 12] {
        lines.append(
          (start..<start + 4).map { "\(Digits.leftAligned("R\($0)", 3))=\(general($0))" }.joined(
            separator: " "))
      }
    }
    return lines.joined(separator: "\n")
  }

  private func general(_ index: Int) -> String {
    wide(cpu.general.indices.contains(index) ? cpu.general[index] : 0)
  }

  private var flagLine: String {
    let flags = zip("DOSZAPC", [10, 11, 7, 6, 4, 2, 0]).map {
      cpu.rflags >> UInt64($1) & 1 != 0 ? $0 : "-"
    }
    let level = cpu.segments.count > 2 ? Int(cpu.segments[2].attributes >> 5 & 3) : 0
    return "\(isLong ? "RIP" : "EIP")=\(wide(cpu.rip)) \(isLong ? "RFL" : "EFL")=\(narrow(cpu.rflags)) "
      + "[\(String(flags))] CPL=\(level) II=\(cpu.pending.interruptShadow == 0 ? 0 : 1) A20=1 SMM=0 "
      + "HLT=\(cpu.activity == .running ? 0 : 1)"
  }

  // MARK: Segments

  private var segmentLines: [String] {
    var lines = zip(["ES ", "CS ", "SS ", "DS ", "FS ", "GS "], cpu.segments).map(segment)
    lines.append(segment("LDT", cpu.ldtr))
    lines.append(segment("TR ", cpu.tr))
    return lines
  }

  /// Names of the system descriptors (SDM volume 3, table 3-2).
  private static let systemTypes = [
    "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
    "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32",
  ]
  private static let longSystemTypes: [Int: String] = [
    0: "<hiword>", 2: "LDT", 9: "TSS64-avl", 11: "TSS64-busy", 12: "CallGate64", 14: "IntGate64",
    15: "TrapGate64",
  ]

  private func segment(_ name: String, _ segment: SegmentState) -> String {
    let attributes = UInt32(segment.attributes)
    let isUsable = attributes & 1 << 12 == 0
    // The second half of a descriptor without its base: limit 19:16 is in units of pages if G is set.
    let limit = attributes & 1 << 11 != 0 ? segment.limit >> 28 : segment.limit >> 16 & 0xF
    let flags =
      isUsable ? (attributes & 0xFF) << 8 | limit << 16 | (attributes >> 8 & 0xF) << 20 : 0
    var text =
      "\(name)=\(Digits.hex(segment.selector, 4)) \(wide(segment.base)) \(Digits.hex(segment.limit, 8)) "
      + Digits.hex(flags, 8)
    guard cpu.cr0 & 1 != 0, isUsable, attributes & 0x80 != 0 else { return text }
    text += " DPL=\(attributes >> 5 & 3) "
    let type = Int(attributes & 0xF)
    let isLongMode = cpu.efer & 1 << 10 != 0
    guard attributes & 0x10 != 0 else {
      return text + (isLongMode ? Self.longSystemTypes[type] ?? "Reserved" : Self.systemTypes[type])
    }
    let isWide = attributes & 1 << 10 != 0
    func letter(_ bit: Int, _ letter: String) -> String { type >> bit & 1 != 0 ? letter : "-" }
    if type & 8 != 0 {
      text += attributes & 1 << 9 != 0 ? "CS64" : isWide ? "CS32" : "CS16"
      text += " [\(letter(2, "C"))\(letter(1, "R"))"
    } else {
      text += isWide || isLongMode ? "DS  " : "DS16"
      text += " [\(letter(2, "E"))\(letter(1, "W"))"
    }
    return text + "\(letter(0, "A"))]"
  }

  private var tableLines: String {
    "GDT=     \(wide(cpu.gdtr.base)) \(Digits.hex(cpu.gdtr.limit, 8))\n"
      + "IDT=     \(wide(cpu.idtr.base)) \(Digits.hex(cpu.idtr.limit, 8))"
  }

  // MARK: Control and debug registers

  private var controlLines: String {
    "CR0=\(narrow(cpu.cr0)) CR2=\(wide(cpu.cr2)) CR3=\(wide(cpu.cr3)) CR4=\(narrow(cpu.cr4))"
  }

  private var debugLines: String {
    func register(_ index: Int) -> String {
      Digits.hex(cpu.debug.indices.contains(index) ? cpu.debug[index] : 0, 16)
    }
    let addresses = (0..<4).map { "DR\($0)=\(register($0)) " }.joined()
    return "\(addresses)\nDR6=\(register(4)) DR7=\(register(5))\nEFER=\(Digits.hex(cpu.efer, 16))"
  }

  // MARK: x87, SSE, AVX: the XSAVE area (SDM volume 1, sections 10.5.1 and 13.4)

  private static let (control, status, tags, mxcsr) = (0, 2, 4, 24)
  private static let (stack, xmm, upperYMM) = (32, 160, 576)

  private var mathLines: [String] {
    guard cpu.xsave.count >= 512 else { return [] }
    let status = number(Self.status, 2)
    var lines = [
      "FCW=\(Digits.hex(number(Self.control, 2), 4)) FSW=\(Digits.hex(status, 4)) "
        + "[ST=\(status >> 11 & 7)] FTW=\(Digits.hex(number(Self.tags, 1), 2)) "
        + "MXCSR=\(Digits.hex(number(Self.mxcsr, 4), 8))"
    ]
    // The area holds ST(i); the registers behind them turn with the stack.
    let top = Int(status >> 11 & 7)
    let floats = (0..<8).map { index in
      let offset = Self.stack + (index - top + 8) % 8 * 16
      return "FPR\(index)=\(Digits.hex(number(offset, 8), 16)) \(Digits.hex(number(offset + 8, 2), 4))"
    }
    lines += Self.pairs(floats)
    let count = isLong ? 16 : 8
    if cpu.xcr0 & 4 != 0, cpu.xsave.count >= Self.upperYMM + 256 {
      lines += (0..<count).map { index in
        let upper = Self.upperYMM + index * 16
        return "YMM\(Digits.padded(String(index), 2, with: "0"))=\(sixteen(upper)) "
          + sixteen(Self.xmm + index * 16)
      }
    } else {
      lines += Self.pairs(
        (0..<count).map { index in
          "XMM\(Digits.padded(String(index), 2, with: "0"))=\(sixteen(Self.xmm + index * 16))"
        })
    }
    return lines
  }

  private static func pairs(_ items: [String]) -> [String] {
    stride(from: 0, to: items.count, by: 2).map {
      items[$0..<min($0 + 2, items.count)].joined(separator: " ")
    }
  }

  private func sixteen(_ offset: Int) -> String {
    "\(Digits.hex(number(offset + 8, 8), 16)) \(Digits.hex(number(offset, 8), 16))"
  }

  private func number(_ offset: Int, _ byteCount: Int) -> UInt64 {
    (0..<byteCount).reversed().reduce(0) { value, index in
      value << 8 | (offset + index < cpu.xsave.count ? UInt64(cpu.xsave[offset + index]) : 0)
    }
  }
}
