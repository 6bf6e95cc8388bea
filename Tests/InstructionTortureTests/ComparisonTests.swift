// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor
import InstructionTorture
import Testing

/// The comparison finds what is wrong and nothing else.
@Suite struct ComparisonTests {
  private static let seed = UInt64.random(in: 0...UInt64.max)

  /// The host's CPU against itself: what is compared is a function of the case.
  @Test(arguments: [false, true]) func theHostAgreesWithItself(is32Bit: Bool) throws {
    let native = try NativeExecutor(contents: scratchContents)
    var again = try NativeExecutor(contents: scratchContents)
    var generator = InstructionGenerator(seed: Self.seed, is32Bit: is32Bit)
    let result = try compare(native, &again, &generator, count: 20_000)
    #expect(result.mismatchCount == 0, "seed \(Self.seed): \(result.report())")
    #expect(result.lostCount == 0, "seed \(Self.seed)")
    #expect(native.restarts == 0, "seed \(Self.seed)")
    #expect(result.faultCount * 100 > result.caseCount && result.faultCount * 2 < result.caseCount)
  }

  @Test func theSameSeedMakesTheSameCases() {
    let cases = Batch<native_case>(count: 2)
    var (one, other) = (InstructionGenerator(seed: 7), InstructionGenerator(seed: 7))
    for _ in 0..<1000 {
      _ = one.make(cases.elements.baseAddress!)
      _ = other.make(cases.elements.baseAddress! + 1)
      let isEqual = withUnsafeBytes(of: cases.elements[0]) { a in
        withUnsafeBytes(of: cases.elements[1]) { b in a.elementsEqual(b) }
      }
      #expect(isEqual)
    }
  }

  /// The host's CPU with a mistake put into what it says.
  private struct Liar: InstructionExecutor {
    var native: NativeExecutor
    var mistake: (inout native_outcome) -> Void
    mutating func run(
      _ cases: UnsafeBufferPointer<native_case>, into outcomes: UnsafeMutableBufferPointer<native_outcome>
    ) throws {
      try native.run(cases, into: outcomes)
      for index in outcomes.indices { mistake(&outcomes[index]) }
    }
  }

  private func difference(
    in name: String, _ mistake: @escaping (inout native_outcome) -> Void
  ) throws -> TortureResult {
    let native = try NativeExecutor(contents: scratchContents)
    var liar = Liar(native: try NativeExecutor(contents: scratchContents), mistake: mistake)
    var generator = InstructionGenerator(seed: Self.seed) { $0.name == name }
    return try compare(native, &liar, &generator, count: 500)
  }

  @Test func mistakesAreFound() throws {
    let flag = try difference(in: "adc") { if $0.end == UInt32(NATIVE_ENDED) { $0.after.rflags ^= Flag.cf } }
    #expect(flag.mismatchCount + flag.faultCount == 500)
    #expect(flag.counts.keys.allSatisfy { $0.hasPrefix("adc (") && $0.hasSuffix("): CF") })
    let report = flag.report()
    #expect(
      report.contains("CF: 1 instead of 0") && report.contains("before: rip 1000")
        && report.contains("rflags"))

    let register = try difference(in: "mov") { withUnsafeMutableBytes(of: &$0.after) { $0[13 * 8] ^= 1 } }
    #expect(register.mismatchCount == 500)
    #expect(register.counts.keys.allSatisfy { $0.contains("R13") })

    let xmm = try difference(in: "addps") {
      withUnsafeMutableBytes(of: &$0.after) { $0[192 + FXSAVE.xmm + 255] ^= 1 }
    }
    #expect(xmm.mismatchCount == 500 && xmm.counts.keys.allSatisfy { $0.contains("XMM") })

    let st = try difference(in: "fadd") {
      withUnsafeMutableBytes(of: &$0.after) { $0[192 + FXSAVE.st + 127] ^= 0x40 }
    }
    #expect(st.mismatchCount == 0)
    let st7 = try difference(in: "fadd") {
      withUnsafeMutableBytes(of: &$0.after) { $0[192 + FXSAVE.st + 112] ^= 0x40 }
    }
    #expect(st7.mismatchCount == 500 && st7.counts.keys.allSatisfy { $0.contains("ST") })

    let memory = try difference(in: "push") { outcome in
      if outcome.line_count > 0 { outcome.lines.0.5 ^= 1 }
    }
    #expect(memory.mismatchCount > 400 && memory.counts.keys.allSatisfy { $0.hasSuffix(": memory") })

    let end = try difference(in: "div") { outcome in
      if outcome.end == UInt32(NATIVE_FAULTED) { outcome.end = UInt32(NATIVE_ENDED); outcome.vector = 0 }
    }
    #expect(end.mismatchCount > 0 && end.mismatchCount < 500)
    #expect(end.counts.keys.contains { $0.contains("instead of #") })

    let undefined = try difference(in: "and") {
      $0.after.rflags ^= $0.end == UInt32(NATIVE_ENDED) ? Flag.af : 0
    }
    #expect(undefined.mismatchCount == 0)
  }
}
