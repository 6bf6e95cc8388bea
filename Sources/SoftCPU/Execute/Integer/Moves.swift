// SPDX-License-Identifier: GPL-2.0-or-later

@inline(__always)
func moveRegisterRegister<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(op.pointee.rm, cpu.get(op.pointee.reg, as: T.self))
  return op.next
}

@inline(__always)
func moveRegisterMemory<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount, .read), let value = cpu.load(linear, as: T.self)
  else {
    return cpu.faulted(op)
  }
  cpu.set(op.pointee.reg, value)
  return op.next
}

@inline(__always)
func moveMemoryRegister<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount, .write),
    cpu.store(linear, cpu.get(op.pointee.reg, as: T.self))
  else { return cpu.faulted(op) }
  return op.next
}

@inline(__always)
func moveRegisterImmediate<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  state.processor.set(raw.operation.pointee.rm, T(raw.operation))
  return raw.operation.next
}

@inline(__always)
func moveMemoryImmediate<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount, .write), cpu.store(linear, T(op)) else {
    return cpu.faulted(op)
  }
  return op.next
}

/// MOVZX, MOVSX and MOVSXD from a register or memory.
@inline(__always)
func moveExtended<S: Width, D: Width>(
  signed: Bool, _: S.Type, _: D.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: S.self) else { return cpu.faulted(op) }
  cpu.set(
    op.pointee.reg, signed ? D(truncatingIfNeeded: value.signExtended) : D(truncatingIfNeeded: value))
  return op.next
}

@inline(__always)
func loadEffectiveAddress<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(op.pointee.reg, T(truncatingIfNeeded: cpu.effectiveAddress(op)))
  return op.next
}

/// XCHG.
@inline(__always)
func exchange<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let mine = cpu.get(op.pointee.reg, as: T.self)
  var theirs: T = 0
  guard
    cpu.modifyRM(
      op, as: T.self,
      {
        theirs = $0
        return mine
      })
  else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, theirs)
  return op.next
}

/// XADD.
@inline(__always)
func exchangeAdd<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let mine = cpu.get(op.pointee.reg, as: T.self)
  if op.isRegister {
    let theirs = cpu.get(op.pointee.rm, as: T.self)
    let sum = Add.apply(cpu, theirs, mine)
    cpu.set(op.pointee.reg, theirs)
    cpu.set(op.pointee.rm, sum)
    return op.next
  }
  var theirs: T = 0
  guard let linear = cpu.address(op, count: T.byteCount, .write),
    cpu.modify(
      linear, as: T.self,
      {
        theirs = $0
        return Add.apply(cpu, $0, mine)
      })
  else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, theirs)
  return op.next
}

/// CMPXCHG. Memory is written back even when the comparison fails.
@inline(__always)
func compareExchange<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let accumulator = cpu.get(0, as: T.self)
  if op.isRegister {
    let value = cpu.get(op.pointee.rm, as: T.self)
    _ = Subtract.apply(cpu, accumulator, value)
    if value == accumulator {
      cpu.set(op.pointee.rm, cpu.get(op.pointee.reg, as: T.self))
    } else {
      cpu.set(0, value)
    }
    return op.next
  }
  var value: T = 0
  guard let linear = cpu.address(op, count: T.byteCount, .write),
    cpu.modify(
      linear, as: T.self,
      {
        value = $0
        return $0 == accumulator ? cpu.get(op.pointee.reg, as: T.self) : $0
      })
  else { return cpu.faulted(op) }
  _ = Subtract.apply(cpu, accumulator, value)
  if value != accumulator { cpu.set(0, value) }
  return op.next
}

/// CMPXCHG8B and, with `isWide`, CMPXCHG16B. Only ZF changes.
@inline(__always)
func compareExchangePair(
  isWide: Bool, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: isWide ? 16 : 8, .write) else { return cpu.faulted(op) }
  var isEqual: Bool
  if isWide {
    guard linear & 15 == 0 else { return cpu.fault(op, .generalProtection) }
    guard cpu.probeWrite(linear, 16), let low = cpu.load(linear, as: UInt64.self),
      let high = cpu.load(linear &+ 8, as: UInt64.self)
    else { return cpu.faulted(op) }
    isEqual = low == cpu.rax && high == cpu.rdx
    guard cpu.store(linear, isEqual ? cpu.rbx : low), cpu.store(linear &+ 8, isEqual ? cpu.rcx : high) else {
      return cpu.faulted(op)
    }
    if !isEqual { (cpu.rax, cpu.rdx) = (low, high) }
  } else {
    let expected = UInt64(cpu.get(16, as: UInt32.self)) << 32 | UInt64(cpu.get(0, as: UInt32.self))
    let replacement = UInt64(cpu.get(8, as: UInt32.self)) << 32 | UInt64(cpu.get(24, as: UInt32.self))
    var found: UInt64 = 0
    guard
      cpu.modify(
        linear, as: UInt64.self,
        {
          found = $0
          return $0 == expected ? replacement : $0
        })
    else { return cpu.faulted(op) }
    isEqual = found == expected
    if !isEqual { (cpu.rax, cpu.rdx) = (found & 0xFFFF_FFFF, found >> 32) }
  }
  let flags = cpu.arithmeticFlags
  cpu.arithmeticFlags = isEqual ? flags | Flag.zero : flags & ~Flag.zero
  return op.next
}

/// BSWAP; the 16-bit form is undefined and clears the register, as processors do.
@inline(__always)
func byteSwap<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(op.pointee.rm, T.bitWidth == 16 ? 0 : cpu.get(op.pointee.rm, as: T.self).byteSwapped)
  return op.next
}

