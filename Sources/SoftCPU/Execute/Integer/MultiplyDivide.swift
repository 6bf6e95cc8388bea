// SPDX-License-Identifier: GPL-2.0-or-later

/// MUL and one-operand IMUL. CF and OF tell whether the upper half is more than an extension of the lower.
@inline(__always)
func multiply<T: Width>(
  signed: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let right = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let left = cpu.get(0, as: T.self)
  let low: T
  let high: T
  let overflow: Bool
  if signed {
    let product = T.Signed(truncatingIfNeeded: left).multipliedFullWidth(
      by: T.Signed(truncatingIfNeeded: right))
    low = T(truncatingIfNeeded: product.low)
    high = T(truncatingIfNeeded: product.high)
    overflow = product.high != T.Signed(truncatingIfNeeded: low) >> T.Signed(T.bitWidth - 1)
  } else {
    let product = left.multipliedFullWidth(by: right)
    low = T(truncatingIfNeeded: product.low)
    high = product.high
    overflow = high != 0
  }
  if T.bitWidth == 8 {
    cpu.set(0, UInt16(truncatingIfNeeded: high) << 8 | UInt16(truncatingIfNeeded: low))
  } else {
    cpu.set(0, low)
    cpu.set(16, high)
  }
  cpu.setFlags(result: low, carry: overflow, overflow: overflow)
  return op.next
}

/// Two- and three-operand IMUL; `hasImmediate` for the latter.
@inline(__always)
func multiplyInto<T: Width>(
  hasImmediate: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let right = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let left = hasImmediate ? T(op) : cpu.get(op.pointee.reg, as: T.self)
  let (result, overflow) = T.Signed(truncatingIfNeeded: left).multipliedReportingOverflow(
    by: T.Signed(truncatingIfNeeded: right))
  cpu.set(op.pointee.reg, T(truncatingIfNeeded: result))
  cpu.setFlags(result: T(truncatingIfNeeded: result), carry: overflow, overflow: overflow)
  return op.next
}

/// DIV and IDIV. #DE if the divisor is 0 or the quotient does not fit. The flags stay.
@inline(__always)
func divide<T: Width>(
  signed: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let divisor = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let low: T = cpu.get(0)
  let high: T = T.bitWidth == 8 ? cpu.get(1) : cpu.get(16)
  guard divisor != 0 else { return cpu.fault(op, .divideError) }
  var quotient: T
  var remainder: T
  if signed {
    // By magnitudes: the quotient's sign is the product of the signs, the remainder's is the dividend's.
    let isNegative = T.Signed(truncatingIfNeeded: high) < 0
    let isDivisorNegative = T.Signed(truncatingIfNeeded: divisor) < 0
    let magnitude = isDivisorNegative ? 0 &- divisor : divisor
    let negatedLow = 0 &- low
    let absoluteHigh = isNegative ? ~high &+ (low == 0 ? 1 : 0) : high
    let absoluteLow = isNegative ? negatedLow : low
    guard absoluteHigh < magnitude else { return cpu.fault(op, .divideError) }
    (quotient, remainder) = divideWide(absoluteHigh, absoluteLow, by: magnitude)
    let limit = (1 as T) << T(T.bitWidth - 1)
    if isNegative != isDivisorNegative {
      guard quotient <= limit else { return cpu.fault(op, .divideError) }
      quotient = 0 &- quotient
    } else {
      guard quotient < limit else { return cpu.fault(op, .divideError) }
    }
    if isNegative { remainder = 0 &- remainder }
  } else {
    guard high < divisor else { return cpu.fault(op, .divideError) }
    (quotient, remainder) = divideWide(high, low, by: divisor)
  }
  cpu.set(0, quotient)
  if T.bitWidth == 8 { cpu.set(1, remainder) } else { cpu.set(16, remainder) }
  return op.next
}

/// Divides a double-width number whose upper half is less than the divisor.
@inline(__always)
private func divideWide<T: Width>(_ high: T, _ low: T, by divisor: T) -> (T, T) {
  if T.bitWidth == 64 {
    if high == 0 { return (low / divisor, low % divisor) }
    return divisor.dividingFullWidth((high, low))
  }
  let dividend = UInt64(truncatingIfNeeded: high) &<< UInt64(T.bitWidth) | UInt64(truncatingIfNeeded: low)
  let wide = UInt64(truncatingIfNeeded: divisor)
  return (T(truncatingIfNeeded: dividend / wide), T(truncatingIfNeeded: dividend % wide))
}

/// The handlers of multiplication and division.
enum MultiplyHandlers {
  static let mul = Sizes(
    { multiply(signed: false, UInt8.self, $0, $1) }, { multiply(signed: false, UInt16.self, $0, $1) },
    { multiply(signed: false, UInt32.self, $0, $1) }, { multiply(signed: false, UInt64.self, $0, $1) })
  static let imul = Sizes(
    { multiply(signed: true, UInt8.self, $0, $1) }, { multiply(signed: true, UInt16.self, $0, $1) },
    { multiply(signed: true, UInt32.self, $0, $1) }, { multiply(signed: true, UInt64.self, $0, $1) })
  static let imulInto = Sizes(
    { multiplyInto(hasImmediate: false, UInt16.self, $0, $1) },
    { multiplyInto(hasImmediate: false, UInt32.self, $0, $1) },
    { multiplyInto(hasImmediate: false, UInt64.self, $0, $1) })
  static let imulImmediate = Sizes(
    { multiplyInto(hasImmediate: true, UInt16.self, $0, $1) },
    { multiplyInto(hasImmediate: true, UInt32.self, $0, $1) },
    { multiplyInto(hasImmediate: true, UInt64.self, $0, $1) })
  static let div = Sizes(
    { divide(signed: false, UInt8.self, $0, $1) }, { divide(signed: false, UInt16.self, $0, $1) },
    { divide(signed: false, UInt32.self, $0, $1) }, { divide(signed: false, UInt64.self, $0, $1) })
  static let idiv = Sizes(
    { divide(signed: true, UInt8.self, $0, $1) }, { divide(signed: true, UInt16.self, $0, $1) },
    { divide(signed: true, UInt32.self, $0, $1) }, { divide(signed: true, UInt64.self, $0, $1) })
}
