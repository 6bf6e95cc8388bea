// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Ends a far transfer: ``Processor/rip`` is the target, or that of the instruction if it was refused.
  @inline(__always)
  fileprivate func transferred(_ op: UnsafePointer<Operation>, _ isDone: Bool) -> UnsafeRawPointer? {
    guard isDone else { return faulted(op) }
    pointee.executed &-= UInt64(op.pointee.remaining) &- 1
    return nil
  }
}

@inline(__always)
private func farPointer<T: Width>(
  _ cpu: CPU, _ op: UnsafePointer<Operation>, _: T.Type
) -> (selector: UInt16, offset: UInt64)? {
  guard let linear = cpu.address(op, count: T.byteCount + 2, .read),
    let offset = cpu.load(linear, as: T.self),
    let selector = cpu.load(linear &+ UInt64(T.byteCount), as: UInt16.self)
  else { return nil }
  return (selector, UInt64(offset))
}

@inline(__always)
private func jumpIndirectFar<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let target = farPointer(cpu, op, T.self) else { return cpu.faulted(op) }
  return cpu.transferred(op, cpu.jumpFar(target.selector, target.offset, next: cpu.nextInstruction(op)))
}

@inline(__always)
private func callIndirectFar<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let target = farPointer(cpu, op, T.self) else { return cpu.faulted(op) }
  return cpu.transferred(
    op, cpu.callFar(target.selector, target.offset, next: cpu.nextInstruction(op), T.self))
}

@inline(__always)
private func callDirectFar<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  return cpu.transferred(
    op,
    cpu.callFar(
      UInt16(truncatingIfNeeded: op.pointee.displacement), op.pointee.immediate,
      next: cpu.nextInstruction(op),
      T.self))
}

@inline(__always)
private func returnFar<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  return cpu.transferred(op, cpu.returnFar(dropping: op.pointee.immediate, T.self))
}

@inline(__always)
private func returnFromInterrupt<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard cpu.returnFromInterrupt(next: cpu.nextInstruction(op), T.self) else { return cpu.faulted(op) }
  cpu.pointee.nmiMasked = false
  return cpu.transferred(op, true)
}

/// The handlers of far transfers.
enum FarHandlers {
  private static let directJump: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return cpu.transferred(
      op,
      cpu.jumpFar(
        UInt16(truncatingIfNeeded: op.pointee.displacement), op.pointee.immediate,
        next: cpu.nextInstruction(op)))
  }
  static let jump = Sizes(directJump, directJump, directJump)
  static let call = Sizes(
    { callDirectFar(UInt16.self, $0, $1) }, { callDirectFar(UInt32.self, $0, $1) },
    { callDirectFar(UInt64.self, $0, $1) })
  static let jumpIndirect = Sizes(
    { jumpIndirectFar(UInt16.self, $0, $1) }, { jumpIndirectFar(UInt32.self, $0, $1) },
    { jumpIndirectFar(UInt64.self, $0, $1) })
  static let callIndirect = Sizes(
    { callIndirectFar(UInt16.self, $0, $1) }, { callIndirectFar(UInt32.self, $0, $1) },
    { callIndirectFar(UInt64.self, $0, $1) })
  static let ret = Sizes(
    { returnFar(UInt16.self, $0, $1) }, { returnFar(UInt32.self, $0, $1) }, { returnFar(UInt64.self, $0, $1) }
  )
  static let iret = Sizes(
    { returnFromInterrupt(UInt16.self, $0, $1) }, { returnFromInterrupt(UInt32.self, $0, $1) },
    { returnFromInterrupt(UInt64.self, $0, $1) })
}

/// The handlers of instructions that interrupt themselves.
enum InterruptHandlers {
  /// INT3 (SDM volume 2, INT n).
  static let breakpoint: Handler = { interrupt($0.processor, $1.operation, 3, .software) }
  static let overflow: Handler = {
    $0.processor.overflowFlag
      ? interrupt($0.processor, $1.operation, 4, .software) : $0.processor.finished($1.operation)
  }
  /// INT1.
  static let debug: Handler = { interrupt($0.processor, $1.operation, 1, .exception) }
  static let software: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    // Virtual-8086 code may do so only with IOPL 3 (without CR4.VME's redirection).
    if cpu.isVirtual8086, cpu.ioPrivilege < 3 { return cpu.fault(op, .generalProtection) }
    return interrupt(cpu, op, UInt8(op), .software)
  }

  private static func interrupt(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ vector: UInt8, _ source: EventSource
  ) -> UnsafeRawPointer? {
    // The handler returns to the next instruction; a fault on the way is this one's.
    cpu.pointee.rip = cpu.nextInstruction(op)
    guard cpu.deliver(vector, errorCode: nil, source: source, setsResume: false) else {
      return cpu.faulted(op)
    }
    // Delivery has cleared TF: a step over it is not seen before the handler is back.
    if cpu.pointee.mode.bits & ExecutionMode.single != 0 { cpu.pointee.request = .again }
    return cpu.transferred(op, true)
  }
}
