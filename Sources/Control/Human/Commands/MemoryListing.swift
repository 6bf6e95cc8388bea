// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine

/// Memory as `x` and `xp` show it, up to the length of an answer.
struct MemoryListing {
  let monitor: HumanInterpreter
  let kind: Machine.AddressKind
  let format: DumpFormat
  private let pages = PageReader()

  init(monitor: HumanInterpreter, kind: Machine.AddressKind, format: DumpFormat) {
    (self.monitor, self.kind, self.format) = (monitor, kind, format)
  }

  func print(from address: UInt64, to output: inout HumanOutput) throws {
    if format.form == .instruction { return try printInstructions(from: address, to: &output) }
    // Characters are one byte each, however large the items were before.
    let size = format.form == .character ? 1 : format.byteCount ?? 4
    let lineByteCount = format.byteCount == 1 ? 8 : 16
    let width = Self.width(of: format.form, byteCount: size)
    let (total, overflow) = UInt64(format.count).multipliedReportingOverflow(
      by: UInt64(format.byteCount ?? 4))
    var rest = overflow ? UInt64.max : total
    var position = address
    while rest > 0 {
      let count = Int(min(rest, UInt64(lineByteCount)))
      try output.print(Digits.hex(position, 16) + ":")
      guard let bytes = read(position, count) else {
        try output.line(" Cannot access memory")
        return
      }
      var line = ""
      for start in stride(from: 0, to: count, by: size) {
        var value: UInt64 = 0
        for index in (0..<size).reversed() where start + index < count {
          value = value << 8 | UInt64(bytes[start + index])
        }
        line += " " + text(of: value, width: width)
      }
      try output.line(line)
      position &+= UInt64(count)
      rest -= UInt64(count)
    }
  }

  /// How wide QEMU makes an item.
  private static func width(of form: DumpFormat.Form, byteCount: Int) -> Int {
    switch form {
    case .octal: (byteCount * 8 + 2) / 3
    case .hexadecimal, .instruction: byteCount * 2
    case .signed, .unsigned: (byteCount * 80 + 32) / 33
    case .character: 0
    }
  }

  private func text(of value: UInt64, width: Int) -> String {
    switch format.form {
    case .octal: Digits.padded((value == 0 ? "" : "0") + String(value, radix: 8), width)
    case .hexadecimal, .instruction: "0x" + Digits.hex(value, width)
    case .unsigned: Digits.padded(String(value), width)
    case .signed: Digits.padded(String(Int64(bitPattern: value)), width)
    case .character: DumpFormat.quoted(UInt8(truncatingIfNeeded: value))
    }
  }

  /// Some bytes; nil if one of them is no memory.
  private func read(_ address: UInt64, _ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for index in 0..<UInt64(count) {
      let position = address &+ index
      guard let page = pages.page(at: position & ~4095, monitor.machine, kind) else { return nil }
      bytes.append(page[Int(position & 4095)])
    }
    return bytes
  }

  private func printInstructions(from address: UInt64, to output: inout HumanOutput) throws {
    let disassembler = try Disassembler(bits: try codeBits())
    var position = address
    for _ in 0..<format.count {
      // As many bytes of the longest instruction as there are.
      var bytes = read(position, Disassembler.longestInstruction) ?? []
      if bytes.isEmpty {
        while bytes.count < Disassembler.longestInstruction,
          let byte = read(position &+ UInt64(bytes.count), 1)
        { bytes += byte }
      }
      guard !bytes.isEmpty else {
        try output.line("0x\(Digits.hex(position, 8)):  Cannot access memory")
        return
      }
      let instruction = disassembler.instruction(bytes, at: position)
      try Self.print(instruction, Array(bytes.prefix(instruction.byteCount)), at: position, to: &output)
      position &+= UInt64(instruction.byteCount)
    }
  }

  private static let bytesInALine = 8

  /// An instruction with its bytes, the ninth and later ones below.
  private static func print(
    _ instruction: Disassembler.Instruction, _ bytes: [UInt8], at address: UInt64,
    to output: inout HumanOutput
  ) throws {
    func shown(_ bytes: ArraySlice<UInt8>) -> String { bytes.map { " " + Digits.hex($0, 2) }.joined() }
    let first = Digits.leftAligned(shown(bytes.prefix(bytesInALine)), bytesInALine * 3)
    let name = Digits.leftAligned(instruction.name, 8)
    try output.line("0x\(Digits.hex(address, 8)): \(first)  \(name) \(instruction.operands)")
    if bytes.count > bytesInALine {
      let next = Digits.hex(address &+ UInt64(bytesInALine), 8)
      try output.line("0x\(next): \(shown(bytes.dropFirst(bytesInALine)))")
    }
  }

  /// 16, 32 or 64: what the CPU's code segment says (SDM volume 3, section 3.4.5).
  private func codeBits() throws -> Int {
    let registers = try monitor.registers()
    if registers.isIn64BitMode { return 64 }
    return registers.segments.count > 1 && registers.segments[1].attributes & 1 << 10 != 0 ? 32 : 16
  }
}

/// Keeps the page that was read last: to look at a guest's memory its CPUs have to stop.
private final class PageReader {
  private var address: UInt64?
  private var bytes: [UInt8]?

  /// A page; nil if it is no memory.
  func page(at wanted: UInt64, _ machine: Machine, _ kind: Machine.AddressKind) -> [UInt8]? {
    if address == wanted { return bytes }
    var read: [UInt8] = []
    do throws(MachineError) {
      try machine.readMemory(kind, at: wanted, byteCount: 4096) { (piece) throws(MachineError) in
        read += piece
      }
      bytes = read
    } catch { bytes = nil }
    address = wanted
    return bytes
  }
}
