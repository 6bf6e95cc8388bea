// SPDX-License-Identifier: GPL-2.0-or-later

/// PUSH of a segment register (`detail`). The 32-bit form writes 16 bits and leaves the rest of the slot.
@inline(__always)
private func pushSegment<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let selector = cpu.pointee.segments[Int(op.pointee.detail)].selector
  if T.bitWidth == 32 {
    let pointer = (cpu.rsp &- 4) & cpu.stackMask
    guard let linear = cpu.linear(2, pointer, count: 2, .write), cpu.store(linear, selector) else {
      return cpu.faulted(op)
    }
    cpu.setStackPointer(pointer)
    return op.next
  }
  return cpu.push(T(selector)) ? op.next : cpu.faulted(op)
}

/// POP of a segment register; of SS it holds interrupts off for an instruction.
@inline(__always)
private func popSegment<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let number = Int(op.pointee.detail)
  let mask = cpu.stackMask
  guard let value = cpu.peek(as: T.self), cpu.loadSegment(number, UInt16(truncatingIfNeeded: value)) else {
    return cpu.faulted(op)
  }
  // The stack's size is that of the old SS.
  let pointer = (cpu.rsp &+ UInt64(T.byteCount)) & mask
  if mask == 0xFFFF { cpu.set(32, UInt16(pointer)) } else { cpu.rsp = pointer }
  if number == 2 { (cpu.pointee.interruptShadow, cpu.pointee.debugShadow) = (true, true) }
  return cpu.finished(op)
}

/// LDS, LES, LSS, LFS, LGS.
@inline(__always)
private func loadPointer<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount + 2, .read),
    let offset = cpu.load(linear, as: T.self),
    let selector = cpu.load(linear &+ UInt64(T.byteCount), as: UInt16.self),
    cpu.loadSegment(Int(op.pointee.detail), selector)
  else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, offset)
  return cpu.finished(op)
}

@inline(__always)
private func storeSegment<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(op.pointee.rm, T(cpu.pointee.segments[Int(op.pointee.detail)].selector))
  return op.next
}

/// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE (`detail` 0 … 3).
@inline(__always)
private func segmentBase<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard cpu.pointee.cr4 & ControlRegister4.fsgsbase != 0 else { return cpu.fault(op, .invalidOpcode) }
  let number = 4 + Int(op.pointee.detail & 1)
  if op.pointee.detail < 2 {
    cpu.set(op.pointee.rm, T(truncatingIfNeeded: cpu.pointee.segments[number].base))
    return cpu.finished(op)
  }
  let base = UInt64(cpu.get(op.pointee.rm, as: T.self))
  guard cpu.isCanonical(base) else { return cpu.fault(op, .generalProtection) }
  cpu.pointee.segments[number].base = base
  cpu.pointee.flatBase[number] = base
  return cpu.finished(op)
}

extension UnsafeMutablePointer<Processor> {
  func isCanonical(_ linear: UInt64) -> Bool {
    let top = Int64(bitPattern: linear) >> 47
    return top == 0 || top == -1
  }
}

/// The handlers of instructions that move segment registers.
enum SegmentHandlers {
  static let push = Sizes(
    { pushSegment(UInt16.self, $0, $1) }, { pushSegment(UInt32.self, $0, $1) },
    { pushSegment(UInt64.self, $0, $1) })
  static let pop = Sizes(
    { popSegment(UInt16.self, $0, $1) }, { popSegment(UInt32.self, $0, $1) },
    { popSegment(UInt64.self, $0, $1) })
  static let loadPointer = Sizes(
    { SoftCPU.loadPointer(UInt16.self, $0, $1) }, { SoftCPU.loadPointer(UInt32.self, $0, $1) },
    { SoftCPU.loadPointer(UInt64.self, $0, $1) })
  static let storeRegister = Sizes(
    { storeSegment(UInt16.self, $0, $1) }, { storeSegment(UInt32.self, $0, $1) },
    { storeSegment(UInt64.self, $0, $1) })
  static let storeMemory: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return cpu.writeRM(op, cpu.pointee.segments[Int(op.pointee.detail)].selector) ? op.next : cpu.faulted(op)
  }
  /// MOV to a segment register.
  static let load: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let selector = cpu.readRM(op, as: UInt16.self), cpu.loadSegment(Int(op.pointee.detail), selector)
    else {
      return cpu.faulted(op)
    }
    if op.pointee.detail == 2 { (cpu.pointee.interruptShadow, cpu.pointee.debugShadow) = (true, true) }
    return cpu.finished(op)
  }
  static let base = Sizes(
    { segmentBase(UInt32.self, $0, $1) }, { segmentBase(UInt32.self, $0, $1) },
    { segmentBase(UInt64.self, $0, $1) })
}
