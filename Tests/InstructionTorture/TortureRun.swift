// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

/// A case in which a subject differs from the host's CPU.
public struct Mismatch: Sendable {
  /// The instruction's name in the table of encodings.
  public var name: String
  public var code: [UInt8]
  public var is32Bit: Bool
  public var differences: [OutcomeDifference]
  /// The case in words: the state before, and what differs.
  public var report: String
}

/// What a comparison found.
public struct TortureResult: Sendable {
  public var caseCount = 0
  /// How many cases ended with an exception on the host's CPU.
  public var faultCount = 0
  /// Cases that hung or killed the native child twice; they are not compared.
  public var lostCount = 0
  /// The code of the first of them.
  public var lostCode: [[UInt8]] = []
  public var mismatchCount = 0
  /// The first mismatches of each instruction and kind of difference.
  public var examples: [String: Mismatch] = [:]
  /// How many mismatches there are of each.
  public var counts: [String: Int] = [:]

  /// The mismatches, most frequent first, with an example each.
  public func report(limit: Int = .max) -> String {
    var lines = ["\(mismatchCount) of \(caseCount) cases differ (\(faultCount) faults, \(lostCount) lost)"]
    lines += lostCode.map { "lost: " + $0.map { hex2($0) }.joined(separator: " ") }
    for (key, count) in counts.sorted(by: { ($0.value, $1.key) > ($1.value, $0.key) }).prefix(limit) {
      lines.append("\(count) × \(key)")
      if let example = examples[key] { lines.append(example.report) }
    }
    return lines.joined(separator: "\n")
  }
}

/// Runs `count` cases of `generator` on both executors and compares.
public func compare<Subject: InstructionExecutor>(
  _ native: NativeExecutor, _ subject: inout Subject, _ generator: inout InstructionGenerator, count: Int
) throws -> TortureResult {
  var result = TortureResult()
  let size = Int(NATIVE_RING)
  let cases = Batch<native_case>(count: size)
  let expected = Batch<native_outcome>(count: size)
  let found = Batch<native_outcome>(count: size)
  var notes = [CaseNotes](repeating: CaseNotes(), count: size)
  while result.caseCount < count {
    let number = min(size, count - result.caseCount)
    for index in 0..<number { notes[index] = generator.make(cases.elements.baseAddress! + index) }
    let batch = UnsafeBufferPointer(start: cases.elements.baseAddress!, count: number)
    let outcomes = UnsafeMutableBufferPointer(start: expected.elements.baseAddress!, count: number)
    try native.run(batch, into: outcomes)
    // A busy host may keep the child from its processor for longer than a case may take.
    for index in 0..<number where outcomes[index].isLost {
      let again = index..<index + 1
      try native.run(
        UnsafeBufferPointer(rebasing: batch[again]),
        into: UnsafeMutableBufferPointer(rebasing: outcomes[again]))
    }
    try subject.run(
      batch, into: UnsafeMutableBufferPointer(start: found.elements.baseAddress!, count: number))
    for index in 0..<number {
      result.caseCount += 1
      let outcome = UnsafePointer(expected.elements.baseAddress! + index)
      let end = outcome.pointee.end
      if outcome.pointee.isLost {
        result.lostCount += 1
        if result.lostCode.count < 10 { result.lostCode.append(code(of: batch.baseAddress! + index)) }
        continue
      }
      if end == UInt32(NATIVE_FAULTED) { result.faultCount += 1 }
      let encoding = generator.encodings[notes[index].encoding]
      let it = batch.baseAddress! + index
      var comparison = OutcomeComparison(
        it: it, native: outcome, subject: UnsafePointer(found.elements.baseAddress! + index),
        undefined: UndefinedResults(
          encoding, notes[index], it,
          // A fault behind it, at the page's end.
          isDone: end == UInt32(NATIVE_ENDED) || outcome.pointee.after.rip != it.pointee.before.rip),
        contents: native.contents)
      comparison.compare()
      if !comparison.differences.isEmpty { result.add(comparison, encoding) }
    }
  }
  return result
}

