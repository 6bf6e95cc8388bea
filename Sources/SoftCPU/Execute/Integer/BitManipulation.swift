// SPDX-License-Identifier: GPL-2.0-or-later

/// BMI1 and BMI2, whose VEX prefix names a third register: its byte offset is in ``Operation/detail``.
@inline(__always)
private func vexOperand<T: Width>(_ cpu: CPU, _ op: UnsafePointer<Operation>, _: T.Type) -> T {
  cpu.get(op.pointee.detail)
}

@inline(__always)
func andNot<T: Width>(_: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer)
  -> UnsafeRawPointer?
{
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let result = ~vexOperand(cpu, op, T.self) & value
  cpu.set(op.pointee.reg, result)
  cpu.setLogicFlags(result)
  return op.next
}

/// BEXTR: the start and length are in the second operand.
@inline(__always)
func extractBits<T: Width>(_: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer)
  -> UnsafeRawPointer?
{
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let control = vexOperand(cpu, op, T.self)
  let (start, length) = (control & 0xFF, control >> 8 & 0xFF)
  let result = value >> start & ~(~(0 as T) << length)
  cpu.set(op.pointee.reg, result)
  cpu.setFlags(result: result, carry: false, overflow: false)
  return op.next
}

/// BLSR, BLSMSK and BLSI (ModRM.reg 1, 2, 3): the destination is the VEX register.
@inline(__always)
func lowestBit<T: Width>(
  kind: UInt8, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let result = kind == 1 ? value & (value &- 1) : kind == 2 ? value ^ (value &- 1) : value & (0 &- value)
  cpu.set(op.pointee.detail, result)
  cpu.setFlags(result: result, carry: kind == 3 ? value != 0 : value == 0, overflow: false)
  return op.next
}

/// BZHI.
@inline(__always)
func zeroHighBits<T: Width>(_: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer)
  -> UnsafeRawPointer?
{
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let count = vexOperand(cpu, op, T.self) & 0xFF
  let result = value & ~(~(0 as T) << count)
  cpu.set(op.pointee.reg, result)
  cpu.setFlags(result: result, carry: count >= T(T.bitWidth), overflow: false)
  return op.next
}

/// MULX: the product of RDX and the operand, no flags.
@inline(__always)
func multiplyWithoutFlags<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let product = cpu.get(16, as: T.self).multipliedFullWidth(by: value)
  cpu.set(op.pointee.detail, T(truncatingIfNeeded: product.low))
  cpu.set(op.pointee.reg, product.high)
  return op.next
}

/// PDEP and PEXT.
@inline(__always)
func scatterBits<T: Width>(
  extract: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard var mask = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let value = vexOperand(cpu, op, T.self)
  var result: T = 0
  var place: T = 0
  while mask != 0 {
    let bit = mask & (0 &- mask)
    if extract {
      if value & bit != 0 { result |= 1 << place }
    } else if value >> place & 1 != 0 {
      result |= bit
    }
    place += 1
    mask &= mask &- 1
  }
  cpu.set(op.pointee.reg, result)
  return op.next
}

/// RORX.
@inline(__always)
func rotateWithoutFlags<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let count = T(op)
  cpu.set(op.pointee.reg, value &>> count | value &<< (0 &- count))
  return op.next
}

/// SHLX, SHRX and SARX (`kind` 0, 1, 2).
@inline(__always)
func shiftWithoutFlags<T: Width>(
  kind: UInt8, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let count = vexOperand(cpu, op, T.self)
  let result =
    switch kind {
    case 0: value &<< count
    case 1: value &>> count
    default:
      T(truncatingIfNeeded: T.Signed(truncatingIfNeeded: value) &>> T.Signed(truncatingIfNeeded: count))
    }
  cpu.set(op.pointee.reg, result)
  return op.next
}

/// The handlers of BMI1 and BMI2.
enum BitManipulationHandlers {
  static let andn = Sizes(
    { andNot(UInt32.self, $0, $1) }, { andNot(UInt32.self, $0, $1) }, { andNot(UInt64.self, $0, $1) })
  static let bextr = Sizes(
    { extractBits(UInt32.self, $0, $1) }, { extractBits(UInt32.self, $0, $1) },
    { extractBits(UInt64.self, $0, $1) })
  static let blsr = Sizes(
    { lowestBit(kind: 1, UInt32.self, $0, $1) }, { lowestBit(kind: 1, UInt32.self, $0, $1) },
    { lowestBit(kind: 1, UInt64.self, $0, $1) })
  static let blsmsk = Sizes(
    { lowestBit(kind: 2, UInt32.self, $0, $1) }, { lowestBit(kind: 2, UInt32.self, $0, $1) },
    { lowestBit(kind: 2, UInt64.self, $0, $1) })
  static let blsi = Sizes(
    { lowestBit(kind: 3, UInt32.self, $0, $1) }, { lowestBit(kind: 3, UInt32.self, $0, $1) },
    { lowestBit(kind: 3, UInt64.self, $0, $1) })
  static let bzhi = Sizes(
    { zeroHighBits(UInt32.self, $0, $1) }, { zeroHighBits(UInt32.self, $0, $1) },
    { zeroHighBits(UInt64.self, $0, $1) })
  static let mulx = Sizes(
    { multiplyWithoutFlags(UInt32.self, $0, $1) }, { multiplyWithoutFlags(UInt32.self, $0, $1) },
    { multiplyWithoutFlags(UInt64.self, $0, $1) })
  static let pdep = Sizes(
    { scatterBits(extract: false, UInt32.self, $0, $1) },
    { scatterBits(extract: false, UInt32.self, $0, $1) }, { scatterBits(extract: false, UInt64.self, $0, $1) }
  )
  static let pext = Sizes(
    { scatterBits(extract: true, UInt32.self, $0, $1) }, { scatterBits(extract: true, UInt32.self, $0, $1) },
    { scatterBits(extract: true, UInt64.self, $0, $1) })
  static let rorx = Sizes(
    { rotateWithoutFlags(UInt32.self, $0, $1) }, { rotateWithoutFlags(UInt32.self, $0, $1) },
    { rotateWithoutFlags(UInt64.self, $0, $1) })
  static let shlx = Sizes(
    { shiftWithoutFlags(kind: 0, UInt32.self, $0, $1) }, { shiftWithoutFlags(kind: 0, UInt32.self, $0, $1) },
    { shiftWithoutFlags(kind: 0, UInt64.self, $0, $1) })
  static let shrx = Sizes(
    { shiftWithoutFlags(kind: 1, UInt32.self, $0, $1) }, { shiftWithoutFlags(kind: 1, UInt32.self, $0, $1) },
    { shiftWithoutFlags(kind: 1, UInt64.self, $0, $1) })
  static let sarx = Sizes(
    { shiftWithoutFlags(kind: 2, UInt32.self, $0, $1) }, { shiftWithoutFlags(kind: 2, UInt32.self, $0, $1) },
    { shiftWithoutFlags(kind: 2, UInt64.self, $0, $1) })
}
