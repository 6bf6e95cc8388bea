// SPDX-License-Identifier: GPL-2.0-or-later

/// A number with as many hexadecimal digits as `width` bytes have.
private func digits(_ value: some BinaryInteger, _ width: Int) -> String {
  let text = String(UInt64(truncatingIfNeeded: value), radix: 16)
  return String(repeating: "0", count: max(0, width * 2 - text.utf8.count)) + text
}

extension CPUState {
  /// Whether the CPU executes 64-bit code: EFER.LMA and CS.L.
  public var isIn64BitMode: Bool {
    efer & 1 << 10 != 0 && segments.count > 1 && segments[1].attributes & 1 << 9 != 0
  }

  /// The linear address of the next instruction.
  public var linearInstructionPointer: UInt64 {
    isIn64BitMode ? rip : (rip &+ (segments.count > 1 ? segments[1].base : 0)) & 0xFFFF_FFFF
  }

  /// The registers for people, as monitors print them.
  public var registerText: String {
    let width = isIn64BitMode ? 8 : 4
    let names =
      width == 8
      ? [
        "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8 ", "R9 ", "R10", "R11", "R12", "R13",
        "R14", "R15",
      ]
      : ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"]
    func value(_ number: Int) -> String {
      let value = number < general.count ? general[number] : 0
      return "\(names[number])=\(digits(width == 8 ? value : value & 0xFFFF_FFFF, width))"
    }
    // A, B, C, D, then the rest in the order of their encoding.
    let order = [0, 3, 1, 2, 6, 7, 5, 4] + (width == 8 ? Array(8..<16) : [])
    var lines = stride(from: 0, to: order.count, by: 4).map { start in
      order[start..<start + 4].map(value).joined(separator: " ")
    }
    let flags = zip("OSZAPC", [11, 7, 6, 4, 2, 0]).map { rflags >> UInt64($1) & 1 != 0 ? $0 : "-" }
    lines.append(
      "\(width == 8 ? "RIP" : "EIP")=\(digits(rip, width)) \(width == 8 ? "RFL" : "EFL")=\(digits(rflags, 4)) "
        + "[\(String(flags))] CPL=\((segments.count > 2 ? segments[2].attributes : 0) >> 5 & 3) \(activity.rawValue)"
    )
    func segment(_ name: String, _ segment: SegmentState) -> String {
      "\(name)=\(digits(segment.selector, 2)) \(digits(segment.base, width)) \(digits(segment.limit, 4)) "
        + digits(segment.attributes, 2)
    }
    for (name, state) in zip(["ES ", "CS ", "SS ", "DS ", "FS ", "GS "], segments) {
      lines.append(segment(name, state))
    }
    lines.append(segment("LDT", ldtr))
    lines.append(segment("TR ", tr))
    lines.append("GDT=\(digits(gdtr.base, width)) \(digits(gdtr.limit, 2))")
    lines.append("IDT=\(digits(idtr.base, width)) \(digits(idtr.limit, 2))")
    lines.append(
      "CR0=\(digits(cr0, 4)) CR2=\(digits(cr2, width)) CR3=\(digits(cr3, width)) CR4=\(digits(cr4, 4)) "
        + "CR8=\(digits(cr8, 1)) EFER=\(digits(efer, 4))")
    return lines.joined(separator: "\n")
  }
}
