// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor
import Glibc

/// In what a subject's outcome differs from the native one.
public struct OutcomeDifference: Equatable, Sendable {
  /// What kind of thing differs, for counting: `RAX`, `OF`, `ST0`, `#GP instead of the end`…
  public var kind: String
  /// Both values.
  public var detail: String
}

/// Compares outcomes, but for what the manual leaves undefined.
struct OutcomeComparison {
  let it: UnsafePointer<native_case>
  let native: UnsafePointer<native_outcome>
  let subject: UnsafePointer<native_outcome>
  let undefined: UndefinedResults
  let contents: [UInt8]
  var differences: [OutcomeDifference] = []

  private static let flagBits: UInt64 = Flag.status | Flag.df | Flag.nt | Flag.ac | Flag.id
  private static let flagNames: [(String, UInt64)] = [
    ("CF", Flag.cf), ("PF", Flag.pf), ("AF", Flag.af), ("ZF", Flag.zf), ("SF", Flag.sf), ("DF", Flag.df),
    ("OF", Flag.of), ("NT", Flag.nt), ("AC", Flag.ac), ("ID", Flag.id),
  ]
  static let registerNames = [
    "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14",
    "R15",
  ]
  static let vectorNames: [UInt32: String] = [
    0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 11: "#NP", 12: "#SS",
    13: "#GP",
    14: "#PF", 16: "#MF", 17: "#AC", 19: "#XM",
  ]

  static func describeEnd(_ outcome: UnsafePointer<native_outcome>) -> String {
    switch outcome.pointee.end {
    case UInt32(NATIVE_ENDED): return "end"
    case UInt32(NATIVE_FAULTED):
      return vectorNames[outcome.pointee.vector] ?? "vector \(outcome.pointee.vector)"
    case UInt32(NATIVE_HUNG): return "hang"
    default: return "crash"
    }
  }

  private static func state(_ outcome: UnsafePointer<native_outcome>) -> UnsafePointer<native_state> {
    UnsafeRawPointer(outcome).assumingMemoryBound(to: native_state.self)
  }

  mutating func compare() {
    let (a, b) = (Self.state(native), Self.state(subject))
    let vectors = (native.pointee.vector, subject.pointee.vector)
    // Which of the two comes first differs between processors.
    if vectors == (14, 17) || vectors == (17, 14) { return }
    if undefined.isFaultUndefined, native.pointee.end != subject.pointee.end || a.pointee.rip != b.pointee.rip
    {
      return
    }
    if undefined.isFaultOrderUndefined, native.pointee.end == subject.pointee.end, vectors.0 != vectors.1 {
      return
    }
    if native.pointee.end != subject.pointee.end || native.pointee.vector != subject.pointee.vector {
      add(
        "\(Self.describeEnd(subject)) instead of \(Self.describeEnd(native))",
        "rip \(hex(b.pointee.rip)) instead of \(hex(a.pointee.rip)), "
          + "error code \(hex(subject.pointee.error_code)) instead of \(hex(native.pointee.error_code)), "
          + "CR2 \(hex(subject.pointee.cr2)) instead of \(hex(native.pointee.cr2))")
      return
    }
    if native.pointee.end == UInt32(NATIVE_FAULTED) {
      let vector = native.pointee.vector
      // Linux tells that kernel addresses are present, so that nobody learns which are.
      let hidden: UInt64 = vector == 14 && native.pointee.cr2 >> 47 != 0 ? 1 : 0
      if [8, 10, 11, 12, 13, 14, 17].contains(vector), !undefined.isFaultAddressUndefined,
        (native.pointee.error_code ^ subject.pointee.error_code) & ~hidden != 0
      {
        add("error code", "\(hex(subject.pointee.error_code)) instead of \(hex(native.pointee.error_code))")
      }
      if vector == 14, !undefined.isFaultAddressUndefined, native.pointee.cr2 != subject.pointee.cr2 {
        add("CR2", "\(hex(subject.pointee.cr2)) instead of \(hex(native.pointee.cr2))")
      }
    }
    if a.pointee.rip != b.pointee.rip { add("RIP", "\(hex(b.pointee.rip)) instead of \(hex(a.pointee.rip))") }
    for index in 0..<16 where a.gpr[index] != b.gpr[index] && undefined.gpr >> UInt16(index) & 1 == 0 {
      add(Self.registerNames[index], "\(hex(b.gpr[index])) instead of \(hex(a.gpr[index]))")
    }
    let flags = (a.pointee.rflags ^ b.pointee.rflags) & Self.flagBits & ~undefined.flags
    if flags != 0 {
      for (name, bit) in Self.flagNames where flags & bit != 0 {
        add(name, "\(b.pointee.rflags & bit != 0 ? 1 : 0) instead of \(a.pointee.rflags & bit != 0 ? 1 : 0)")
      }
    }
    compareFX(a.fx, b.fx)
    if !undefined.isMemoryUndefined { compareMemory() }
  }

