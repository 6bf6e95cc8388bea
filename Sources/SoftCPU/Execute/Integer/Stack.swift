// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Bits of RSP that the stack's size uses.
  @inline(__always)
  var stackMask: UInt64 {
    pointee.mode.isLong ? ~0 : pointee.mode.isStack32 ? 0xFFFF_FFFF : 0xFFFF
  }

  /// Sets the part of RSP that the stack's size uses.
  @inline(__always)
  func setStackPointer(_ value: UInt64) {
    if pointee.mode.isLong {
      rsp = value
    } else if pointee.mode.isStack32 {
      rsp = value & 0xFFFF_FFFF
    } else {
      set(32, UInt16(truncatingIfNeeded: value))
    }
  }

  @inline(__always)
  func push<T: Width>(_ value: T) -> Bool {
    let pointer = (rsp &- UInt64(T.byteCount)) & stackMask
    guard let linear = linear(2, pointer, count: T.byteCount, .write), store(linear, value) else {
      return failedOnStack()
    }
    setStackPointer(pointer)
    return true
  }

  /// The value on top of the stack, which stays there.
  @inline(__always)
  func peek<T: Width>(at offset: UInt64 = 0, as type: T.Type = T.self) -> T? {
    readStack((rsp &+ offset) & stackMask)
  }

  /// The value at an offset in the stack segment.
  @inline(__always)
  func readStack<T: Width>(_ offset: UInt64, as type: T.Type = T.self) -> T? {
    guard let linear = linear(2, offset, count: T.byteCount, .read), let value: T = load(linear) else {
      failedOnStack()
      return nil
    }
    return value
  }

  /// Takes `count` bytes off the stack.
  @inline(__always)
  func drop(_ count: Int) { setStackPointer((rsp &+ UInt64(truncatingIfNeeded: count)) & stackMask) }
}

@inline(__always)
func pushRegister<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  return cpu.push(cpu.get(op.pointee.rm, as: T.self)) ? op.next : cpu.faulted(op)
}

@inline(__always)
func pushImmediate<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  state.processor.push(T(raw.operation)) ? raw.operation.next : state.processor.faulted(raw.operation)
}

@inline(__always)
func pushMemory<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self), cpu.push(value) else { return cpu.faulted(op) }
  return op.next
}

@inline(__always)
func popRegister<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.peek(as: T.self) else { return cpu.faulted(op) }
  cpu.drop(T.byteCount)
  cpu.set(op.pointee.rm, value)
  return op.next
}

/// POP to memory: an address by RSP is computed with what RSP is afterwards (SDM volume 2, POP).
@inline(__always)
func popMemory<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.peek(as: T.self) else { return cpu.faulted(op) }
  let pointer = cpu.rsp
  cpu.drop(T.byteCount)
  guard cpu.writeRM(op, value) else {
    cpu.rsp = pointer
    return cpu.faulted(op)
  }
  return op.next
}

/// PUSHA.
@inline(__always)
func pushAll<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let pointer = cpu.rsp
  for register in 0..<8 as Range<UInt8> {
    let value: T = register == 4 ? T(truncatingIfNeeded: pointer) : cpu.get(register * 8)
    guard cpu.push(value) else {
      cpu.rsp = pointer
      return cpu.faulted(op)
    }
  }
  return op.next
}

/// POPA: the stack pointer's image is skipped.
@inline(__always)
func popAll<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  // The last is looked at first, so that a fault leaves the registers as they were.
  guard cpu.peek(at: UInt64(7 * T.byteCount), as: T.self) != nil else { return cpu.faulted(op) }
  var values = InlineArray<8, T>(repeating: 0)
  for slot in 0..<8 {
    guard let value = cpu.peek(at: UInt64(slot * T.byteCount), as: T.self) else { return cpu.faulted(op) }
    values[7 - slot] = value
  }
  for register in 0..<8 where register != 4 { cpu.set(UInt8(register * 8), values[register]) }
  cpu.drop(8 * T.byteCount)
  return op.next
}