/// MOVBE from memory.
@inline(__always)
func moveBigEndianLoad<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, value.byteSwapped)
  return op.next
}

/// MOVBE to memory.
@inline(__always)
func moveBigEndianStore<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  return cpu.writeRM(op, cpu.get(op.pointee.reg, as: T.self).byteSwapped) ? op.next : cpu.faulted(op)
}

/// The handlers of the data movements.
enum MoveHandlers {
  static let registerRegister = Sizes(
    { moveRegisterRegister(UInt8.self, $0, $1) }, { moveRegisterRegister(UInt16.self, $0, $1) },
    { moveRegisterRegister(UInt32.self, $0, $1) }, { moveRegisterRegister(UInt64.self, $0, $1) })
  static let registerMemory = Sizes(
    { moveRegisterMemory(UInt8.self, $0, $1) }, { moveRegisterMemory(UInt16.self, $0, $1) },
    { moveRegisterMemory(UInt32.self, $0, $1) }, { moveRegisterMemory(UInt64.self, $0, $1) })
  static let memoryRegister = Sizes(
    { moveMemoryRegister(UInt8.self, $0, $1) }, { moveMemoryRegister(UInt16.self, $0, $1) },
    { moveMemoryRegister(UInt32.self, $0, $1) }, { moveMemoryRegister(UInt64.self, $0, $1) })
  static let registerImmediate = Sizes(
    { moveRegisterImmediate(UInt8.self, $0, $1) }, { moveRegisterImmediate(UInt16.self, $0, $1) },
    { moveRegisterImmediate(UInt32.self, $0, $1) }, { moveRegisterImmediate(UInt64.self, $0, $1) })
  static let memoryImmediate = Sizes(
    { moveMemoryImmediate(UInt8.self, $0, $1) }, { moveMemoryImmediate(UInt16.self, $0, $1) },
    { moveMemoryImmediate(UInt32.self, $0, $1) }, { moveMemoryImmediate(UInt64.self, $0, $1) })
  static let zeroExtendByte = Sizes(
    { moveExtended(signed: false, UInt8.self, UInt16.self, $0, $1) },
    { moveExtended(signed: false, UInt8.self, UInt32.self, $0, $1) },
    { moveExtended(signed: false, UInt8.self, UInt64.self, $0, $1) })
  static let signExtendByte = Sizes(
    { moveExtended(signed: true, UInt8.self, UInt16.self, $0, $1) },
    { moveExtended(signed: true, UInt8.self, UInt32.self, $0, $1) },
    { moveExtended(signed: true, UInt8.self, UInt64.self, $0, $1) })
  static let zeroExtendWord = Sizes(
    { moveExtended(signed: false, UInt16.self, UInt16.self, $0, $1) },
    { moveExtended(signed: false, UInt16.self, UInt32.self, $0, $1) },
    { moveExtended(signed: false, UInt16.self, UInt64.self, $0, $1) })
  static let signExtendWord = Sizes(
    { moveExtended(signed: true, UInt16.self, UInt16.self, $0, $1) },
    { moveExtended(signed: true, UInt16.self, UInt32.self, $0, $1) },
    { moveExtended(signed: true, UInt16.self, UInt64.self, $0, $1) })
  /// MOVSXD.
  static let signExtendDword = Sizes(
    { moveExtended(signed: true, UInt16.self, UInt16.self, $0, $1) },
    { moveExtended(signed: true, UInt32.self, UInt32.self, $0, $1) },
    { moveExtended(signed: true, UInt32.self, UInt64.self, $0, $1) })
  static let lea = Sizes(
    { loadEffectiveAddress(UInt16.self, $0, $1) }, { loadEffectiveAddress(UInt32.self, $0, $1) },
    { loadEffectiveAddress(UInt64.self, $0, $1) })
  static let xchg = Sizes(
    { exchange(UInt8.self, $0, $1) }, { exchange(UInt16.self, $0, $1) }, { exchange(UInt32.self, $0, $1) },
    { exchange(UInt64.self, $0, $1) })
  static let xadd = Sizes(
    { exchangeAdd(UInt8.self, $0, $1) }, { exchangeAdd(UInt16.self, $0, $1) },
    { exchangeAdd(UInt32.self, $0, $1) }, { exchangeAdd(UInt64.self, $0, $1) })
  static let cmpxchg = Sizes(
    { compareExchange(UInt8.self, $0, $1) }, { compareExchange(UInt16.self, $0, $1) },
    { compareExchange(UInt32.self, $0, $1) }, { compareExchange(UInt64.self, $0, $1) })
  static let cmpxchg8b: Handler = { compareExchangePair(isWide: false, $0, $1) }
  static let cmpxchg16b: Handler = { compareExchangePair(isWide: true, $0, $1) }
  static let bswap = Sizes(
    { byteSwap(UInt16.self, $0, $1) }, { byteSwap(UInt32.self, $0, $1) }, { byteSwap(UInt64.self, $0, $1) })
  static let movbeLoad = Sizes(
    { moveBigEndianLoad(UInt16.self, $0, $1) }, { moveBigEndianLoad(UInt32.self, $0, $1) },
    { moveBigEndianLoad(UInt64.self, $0, $1) })
  static let movbeStore = Sizes(
    { moveBigEndianStore(UInt16.self, $0, $1) }, { moveBigEndianStore(UInt32.self, $0, $1) },
    { moveBigEndianStore(UInt64.self, $0, $1) })
}
