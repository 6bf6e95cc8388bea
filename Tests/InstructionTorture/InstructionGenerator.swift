// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

/// What the generator knows about a case beside the case itself.
public struct CaseNotes {
  /// In the generator's `encodings`.
  public var encoding = 0
  public var operandSize = 4
  public var rex: UInt8 = 0
  public var modRM: UInt8 = 0xC0
  public var immediate: UInt64 = 0
  /// Where the memory operand is, if there is one.
  public var operandAddress: UInt64?
}

/// Makes random cases from the tables of encodings. Two generators with the same seed make the same cases.
public struct InstructionGenerator {
  /// What cases are made of.
  public let encodings: [Encoding]
  /// Compatibility mode instead of 64-bit mode.
  public let is32Bit: Bool
  var values: OperandValues

  /// Of the encodings whose feature is among `features` and whose name passes `filter`.
  public init(
    seed: UInt64, is32Bit: Bool = false, features: Set<String> = HostFeatures.all,
    filter: (Encoding) -> Bool = { _ in true }
  ) {
    values = OperandValues(seed: seed)
    self.is32Bit = is32Bit
    encodings = (Encoding.integer + Encoding.x87 + Encoding.simd).filter {
      ($0.feature.isEmpty || features.contains($0.feature)) && !(is32Bit && $0.isOnlyIn64BitMode)
        && filter($0)
    }
  }

  /// Overwrites the case with a new one.
  public mutating func make(_ it: UnsafeMutablePointer<native_case>) -> CaseNotes {
    let index = values.below(encodings.count)
    var builder = CaseBuilder(it: it, encoding: encodings[index], is32Bit: is32Bit, values: values)
    builder.build()
    values = builder.values
    var notes = builder.notes
    notes.encoding = index
    return notes
  }
}