/// ENTER: `detail` is the nesting level, the immediate the size of the frame.
@inline(__always)
func enterFrame<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let (pointer, size) = (cpu.rsp, UInt64(T.byteCount))
  func undo() -> UnsafeRawPointer? {
    cpu.rsp = pointer
    return cpu.faulted(op)
  }
  guard cpu.push(cpu.get(40, as: T.self)) else { return cpu.faulted(op) }
  let frame = cpu.rsp
  let level = op.pointee.detail & 31
  if level > 0 {
    for index in 1..<UInt64(max(level, 1)) {
      guard let value = cpu.readStack((cpu.rbp &- index &* size) & cpu.stackMask, as: T.self),
        cpu.push(value)
      else { return undo() }
    }
    guard cpu.push(T(truncatingIfNeeded: frame)) else { return undo() }
  }
  let top = (cpu.rsp &- op.pointee.immediate) & cpu.stackMask
  // The new top of the stack must be writable (SDM volume 2, ENTER).
  guard let linear = cpu.linear(2, top, count: T.byteCount, .write), cpu.probeWrite(linear, 1) else {
    cpu.failedOnStack()
    return undo()
  }
  cpu.setStackPointer(top)
  cpu.set(40, T(truncatingIfNeeded: frame))
  return op.next
}

@inline(__always)
func leaveFrame<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readStack(cpu.rbp & cpu.stackMask, as: T.self) else { return cpu.faulted(op) }
  cpu.setStackPointer((cpu.rbp & cpu.stackMask) &+ UInt64(T.byteCount))
  cpu.set(40, value)
  return op.next
}

// MARK: Near calls

@inline(__always)
func callNear<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard cpu.mayBranch(op), cpu.push(T(truncatingIfNeeded: cpu.nextInstruction(op))) else {
    return cpu.faulted(op)
  }
  return cpu.branch(op)
}

@inline(__always)
func callIndirect<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let target = cpu.readRM(op, as: T.self), cpu.isCodeTarget(UInt64(target)),
    cpu.push(T(truncatingIfNeeded: cpu.nextInstruction(op)))
  else { return cpu.faulted(op) }
  return cpu.jump(op, to: UInt64(target))
}

@inline(__always)
func jumpIndirect<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let target = cpu.readRM(op, as: T.self), cpu.isCodeTarget(UInt64(target)) else {
    return cpu.faulted(op)
  }
  return cpu.jump(op, to: UInt64(target))
}

/// RET; the immediate is what is dropped besides.
@inline(__always)
func returnNear<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let target = cpu.peek(as: T.self), cpu.isCodeTarget(UInt64(target)) else { return cpu.faulted(op) }
  cpu.setStackPointer(
    (cpu.rsp &+ UInt64(T.byteCount) &+ op.pointee.immediate) & cpu.stackMask)
  return cpu.jump(op, to: UInt64(target))
}

extension UnsafeMutablePointer<Processor> {
  /// Whether RIP may become `target`: canonical in 64-bit code, within CS's limit otherwise.
  @inline(__always)
  func isCodeTarget(_ target: UInt64) -> Bool {
    if pointee.mode.isLong {
      let top = Int64(bitPattern: target) &>> 47
      return top == 0 || top == -1 ? true : raise(.generalProtection)
    }
    return target <= UInt64(pointee.segments[unchecked: 1].limit) ? true : raise(.generalProtection)
  }
}

@inline(__always)
func jumpNear(_ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer) -> UnsafeRawPointer? {
  state.processor.branch(raw.operation)
}

/// LOOP, LOOPE, LOOPNE (`kind` 2, 1, 0) and JCXZ (3); the count's width is the address size.
@inline(__always)
func loopNear<T: Width>(
  kind: UInt8, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let count: T = cpu.get(8)
  if kind == 3 { return count == 0 ? cpu.branch(op) : op.next }
  let isTaken = count != 1 && (kind == 2 || cpu.zeroFlag == (kind == 1))
  if isTaken, !cpu.mayBranch(op) { return cpu.faulted(op) }
  cpu.set(8, count &- 1)
  return isTaken ? cpu.branch(op) : op.next
}

