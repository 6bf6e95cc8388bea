// SPDX-License-Identifier: GPL-2.0-or-later

/// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM volume 2, section 4.1).
extension SSE {
  static func compareStrings(_ opcode: VectorOpcode) -> VectorInstruction? {
    guard opcode.map == .map0F3A && opcode.prefix == .x66 else { return nil }
    let handler: Handler
    switch (opcode.opcode, opcode.isWide) {
    case (0x60, false): handler = { SSE.compareStrings($0, $1, SSE.explicitLength32, SSE.maskResult) }
    case (0x60, true): handler = { SSE.compareStrings($0, $1, SSE.explicitLength64, SSE.maskResult) }
    case (0x61, false): handler = { SSE.compareStrings($0, $1, SSE.explicitLength32, SSE.indexResult) }
    case (0x61, true): handler = { SSE.compareStrings($0, $1, SSE.explicitLength64, SSE.indexResult) }
    case (0x62, _): handler = { SSE.compareStrings($0, $1, SSE.implicitLength, SSE.maskResult) }
    case (0x63, _): handler = { SSE.compareStrings($0, $1, SSE.implicitLength, SSE.indexResult) }
    default: return nil
    }
    return VectorInstruction(handler: handler, hasImmediate: true)
  }

  /// The immediate: what is compared, how, and what becomes of it.
  struct StringControl {
    let bits: UInt8

    var hasWords: Bool { bits & 1 != 0 }
    var isSigned: Bool { bits & 2 != 0 }
    var aggregation: UInt8 { bits &>> 2 & 3 }
    var isNegated: Bool { bits & 0x10 != 0 }
    /// Only lanes within the second string are negated.
    var isMasked: Bool { bits & 0x20 != 0 }
    /// The last match rather than the first; a mask of lanes rather than bits.
    var isAlternative: Bool { bits & 0x40 != 0 }
    var count: Int { hasWords ? 8 : 16 }
  }

  @inline(__always)
  private static func compareStrings(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer,
    _ length: (StringControl, Vector, UInt64) -> Int, _ deliver: (CPU, StringControl, UInt32) -> Void
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let second = cpu.vectorSource(operation, aligned: false) else { return cpu.faulted(operation) }
    let first: Vector = cpu.xmm(operation.pointee.reg)
    let control = StringControl(bits: UInt8(truncatingIfNeeded: operation.pointee.immediate))
    let firstLength = length(control, first, cpu.rax)
    let secondLength = length(control, second, cpu.rdx)
    let matches = matches(control, first, firstLength, second, secondLength)
    cpu.arithmeticFlags =
      (matches != 0 ? Flag.carry : 0) | (secondLength < control.count ? Flag.zero : 0)
      | (firstLength < control.count ? Flag.sign : 0) | (matches & 1 != 0 ? Flag.overflow : 0)
    deliver(cpu, control, matches)
    return operation.next
  }

  // MARK: Lengths

  private static func explicitLength32(_ control: StringControl, _: Vector, _ register: UInt64) -> Int {
    explicitLength64(control, Vector(), UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: register))))
  }

  private static func explicitLength64(_ control: StringControl, _: Vector, _ register: UInt64) -> Int {
    Int(min(Int64(bitPattern: register).magnitude, UInt64(control.count)))
  }

  /// The lanes before the first that is 0.
  private static func implicitLength(_ control: StringControl, _ string: Vector, _: UInt64) -> Int {
    for lane in 0..<control.count where element(control, string, lane) == 0 { return lane }
    return control.count
  }

  // MARK: Comparison

  private static func element(_ control: StringControl, _ string: Vector, _ lane: Int) -> Int32 {
    let size = control.hasWords ? 2 : 1
    let half = lane &* size < 8 ? string.x : string.y
    let bits = half &>> UInt64(truncatingIfNeeded: (lane &* size &* 8) & 63)
    return switch (control.hasWords, control.isSigned) {
    case (false, false): Int32(UInt8(truncatingIfNeeded: bits))
    case (false, true): Int32(Int8(truncatingIfNeeded: bits))
    case (true, false): Int32(UInt16(truncatingIfNeeded: bits))
    case (true, true): Int32(Int16(truncatingIfNeeded: bits))
    }
  }

  /// A bit for each lane of the second string: IntRes2 of the manual.
  @inline(never)
  private static func matches(
    _ control: StringControl, _ first: Vector, _ firstLength: Int, _ second: Vector, _ secondLength: Int
  ) -> UInt32 {
    let all: UInt32 = control.hasWords ? 0xFF : 0xFFFF
    var result: UInt32 = 0
    for lane in 0..<control.count {
      let isMatch =
        switch control.aggregation {
        case 0:
          lane < secondLength
            && isAny(control, first, firstLength, element(control, second, lane))
        case 1:
          lane < secondLength
            && isInRange(control, first, firstLength, element(control, second, lane))
        case 2:
          lane < firstLength && lane < secondLength
            ? element(control, first, lane) == element(control, second, lane)
            : lane >= firstLength && lane >= secondLength
        default: isSubstring(control, first, firstLength, second, secondLength, at: lane)
        }
      if isMatch { result |= 1 &<< UInt32(truncatingIfNeeded: lane) }
    }
    guard control.isNegated else { return result }
    return result ^ (control.isMasked ? (1 &<< UInt32(truncatingIfNeeded: secondLength)) &- 1 : all)
  }

  /// Equal any: the element is one of the first string.
  private static func isAny(_ control: StringControl, _ set: Vector, _ length: Int, _ value: Int32) -> Bool {
    for lane in 0..<length where element(control, set, lane) == value { return true }
    return false
  }

  /// Ranges: the element is within one of the ranges that pairs of the first string are.
  private static func isInRange(
    _ control: StringControl, _ ranges: Vector, _ length: Int, _ value: Int32
  ) -> Bool {
    for lane in stride(from: 0, to: length - 1, by: 2)
    where value >= element(control, ranges, lane) && value <= element(control, ranges, lane + 1) {
      return true
    }
    return false
  }

  /// Equal ordered: the first string, or what of it fits, is in the second at `start`.
  private static func isSubstring(
    _ control: StringControl, _ first: Vector, _ firstLength: Int, _ second: Vector, _ secondLength: Int,
    at start: Int
  ) -> Bool {
    for lane in 0..<min(firstLength, control.count - start)
    where start + lane >= secondLength
      || element(control, first, lane) != element(control, second, start + lane)
    {
      return false
    }
    return true
  }

  // MARK: Results

  /// ECX is the first or last match.
  private static func indexResult(_ cpu: CPU, _ control: StringControl, _ matches: UInt32) {
    let index =
      matches == 0
      ? control.count
      : control.isAlternative ? 31 - matches.leadingZeroBitCount : matches.trailingZeroBitCount
    cpu.rcx = UInt64(truncatingIfNeeded: index)
  }

  /// XMM0 is the matches, as bits or lanes.
  private static func maskResult(_ cpu: CPU, _ control: StringControl, _ matches: UInt32) {
    guard control.isAlternative else { return cpu.setXMM(0, Vector(UInt64(matches), 0)) }
    if control.hasWords {
      var lanes = Words()
      for lane in 0..<8 where matches &>> UInt32(lane) & 1 != 0 { lanes[lane] = .max }
      cpu.setXMM(0, lanes)
    } else {
      var lanes = Bytes()
      for lane in 0..<16 where matches &>> UInt32(lane) & 1 != 0 { lanes[lane] = .max }
      cpu.setXMM(0, lanes)
    }
  }
}
