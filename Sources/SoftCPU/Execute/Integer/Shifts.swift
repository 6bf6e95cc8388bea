// SPDX-License-Identifier: GPL-2.0-or-later

/// What a shift or rotate makes of a value; `count` is not 0 and masked to 5 or, for 64 bits, 6 bits.
protocol ShiftOperation {
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T
}

/// SHL. CF is the last bit out, OF (defined for a count of 1) whether the sign changed.
enum ShiftLeft: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let result = value << T(truncatingIfNeeded: count)
    let carry = count <= T.bitWidth && value >> T(truncatingIfNeeded: T.bitWidth - count) & 1 != 0
    cpu.setFlags(result: result, carry: carry, overflow: (result >> T(T.bitWidth - 1) != 0) != carry)
    return result
  }
}

/// SHR. OF is the sign the value had.
enum ShiftRight: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let result = value >> T(truncatingIfNeeded: count)
    let carry = value >> T(truncatingIfNeeded: count - 1) & 1 != 0
    cpu.setFlags(result: result, carry: carry, overflow: (result ^ result << 1) >> T(T.bitWidth - 1) != 0)
    return result
  }
}

/// SAR. OF is clear.
enum ShiftArithmeticRight: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let wide = value.signExtended
    let result = T(truncatingIfNeeded: wide >> Int64(count))
    cpu.setFlags(result: result, carry: wide >> Int64(count - 1) & 1 != 0, overflow: false)
    return result
  }
}

/// ROL. Only CF and OF change.
enum RotateLeft: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let result = value &<< T(truncatingIfNeeded: count) | value &>> T(truncatingIfNeeded: T.bitWidth - count)
    cpu.setRotateFlags(carry: result & 1 != 0, overflow: (result >> T(T.bitWidth - 1) ^ result) & 1 != 0)
    return result
  }
}

/// ROR. Only CF and OF change.
enum RotateRight: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let result = value &>> T(truncatingIfNeeded: count) | value &<< T(truncatingIfNeeded: T.bitWidth - count)
    let top = result >> T(T.bitWidth - 1)
    cpu.setRotateFlags(carry: top != 0, overflow: (top ^ result >> T(T.bitWidth - 2)) & 1 != 0)
    return result
  }
}

/// RCL: a rotate through CF.
enum RotateCarryLeft: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let count = count % (T.bitWidth + 1)
    guard count != 0 else {
      let carry = cpu.carryFlag
      cpu.setRotateFlags(carry: carry, overflow: (value >> T(T.bitWidth - 1) != 0) != carry)
      return value
    }
    let low: T = cpu.carryFlag ? 1 : 0
    let result =
      value << T(truncatingIfNeeded: count) | low << T(truncatingIfNeeded: count - 1)
      | value >> T(truncatingIfNeeded: T.bitWidth + 1 - count)
    let carry = value >> T(truncatingIfNeeded: T.bitWidth - count) & 1 != 0
    cpu.setRotateFlags(carry: carry, overflow: (result >> T(T.bitWidth - 1) != 0) != carry)
    return result
  }
}

/// RCR: a rotate through CF.
enum RotateCarryRight: ShiftOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T, _ count: Int) -> T {
    let count = count % (T.bitWidth + 1)
    guard count != 0 else {
      cpu.setRotateFlags(
        carry: cpu.carryFlag, overflow: (value >> T(T.bitWidth - 1) ^ value >> T(T.bitWidth - 2)) & 1 != 0)
      return value
    }
    let high: T = cpu.carryFlag ? 1 : 0
    let result =
      value >> T(truncatingIfNeeded: count) | high << T(truncatingIfNeeded: T.bitWidth - count)
      | value << T(truncatingIfNeeded: T.bitWidth + 1 - count)
    let carry = value >> T(truncatingIfNeeded: count - 1) & 1 != 0
    cpu.setRotateFlags(
      carry: carry, overflow: (result >> T(T.bitWidth - 1) ^ result >> T(T.bitWidth - 2)) & 1 != 0)
    return result
  }
}

extension UnsafeMutablePointer<Processor> {
  /// Sets CF and OF and leaves the others.
  @inline(__always)
  func setRotateFlags(carry: Bool, overflow: Bool) {
    pointee.flagCarries =
      pointee.flagCarries & 0x3FFF_FFFF | (carry ? 0x8000_0000 : 0) | (carry != overflow ? 0x4000_0000 : 0)
  }

  /// A shift's count: CL or the immediate.
  @inline(__always)
  func shiftCount<T: Width>(_ op: UnsafePointer<Operation>, _: T.Type) -> Int {
    let count =
      op.pointee.detail != 0 ? get(8, as: UInt8.self) : UInt8(truncatingIfNeeded: op.pointee.immediate)
    return Int(count & (T.bitWidth == 64 ? 63 : 31))
  }
}

@inline(__always)
func shiftRegister<O: ShiftOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let count = cpu.shiftCount(op, T.self)
  let value = cpu.get(op.pointee.rm, as: T.self)
  // A 32-bit register is zero-extended even by a count of 0.
  cpu.set(op.pointee.rm, count == 0 ? value : O.apply(cpu, value, count))
  return op.next
}

@inline(__always)
func shiftMemory<O: ShiftOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let count = cpu.shiftCount(op, T.self)
  guard let linear = cpu.address(op, count: T.byteCount, .write),
    cpu.modify(linear, as: T.self, { count == 0 ? $0 : O.apply(cpu, $0, count) })
  else { return cpu.faulted(op) }
  return op.next
}

/// SHLD and SHRD: shifts that fill from another register.
@inline(__always)
func shiftDouble<T: Width>(
  left: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let count = cpu.shiftCount(op, T.self)
  let fill = cpu.get(op.pointee.reg, as: T.self)
  guard
    cpu.modifyRM(
      op, as: T.self,
      { value in
        guard count != 0 else { return value }
        // A 16-bit operand with a count above 16 is undefined; the bits come round from the fill.
        let places = count
        var result: T
        var carry: Bool
        if T.bitWidth == 16 && count > 16 {
          let extra = T(truncatingIfNeeded: count - 16)
          if left {
            result = fill << extra | value >> (16 - extra)
            carry = fill >> (16 - extra) & 1 != 0
          } else {
            result = fill >> extra | value << (16 - extra)
            carry = fill >> (extra - 1) & 1 != 0
          }
        } else if left {
          result = value << T(truncatingIfNeeded: places) | fill >> T(truncatingIfNeeded: T.bitWidth - places)
          carry = value >> T(truncatingIfNeeded: T.bitWidth - places) & 1 != 0
        } else {
          result = value >> T(truncatingIfNeeded: places) | fill << T(truncatingIfNeeded: T.bitWidth - places)
          carry = value >> T(truncatingIfNeeded: places - 1) & 1 != 0
        }
        let overflow =
          left
          ? (result >> T(T.bitWidth - 1) != 0) != carry
          : (result >> T(T.bitWidth - 1) ^ result >> T(T.bitWidth - 2)) & 1 != 0
        cpu.setFlags(result: result, carry: carry, overflow: overflow)
        return result
      })
  else { return cpu.faulted(op) }
  return op.next
}