/// The handlers of the stack instructions and near branches.
enum StackHandlers {
  static let push = Sizes(
    { SoftCPU.pushRegister(UInt16.self, $0, $1) }, { SoftCPU.pushRegister(UInt32.self, $0, $1) },
    { SoftCPU.pushRegister(UInt64.self, $0, $1) })
  static let pushImmediate = Sizes(
    { SoftCPU.pushImmediate(UInt16.self, $0, $1) }, { SoftCPU.pushImmediate(UInt32.self, $0, $1) },
    { SoftCPU.pushImmediate(UInt64.self, $0, $1) })
  static let pushMemory = Sizes(
    { SoftCPU.pushMemory(UInt16.self, $0, $1) }, { SoftCPU.pushMemory(UInt32.self, $0, $1) },
    { SoftCPU.pushMemory(UInt64.self, $0, $1) })
  static let pop = Sizes(
    { SoftCPU.popRegister(UInt16.self, $0, $1) }, { SoftCPU.popRegister(UInt32.self, $0, $1) },
    { SoftCPU.popRegister(UInt64.self, $0, $1) })
  static let popMemory = Sizes(
    { SoftCPU.popMemory(UInt16.self, $0, $1) }, { SoftCPU.popMemory(UInt32.self, $0, $1) },
    { SoftCPU.popMemory(UInt64.self, $0, $1) })
  static let pusha = Sizes(
    { SoftCPU.pushAll(UInt16.self, $0, $1) }, { SoftCPU.pushAll(UInt32.self, $0, $1) },
    { SoftCPU.pushAll(UInt64.self, $0, $1) })
  static let popa = Sizes(
    { SoftCPU.popAll(UInt16.self, $0, $1) }, { SoftCPU.popAll(UInt32.self, $0, $1) },
    { SoftCPU.popAll(UInt64.self, $0, $1) })
  static let enter = Sizes(
    { SoftCPU.enterFrame(UInt16.self, $0, $1) }, { SoftCPU.enterFrame(UInt32.self, $0, $1) },
    { SoftCPU.enterFrame(UInt64.self, $0, $1) })
  static let leave = Sizes(
    { SoftCPU.leaveFrame(UInt16.self, $0, $1) }, { SoftCPU.leaveFrame(UInt32.self, $0, $1) },
    { SoftCPU.leaveFrame(UInt64.self, $0, $1) })
  static let call = Sizes(
    { SoftCPU.callNear(UInt16.self, $0, $1) }, { SoftCPU.callNear(UInt32.self, $0, $1) },
    { SoftCPU.callNear(UInt64.self, $0, $1) })
  static let callIndirect = Sizes(
    { SoftCPU.callIndirect(UInt16.self, $0, $1) }, { SoftCPU.callIndirect(UInt32.self, $0, $1) },
    { SoftCPU.callIndirect(UInt64.self, $0, $1) })
  static let jumpIndirect = Sizes(
    { SoftCPU.jumpIndirect(UInt16.self, $0, $1) }, { SoftCPU.jumpIndirect(UInt32.self, $0, $1) },
    { SoftCPU.jumpIndirect(UInt64.self, $0, $1) })
  static let ret = Sizes(
    { SoftCPU.returnNear(UInt16.self, $0, $1) }, { SoftCPU.returnNear(UInt32.self, $0, $1) },
    { SoftCPU.returnNear(UInt64.self, $0, $1) })
  static let jump: Handler = { jumpNear($0, $1) }
  /// By the opcode's low two bits: LOOPNE, LOOPE, LOOP, JCXZ.
  static let loop = [
    Sizes(
      { loopNear(kind: 0, UInt16.self, $0, $1) }, { loopNear(kind: 0, UInt32.self, $0, $1) },
      { loopNear(kind: 0, UInt64.self, $0, $1) }),
    Sizes(
      { loopNear(kind: 1, UInt16.self, $0, $1) }, { loopNear(kind: 1, UInt32.self, $0, $1) },
      { loopNear(kind: 1, UInt64.self, $0, $1) }),
    Sizes(
      { loopNear(kind: 2, UInt16.self, $0, $1) }, { loopNear(kind: 2, UInt32.self, $0, $1) },
      { loopNear(kind: 2, UInt64.self, $0, $1) }),
    Sizes(
      { loopNear(kind: 3, UInt16.self, $0, $1) }, { loopNear(kind: 3, UInt32.self, $0, $1) },
      { loopNear(kind: 3, UInt64.self, $0, $1) }),
  ]
}
