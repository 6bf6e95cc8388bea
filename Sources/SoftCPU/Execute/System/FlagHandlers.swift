// SPDX-License-Identifier: GPL-2.0-or-later

@inline(__always)
private func pushFlags<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  if cpu.isVirtual8086, cpu.ioPrivilege < 3 { return cpu.fault(op, .generalProtection) }
  // VM and RF read as 0.
  let image = cpu.rflags & ~(Flag.virtual8086 | Flag.resume)
  return cpu.push(T(truncatingIfNeeded: image)) ? op.next : cpu.faulted(op)
}

@inline(__always)
private func popFlags<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  if cpu.isVirtual8086, cpu.ioPrivilege < 3 { return cpu.fault(op, .generalProtection) }
  guard let image = cpu.peek(as: T.self) else { return cpu.faulted(op) }
  cpu.drop(T.byteCount)
  var changeable = Flag.arithmetic | Flag.trap | Flag.direction | Flag.nestedTask
  if T.bitWidth > 16 { changeable |= Flag.alignmentCheck | Flag.identification }
  if cpu.isVirtual8086 {
    changeable |= Flag.interrupt
  } else {
    if cpu.pointee.cpl == 0 { changeable |= Flag.ioPrivilege }
    if cpu.pointee.cpl <= cpu.ioPrivilege { changeable |= Flag.interrupt }
  }
  cpu.setFlags(UInt64(image), changeable: changeable)
  if T.bitWidth > 16 { cpu.pointee.systemFlags &= ~Flag.resume }
  return cpu.finished(op)
}

extension UnsafeMutablePointer<Processor> {
  /// Whether CLI, STI and port access are allowed by IOPL.
  var mayUseIO: Bool { !isProtected || pointee.cpl <= ioPrivilege }
}

/// The handlers of instructions on the system flags.
enum FlagHandlers {
  static let pushf = Sizes(
    { pushFlags(UInt16.self, $0, $1) }, { pushFlags(UInt32.self, $0, $1) }, { pushFlags(UInt64.self, $0, $1) }
  )
  static let popf = Sizes(
    { popFlags(UInt16.self, $0, $1) }, { popFlags(UInt32.self, $0, $1) }, { popFlags(UInt64.self, $0, $1) })
  static let cli: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseIO else { return cpu.fault(op, .generalProtection) }
    cpu.pointee.systemFlags &= ~Flag.interrupt
    return op.next
  }
  /// Interrupts are held off until after the next instruction, if they were off before.
  static let sti: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseIO else { return cpu.fault(op, .generalProtection) }
    if cpu.pointee.systemFlags & Flag.interrupt == 0 {
      cpu.pointee.systemFlags |= Flag.interrupt
      cpu.pointee.interruptShadow = true
    }
    return cpu.finished(op)
  }
}
