// SPDX-License-Identifier: GPL-2.0-or-later

/// CBW, CWDE, CDQE: the lower half of the accumulator fills the upper.
@inline(__always)
func convertAccumulator<S: Width, D: Width>(
  _: S.Type, _: D.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  state.processor.set(0, D(truncatingIfNeeded: state.processor.get(0, as: S.self).signExtended))
  return raw.operation.next
}

/// CWD, CDQ, CQO: the accumulator's sign fills DX.
@inline(__always)
func spreadSign<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let cpu = state.processor
  cpu.set(16, T(truncatingIfNeeded: cpu.get(0, as: T.self).signExtended >> 63))
  return raw.operation.next
}

/// XLAT.
private let translateByte: Handler = {
  let (cpu, op) = ($0.processor, $1.operation)
  let shift = UInt64(op.pointee.addressShift)
  let offset = ((cpu.rbx &+ UInt64(cpu.get(0, as: UInt8.self))) &<< shift) &>> shift
  guard let linear = cpu.linear(Int(op.pointee.segment & 7), offset, count: 1, .read),
    let value = cpu.load(linear, as: UInt8.self)
  else { return cpu.faulted(op) }
  cpu.set(0, value)
  return op.next
}

/// The handlers of instructions that are one of a kind.
enum MiscellaneousHandlers {
  static let cbw = Sizes(
    { convertAccumulator(UInt8.self, UInt16.self, $0, $1) },
    { convertAccumulator(UInt16.self, UInt32.self, $0, $1) },
    { convertAccumulator(UInt32.self, UInt64.self, $0, $1) })
  static let cwd = Sizes(
    { spreadSign(UInt16.self, $0, $1) }, { spreadSign(UInt32.self, $0, $1) },
    { spreadSign(UInt64.self, $0, $1) })
  static let xlat = translateByte
  static let nop: Handler = { $1.operation.next }
  static let undefined: Handler = { $0.processor.fault($1.operation, .invalidOpcode) }
  /// An instruction that is too long, or reaches over CS's limit.
  static let tooLong: Handler = { $0.processor.fault($1.operation, .generalProtection) }

  // MARK: Flags

  static let lahf: Handler = {
    $0.processor.set(1, UInt8(truncatingIfNeeded: $0.processor.arithmeticFlags | 2))
    return $1.operation.next
  }
  static let sahf: Handler = {
    let flags = UInt64($0.processor.get(1, as: UInt8.self)) & 0xD5
    $0.processor.arithmeticFlags = flags | $0.processor.arithmeticFlags & Flag.overflow
    return $1.operation.next
  }
  static let clc: Handler = {
    $0.processor.setCarry(false)
    return $1.operation.next
  }
  static let stc: Handler = {
    $0.processor.setCarry(true)
    return $1.operation.next
  }
  static let cmc: Handler = {
    $0.processor.setCarry(!$0.processor.carryFlag)
    return $1.operation.next
  }
  static let cld: Handler = {
    $0.processor.pointee.systemFlags &= ~Flag.direction
    return $1.operation.next
  }
  static let std: Handler = {
    $0.processor.pointee.systemFlags |= Flag.direction
    return $1.operation.next
  }
  /// SALC, undocumented.
  static let salc: Handler = {
    $0.processor.set(0, ($0.processor.carryFlag ? 0xFF : 0) as UInt8)
    return $1.operation.next
  }
}