extension native_outcome {
  /// Whether the case hung or killed the child.
  fileprivate var isLost: Bool { end == UInt32(NATIVE_HUNG) || end == UInt32(NATIVE_CRASHED) }
}

/// The bytes of a case's instruction.
private func code(of it: UnsafePointer<native_case>) -> [UInt8] {
  let raw = UnsafeRawPointer(it) + MemoryLayout<native_case>.offset(of: \.code)!
  return (0..<Int(it.pointee.code_length)).map { raw.load(fromByteOffset: $0, as: UInt8.self) }
}

extension TortureResult {
  mutating func add(_ comparison: OutcomeComparison, _ encoding: Encoding) {
    mismatchCount += 1
    let opcode = encoding.opcode.map { hex2($0) }.joined(separator: " ")
    let key = "\(encoding.name) (\(opcode)): \(comparison.differences.map(\.kind).joined(separator: ", "))"
    counts[key, default: 0] += 1
    guard examples[key] == nil else { return }
    let it = comparison.it
    let code = code(of: it)
    examples[key] = Mismatch(
      name: encoding.name, code: code, is32Bit: it.pointee.is_32_bit != 0,
      differences: comparison.differences,
      report: comparison.report(code: code))
  }
}

extension OutcomeComparison {
  /// The case and the differences for people to read.
  func report(code: [UInt8]) -> String {
    let state = UnsafeRawPointer(it).assumingMemoryBound(to: native_state.self)
    let fx = state.fx
    var lines = [
      "    \(code.map { hex2($0) }.joined(separator: " "))\(it.pointee.is_32_bit != 0 ? " (32-bit)" : "")"
    ]
    lines += differences.map { "      \($0.kind): \($0.detail)" }
    lines.append(
      "      before: rip \(hex(state.pointee.rip)) rflags \(hex(state.pointee.rflags)) "
        + (0..<16).map { "\(Self.registerNames[$0].lowercased()) \(hex(state.gpr[$0]))" }.joined(
          separator: " "))
    if differences.contains(where: {
      ["ST", "XMM", "FSW", "FCW", "FTW", "MXCSR"].contains($0.kind) || $0.kind.contains("#MF")
        || $0.kind.contains("#XM")
    }) {
      lines.append(
        "      fcw \(hex(UInt64(fx.load(as: UInt16.self)))) fsw \(hex(UInt64(fx.load(fromByteOffset: 2, as: UInt16.self)))) "
          + "ftw \(hex(UInt64(fx.load(fromByteOffset: 4, as: UInt8.self)))) "
          + "mxcsr \(hex(UInt64(fx.load(fromByteOffset: FXSAVE.mxcsr, as: UInt32.self))))")
      lines.append("      st " + (0..<8).map { bytes(fx + FXSAVE.st + $0 * 16, 10) }.joined(separator: " "))
      lines.append(
        "      xmm " + (0..<16).map { bytes(fx + FXSAVE.xmm + $0 * 16, 16) }.joined(separator: " "))
    }
    let patches = UnsafeRawPointer(it) + MemoryLayout<native_case>.offset(of: \.patches)!
    for index in 0..<Int(NATIVE_PATCHES) {
      let patch = (patches + index * MemoryLayout<native_patch>.stride).assumingMemoryBound(
        to: native_patch.self)
      guard patch.pointee.length > 0 else { continue }
      let raw = UnsafeRawPointer(patch) + MemoryLayout<native_patch>.offset(of: \.bytes)!
      lines.append(
        "      memory at \(hex(UInt64(NATIVE_DATA) + UInt64(patch.pointee.offset))): "
          + (0..<32).map { hex2(raw.load(fromByteOffset: $0, as: UInt8.self)) }.joined(separator: " "))
    }
    return lines.joined(separator: "\n")
  }
}