  private mutating func compareFX(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) {
    func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt16 {
      base.load(fromByteOffset: offset, as: UInt16.self)
    }
    if word(a, 0) != word(b, 0) {
      add("FCW", "\(hex(UInt64(word(b, 0)))) instead of \(hex(UInt64(word(a, 0))))")
    }
    let comparesX87 = !undefined.isX87Undefined
    var ignored = undefined.statusWord
    if undefined.isX87Approximate {
      ignored |= 0x20
      if word(a, 0) & 0x20 == 0 { ignored |= 0x8080 }
    }
    if comparesX87, (word(a, 2) ^ word(b, 2)) & ~ignored != 0 {
      add("FSW", "\(hex(UInt64(word(b, 2)))) instead of \(hex(UInt64(word(a, 2))))")
    }
    if comparesX87, word(a, 4) & 0xFF != word(b, 4) & 0xFF {
      add("FTW", "\(hex(UInt64(word(b, 4) & 0xFF))) instead of \(hex(UInt64(word(a, 4) & 0xFF)))")
    }
    let (mxcsrA, mxcsrB) = (
      a.load(fromByteOffset: FXSAVE.mxcsr, as: UInt32.self),
      b.load(fromByteOffset: FXSAVE.mxcsr, as: UInt32.self)
    )
    if mxcsrA != mxcsrB { add("MXCSR", "\(hex(UInt64(mxcsrB))) instead of \(hex(UInt64(mxcsrA)))") }
    for index in 0..<8
    where comparesX87 && memcmp(a + FXSAVE.st + index * 16, b + FXSAVE.st + index * 16, 10) != 0 {
      let (x, y) = (a + FXSAVE.st + index * 16, b + FXSAVE.st + index * 16)
      if undefined.isX87Approximate, Self.isNear(x, y) { continue }
      add("ST", "ST\(index) \(bytes(y, 10)) instead of \(bytes(x, 10))")
    }
    guard memcmp(a + FXSAVE.xmm, b + FXSAVE.xmm, 256) != 0 else { return }
    for index in 0..<16 where memcmp(a + FXSAVE.xmm + index * 16, b + FXSAVE.xmm + index * 16, 16) != 0 {
      let (x, y) = (a + FXSAVE.xmm + index * 16, b + FXSAVE.xmm + index * 16)
      if undefined.isSIMDApproximate, Self.areLanesNear(x, y) { continue }
      add("XMM", "XMM\(index) \(bytes(y, 16)) instead of \(bytes(x, 16))")
    }
  }

  /// Whether two 80-bit numbers are about the same.
  private static func isNear(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Bool {
    func number(_ raw: UnsafeRawPointer) -> Float80 {
      let sign = raw.load(fromByteOffset: 8, as: UInt16.self)
      return Float80(
        sign: sign >> 15 == 0 ? .plus : .minus, exponentBitPattern: UInt(sign & 0x7FFF),
        significandBitPattern: raw.load(as: UInt64.self))
    }
    let (x, y) = (number(a), number(b))
    guard x.isFinite, y.isFinite else { return false }
    return abs(x - y) <= abs(x) * 0x1p-58 || abs(x - y) < 0x1p-16380
  }

  /// Whether four single-precision numbers are about the same (SDM, RCPPS: relative error up to 1.5 * 2^-12).
  private static func areLanesNear(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Bool {
    for lane in 0..<4 {
      let (bitsA, bitsB) = (
        a.load(fromByteOffset: lane * 4, as: UInt32.self), b.load(fromByteOffset: lane * 4, as: UInt32.self)
      )
      if bitsA == bitsB { continue }
      let (x, y) = (Float(bitPattern: bitsA), Float(bitPattern: bitsB))
      guard x.isFinite, y.isFinite, abs(x - y) <= abs(x) * 0x1.8p-11 else { return false }
    }
    return true
  }

  private mutating func compareMemory() {
    if native.pointee.line_count == subject.pointee.line_count,
      memcmp(
        UnsafeRawPointer(native) + MemoryLayout<native_outcome>.offset(of: \.line_numbers)!,
        UnsafeRawPointer(subject) + MemoryLayout<native_outcome>.offset(of: \.line_numbers)!,
        4 * Int(min(native.pointee.line_count, UInt32(NATIVE_LINES)))) == 0,
      memcmp(
        UnsafeRawPointer(native) + MemoryLayout<native_outcome>.offset(of: \.lines)!,
        UnsafeRawPointer(subject) + MemoryLayout<native_outcome>.offset(of: \.lines)!,
        64 * Int(min(native.pointee.line_count, UInt32(NATIVE_LINES)))) == 0
    {
      return
    }
    let (a, b) = (memory(native), memory(subject))
    let base = UInt64(NATIVE_DATA)
    for offset in 0..<a.count where a[offset] != b[offset] {
      let address = base + UInt64(offset)
      if undefined.memory.contains(where: { $0.contains(address) }) { continue }
      let end = min(offset + 16, a.count)
      add(
        "memory",
        "from \(hex(address)): \(b[offset..<end].map { hex2($0) }.joined(separator: " ")) instead of "
          + a[offset..<end].map { hex2($0) }.joined(separator: " "))
      return
    }
  }

  private func memory(_ outcome: UnsafePointer<native_outcome>) -> [UInt8] {
    var all = contents
    let raw = UnsafeRawPointer(outcome)
    let numbers = raw + MemoryLayout<native_outcome>.offset(of: \.line_numbers)!
    let lines = raw + MemoryLayout<native_outcome>.offset(of: \.lines)!
    for index in 0..<Int(min(outcome.pointee.line_count, UInt32(NATIVE_LINES))) {
      let number = Int(numbers.load(fromByteOffset: index * 4, as: UInt32.self))
      for byte in 0..<64 where number * 64 + byte < all.count {
        all[number * 64 + byte] = lines.load(fromByteOffset: index * 64 + byte, as: UInt8.self)
      }
    }
    return all
  }

  private mutating func add(_ kind: String, _ detail: String) {
    differences.append(OutcomeDifference(kind: kind, detail: detail))
  }
}

func hex(_ value: UInt64) -> String { String(value, radix: 16, uppercase: true) }
func hex2(_ value: UInt8) -> String { (value < 16 ? "0" : "") + String(value, radix: 16, uppercase: true) }
/// A little-endian number of `count` bytes, in hexadecimal.
func bytes(_ raw: UnsafeRawPointer, _ count: Int) -> String {
  (0..<count).reversed().map { hex2(raw.load(fromByteOffset: $0, as: UInt8.self)) }.joined()
}
