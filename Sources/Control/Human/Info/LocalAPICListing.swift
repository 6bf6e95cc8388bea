// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The registers of a local APIC (SDM volume 3, section 11.4) as QEMU's monitor prints them.
struct LocalAPICListing {
  let cpu: Int
  let state: CPUState

  private func register(_ offset: Int) -> UInt32 {
    state.localAPIC.indices.contains(offset / 16) ? state.localAPIC[offset / 16] : 0
  }

  private static let deliveryModes = ["Fixed", "...", "SMI", "...", "NMI", "INIT", "...", "ExtINT"]
  private static let localVectors = [
    ("LVT0", 0x350), ("LVT1", 0x360), ("LVTPC", 0x340), ("LVTERR", 0x370), ("LVTTHMR", 0x330),
    ("LVTT", 0x320),
  ]

  func print(to output: inout HumanOutput) throws(HumanError) {
    guard !state.localAPIC.isEmpty else { throw .failed("the engine tells nothing of its local APICs") }
    try output.line("dumping local APIC state for CPU \(cpu) \n")
    for (name, offset) in Self.localVectors { try output.line(vector(name, register(offset))) }
    try output.line(
      "Timer\t DCR=0x\(String(register(0x3E0), radix: 16)) (divide by \(divider)) initial_count = "
        + "\(register(0x380)) current_count = \(register(0x390))")
    let spurious = register(0xF0)
    try output.line(
      "SPIV\t 0x\(Digits.hex(spurious, 8)) APIC \(spurious & 0x100 != 0 ? "enabled" : "disabled"), "
        + "focus=\(spurious & 0x200 != 0 ? "on" : "off"), spurious vec \(spurious & 0xFF)")
    try output.line("ICR\t 0x\(Digits.hex(register(0x300), 8))\nICR2\t 0x\(Digits.hex(register(0x310), 8))")
    try output.line("ESR\t 0x\(Digits.hex(register(0x280), 8))")
    try output.line("ISR\t \(vectors(0x100))\nIRR\t \(vectors(0x200))\n")
    try output.line(
      "APR 0x\(Digits.hex(register(0x90) & 0xFF, 2)) TPR 0x\(Digits.hex(register(0x80) & 0xFF, 2)) "
        + "DFR 0x\(Digits.hex(register(0xE0) >> 28, 2)) LDR 0x\(Digits.hex(register(0xD0) >> 24, 2)) "
        + "PPR 0x\(Digits.hex(register(0xA0) & 0xFF, 2))")
  }

  private func vector(_ name: String, _ value: UInt32) -> String {
    let mode = Self.deliveryModes[Int(value >> 8 & 7)]
    let timerModes = ["one-shot", "periodic", "tsc-deadline", "..."]
    var line = "\(name)\t 0x\(Digits.hex(value, 8)) \(value & 1 << 13 != 0 ? "active-lo" : "active-hi") "
    line += Digits.leftAligned(value & 1 << 15 != 0 ? "level" : "edge", 5) + " "
    line += Digits.leftAligned(value & 1 << 16 != 0 ? "masked" : "", 6) + " "
    line += Digits.leftAligned(value & 1 << 12 != 0 ? "pending" : "", 7) + " "
    line += Digits.leftAligned(name == "LVTT" ? timerModes[Int(value >> 17 & 3)] : "", 12) + " "
    line += Digits.leftAligned(mode, 6)
    if mode == "Fixed" || mode == "ExtINT" { line += " (vec \(value & 0xFF))" }
    return line
  }

  /// The timer's divider (section 11.5.4): bits 0, 1 and 3 of the divide configuration.
  private var divider: Int {
    let value = register(0x3E0)
    let code = value & 3 | value >> 1 & 4
    return code == 7 ? 1 : 2 << Int(code)
  }

  /// The vectors whose bits are set in eight registers.
  private func vectors(_ offset: Int) -> String {
    let set = (0..<256).filter { register(offset + $0 / 32 * 16) >> UInt32($0 % 32) & 1 != 0 }
    return set.isEmpty ? "(none)" : set.map(String.init).joined(separator: " ")
  }
}
