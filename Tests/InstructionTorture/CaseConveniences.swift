// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

extension native_case {
  /// A case made by hand: `code` with the stack in the middle of the scratch memory, x87 and SSE as after
  /// FNINIT and reset, and whatever `prepare` sets.
  public init(
    _ code: [UInt8], is32Bit: Bool = false, prepare: (UnsafeMutablePointer<native_state>) -> Void = { _ in }
  ) {
    self.init()
    precondition(code.count <= Int(NATIVE_CODE_BYTES))
    withUnsafeMutableBytes(of: &self.code) { $0.copyBytes(from: code) }
    code_length = UInt32(code.count)
    is_32_bit = is32Bit ? 1 : 0
    before.rip = UInt64(NATIVE_CODE) + 0x100
    withUnsafeMutablePointer(to: &before) {
      $0.gpr[4] = UInt64(NATIVE_DATA) + 0x1800
      $0.fx.storeBytes(of: 0x37F, toByteOffset: FXSAVE.fcw, as: UInt16.self)
      $0.fx.storeBytes(of: 0x1F80, toByteOffset: FXSAVE.mxcsr, as: UInt32.self)
      prepare($0)
    }
  }

  /// Puts up to 64 bytes into the scratch memory at a linear address.
  public mutating func setMemory(_ bytes: [UInt8], at address: UInt64) {
    patches.0.offset = UInt32(address - UInt64(NATIVE_DATA))
    patches.0.length = UInt32(bytes.count)
    withUnsafeMutableBytes(of: &patches.0.bytes) { $0.copyBytes(from: bytes) }
  }
}

extension native_outcome {
  /// A general-purpose register afterwards.
  public func gpr(_ index: Int) -> UInt64 {
    withUnsafeBytes(of: after) { $0.load(fromByteOffset: index * 8, as: UInt64.self) }
  }

  /// Bytes of the x87 and SSE state afterwards.
  public func fx(_ offset: Int, _ count: Int) -> [UInt8] {
    withUnsafeBytes(of: after) { raw in (0..<count).map { raw[FXSAVE.offsetInState + offset + $0] } }
  }

  /// A byte of the scratch memory afterwards; nil if its line did not change.
  public func memory(_ address: UInt64) -> UInt8? {
    let offset = Int(address - UInt64(NATIVE_DATA))
    return withUnsafeBytes(of: self) { raw in
      for index in 0..<Int(min(line_count, UInt32(NATIVE_LINES))) {
        let number = raw.load(
          fromByteOffset: MemoryLayout<native_outcome>.offset(of: \.line_numbers)! + index * 4,
          as: UInt32.self)
        if Int(number) == offset / 64 {
          return raw[MemoryLayout<native_outcome>.offset(of: \.lines)! + index * 64 + offset % 64]
        }
      }
      return nil
    }
  }
}

/// The usual contents of the scratch memory: bytes without a pattern, the same in each run.
public let scratchContents: [UInt8] = {
  var values = OperandValues(seed: 0x5C4A7C4)
  return (0..<Int(NATIVE_DATA_SIZE)).map { _ in UInt8(truncatingIfNeeded: values.bits()) }
}()
