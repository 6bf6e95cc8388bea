// SPDX-License-Identifier: GPL-2.0-or-later

/// What BT, BTS, BTR and BTC do with the bit.
protocol BitOperation {
  static var isWritten: Bool { get }
  static func apply<T: Width>(_ value: T, _ bit: T) -> T
}

enum BitTest: BitOperation {
  @inline(__always) static var isWritten: Bool { false }
  @inline(__always) static func apply<T: Width>(_ value: T, _ bit: T) -> T { value }
}

enum BitSet: BitOperation {
  @inline(__always) static var isWritten: Bool { true }
  @inline(__always) static func apply<T: Width>(_ value: T, _ bit: T) -> T { value | bit }
}

enum BitReset: BitOperation {
  @inline(__always) static var isWritten: Bool { true }
  @inline(__always) static func apply<T: Width>(_ value: T, _ bit: T) -> T { value & ~bit }
}

enum BitComplement: BitOperation {
  @inline(__always) static var isWritten: Bool { true }
  @inline(__always) static func apply<T: Width>(_ value: T, _ bit: T) -> T { value ^ bit }
}

/// BT, BTS, BTR, BTC with the bit's number in a register (`detail` 0) or an immediate. A register may number
/// a bit far from the memory operand's address. Only CF changes.
@inline(__always)
func bitTest<O: BitOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let isImmediate = op.pointee.detail != 0
  let number = isImmediate ? T(op) : cpu.get(op.pointee.reg, as: T.self)
  let bit = (1 as T) &<< number
  if op.isRegister {
    let value = cpu.get(op.pointee.rm, as: T.self)
    cpu.setCarry(value & bit != 0)
    if O.isWritten { cpu.set(op.pointee.rm, O.apply(value, bit)) }
    return op.next
  }
  var offset = cpu.effectiveAddress(op)
  if !isImmediate {
    let places = UInt64(bitPattern: number.signExtended >> Int64(T.bitWidth.trailingZeroBitCount))
    offset = offset &+ places &* UInt64(T.byteCount)
    let shift = UInt64(op.pointee.addressShift)
    offset = (offset &<< shift) &>> shift
  }
  guard
    let linear = cpu.linear(
      Int(op.pointee.segment & 7), offset, count: T.byteCount, O.isWritten ? .write : .read)
  else { return cpu.faulted(op) }
  if O.isWritten {
    var found = false
    guard
      cpu.modify(
        linear, as: T.self,
        {
          found = $0 & bit != 0
          return O.apply($0, bit)
        })
    else { return cpu.faulted(op) }
    cpu.setCarry(found)
  } else {
    guard let value = cpu.load(linear, as: T.self) else { return cpu.faulted(op) }
    cpu.setCarry(value & bit != 0)
  }
  return op.next
}

/// BSF and BSR. With a source of 0 the destination stays and ZF is set.
@inline(__always)
func bitScan<T: Width>(
  reverse: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  if value != 0 {
    cpu.set(
      op.pointee.reg,
      T(truncatingIfNeeded: reverse ? T.bitWidth - 1 - value.leadingZeroBitCount : value.trailingZeroBitCount)
    )
  }
  let flags = cpu.arithmeticFlags
  cpu.arithmeticFlags = value == 0 ? flags | Flag.zero : flags & ~Flag.zero
  return op.next
}

/// TZCNT and LZCNT: CF says the source was 0, ZF the result.
@inline(__always)
func zeroCount<T: Width>(
  leading: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let result = T(truncatingIfNeeded: leading ? value.leadingZeroBitCount : value.trailingZeroBitCount)
  cpu.set(op.pointee.reg, result)
  cpu.setFlags(result: result, carry: value == 0, overflow: false)
  return op.next
}

/// POPCNT: all flags but ZF are cleared.
@inline(__always)
func populationCount<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, T(truncatingIfNeeded: value.nonzeroBitCount))
  cpu.arithmeticFlags = value == 0 ? Flag.zero : 0
  return op.next
}

/// CRC32 of the Castagnoli polynomial, reflected (SDM volume 2, CRC32).
@inline(__always)
func crc32<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  var crc = cpu.get(op.pointee.reg, as: UInt32.self)
  for index in 0..<T.byteCount {
    crc ^= UInt32(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: index * 8)))
    for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 != 0 ? 0x82F6_3B78 : 0) }
  }
  cpu.set(op.pointee.reg, crc)
  return op.next
}

/// ADCX and ADOX: additions that use and change one flag alone.
@inline(__always)
func addExtended<T: Width>(
  overflowFlag: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  let left = cpu.get(op.pointee.reg, as: T.self)
  let carry: T = (overflowFlag ? cpu.overflowFlag : cpu.carryFlag) ? 1 : 0
  let (partial, first) = left.addingReportingOverflow(value)
  let (sum, second) = partial.addingReportingOverflow(carry)
  cpu.set(op.pointee.reg, sum)
  if overflowFlag {
    cpu.setRotateFlags(carry: cpu.carryFlag, overflow: first || second)
  } else {
    cpu.setCarry(first || second)
  }
  return op.next
}

/// The handlers of the bit instructions.
enum BitHandlers {
  static let bt = Sizes(
    { bitTest(BitTest.self, UInt16.self, $0, $1) }, { bitTest(BitTest.self, UInt32.self, $0, $1) },
    { bitTest(BitTest.self, UInt64.self, $0, $1) })
  static let bts = Sizes(
    { bitTest(BitSet.self, UInt16.self, $0, $1) }, { bitTest(BitSet.self, UInt32.self, $0, $1) },
    { bitTest(BitSet.self, UInt64.self, $0, $1) })
  static let btr = Sizes(
    { bitTest(BitReset.self, UInt16.self, $0, $1) }, { bitTest(BitReset.self, UInt32.self, $0, $1) },
    { bitTest(BitReset.self, UInt64.self, $0, $1) })
  static let btc = Sizes(
    { bitTest(BitComplement.self, UInt16.self, $0, $1) },
    { bitTest(BitComplement.self, UInt32.self, $0, $1) },
    { bitTest(BitComplement.self, UInt64.self, $0, $1) })
  /// By ModRM.reg & 3 in group 8.
  static let group8 = [bt, bts, btr, btc]
  static let bsf = Sizes(
    { bitScan(reverse: false, UInt16.self, $0, $1) }, { bitScan(reverse: false, UInt32.self, $0, $1) },
    { bitScan(reverse: false, UInt64.self, $0, $1) })
  static let bsr = Sizes(
    { bitScan(reverse: true, UInt16.self, $0, $1) }, { bitScan(reverse: true, UInt32.self, $0, $1) },
    { bitScan(reverse: true, UInt64.self, $0, $1) })
  static let tzcnt = Sizes(
    { zeroCount(leading: false, UInt16.self, $0, $1) }, { zeroCount(leading: false, UInt32.self, $0, $1) },
    { zeroCount(leading: false, UInt64.self, $0, $1) })
  static let lzcnt = Sizes(
    { zeroCount(leading: true, UInt16.self, $0, $1) }, { zeroCount(leading: true, UInt32.self, $0, $1) },
    { zeroCount(leading: true, UInt64.self, $0, $1) })
  static let popcnt = Sizes(
    { populationCount(UInt16.self, $0, $1) }, { populationCount(UInt32.self, $0, $1) },
    { populationCount(UInt64.self, $0, $1) })
  static let crc = Sizes(
    { crc32(UInt8.self, $0, $1) }, { crc32(UInt16.self, $0, $1) }, { crc32(UInt32.self, $0, $1) },
    { crc32(UInt64.self, $0, $1) })
  static let adcx = Sizes(
    { addExtended(overflowFlag: false, UInt32.self, $0, $1) },
    { addExtended(overflowFlag: false, UInt32.self, $0, $1) },
    { addExtended(overflowFlag: false, UInt64.self, $0, $1) })
  static let adox = Sizes(
    { addExtended(overflowFlag: true, UInt32.self, $0, $1) },
    { addExtended(overflowFlag: true, UInt32.self, $0, $1) },
    { addExtended(overflowFlag: true, UInt64.self, $0, $1) })
}
