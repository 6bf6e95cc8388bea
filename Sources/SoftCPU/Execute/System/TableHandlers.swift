// SPDX-License-Identifier: GPL-2.0-or-later

/// The handlers of the descriptor table registers.
enum TableHandlers {
  static let sgdt: Handler = {
    store($0.processor, $1.operation, $0.processor.pointee.gdtBase, $0.processor.pointee.gdtLimit)
  }
  static let sidt: Handler = {
    store($0.processor, $1.operation, $0.processor.pointee.idtBase, $0.processor.pointee.idtLimit)
  }
  static let lgdt: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let (base, limit) = load(cpu, op) else { return cpu.faulted(op) }
    (cpu.pointee.gdtBase, cpu.pointee.gdtLimit) = (base, limit)
    return cpu.finished(op)
  }
  static let lidt: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let (base, limit) = load(cpu, op) else { return cpu.faulted(op) }
    (cpu.pointee.idtBase, cpu.pointee.idtLimit) = (base, limit)
    return cpu.finished(op)
  }
  static let sldt: Handler = { storeSelector($0.processor, $1.operation, $0.processor.pointee.ldtr.selector) }
  static let str: Handler = { storeSelector($0.processor, $1.operation, $0.processor.pointee.tr.selector) }

  static let lldt: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .generalProtection) }
    guard let selector = cpu.readRM(op, as: UInt16.self) else { return cpu.faulted(op) }
    guard selector & ~3 != 0 else {
      cpu.pointee.ldtr = .null(selector)
      return cpu.finished(op)
    }
    let code = UInt32(selector & ~3)
    guard selector & 4 == 0 else { return cpu.fault(op, .generalProtection, code) }
    guard let descriptor = cpu.systemDescriptor(selector) else { return cpu.faulted(op) }
    guard !descriptor.isSegment, descriptor.type == SystemDescriptorType.ldt else {
      return cpu.fault(op, .generalProtection, code)
    }
    guard descriptor.isPresent else { return cpu.fault(op, .segmentNotPresent, code) }
    cpu.pointee.ldtr = descriptor.register(selector)
    return cpu.finished(op)
  }

  static let ltr: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .generalProtection) }
    guard let selector = cpu.readRM(op, as: UInt16.self) else { return cpu.faulted(op) }
    let code = UInt32(selector & ~3)
    guard selector & 4 == 0, selector & ~3 != 0 else { return cpu.fault(op, .generalProtection, code) }
    guard let descriptor = cpu.systemDescriptor(selector) else { return cpu.faulted(op) }
    guard !descriptor.isSegment,
      descriptor.type == SystemDescriptorType.availableTSS
        || descriptor.type == SystemDescriptorType.availableTSS16 && !cpu.isLongModeActive
    else { return cpu.fault(op, .generalProtection, code) }
    guard descriptor.isPresent else { return cpu.fault(op, .segmentNotPresent, code) }
    guard let address = cpu.descriptorAddress(selector),
      cpu.storeSystem(address &+ 5, UInt8(truncatingIfNeeded: descriptor.raw >> 40) | 2)
    else { return cpu.faulted(op) }
    cpu.pointee.tr = descriptor.register(selector)
    cpu.pointee.tr.attributes |= 2
    return cpu.finished(op)
  }

  /// CR4.UMIP keeps these from user code.
  private static func isPrevented(_ cpu: CPU) -> Bool {
    cpu.pointee.cpl != 0 && cpu.pointee.cr4 & ControlRegister4.userModeInstructionPrevention != 0
  }

  private static func store(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ base: UInt64, _ limit: UInt32
  ) -> UnsafeRawPointer? {
    if isPrevented(cpu) { return cpu.fault(op, .generalProtection) }
    let isLong = cpu.pointee.mode.isLong
    guard let linear = cpu.address(op, count: isLong ? 10 : 6, .write),
      cpu.probeWrite(linear, isLong ? 10 : 6),
      cpu.store(linear, UInt16(truncatingIfNeeded: limit)),
      isLong ? cpu.store(linear &+ 2, base) : cpu.store(linear &+ 2, UInt32(truncatingIfNeeded: base))
    else { return cpu.faulted(op) }
    return op.next
  }

  private static func load(_ cpu: CPU, _ op: UnsafePointer<Operation>) -> (UInt64, UInt32)? {
    guard cpu.pointee.cpl == 0 else {
      cpu.raise(.generalProtection)
      return nil
    }
    let isLong = cpu.pointee.mode.isLong
    guard let linear = cpu.address(op, count: isLong ? 10 : 6, .read),
      let limit = cpu.load(linear, as: UInt16.self)
    else { return nil }
    if isLong {
      guard let base = cpu.load(linear &+ 2, as: UInt64.self) else { return nil }
      guard cpu.isCanonical(base) else {
        cpu.raise(.generalProtection)
        return nil
      }
      return (base, UInt32(limit))
    }
    guard let base = cpu.load(linear &+ 2, as: UInt32.self) else { return nil }
    // With 16-bit operands the base has 24 bits.
    let is16 = cpu.pointee.mode.isCode32 == (op.pointee.flags & Operation.operand16 != 0)
    return (UInt64(is16 ? base & 0xFF_FFFF : base), UInt32(limit))
  }

  /// To a register in the operand's size, to memory 16 bits.
  private static func storeSelector(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ selector: UInt16
  ) -> UnsafeRawPointer? {
    if isPrevented(cpu) { return cpu.fault(op, .generalProtection) }
    guard op.isRegister else { return cpu.writeRM(op, selector) ? op.next : cpu.faulted(op) }
    let is16 =
      !cpu.pointee.mode.isLong
      ? cpu.pointee.mode.isCode32 == (op.pointee.flags & Operation.operand16 != 0)
      : op.pointee.flags & (Operation.operand16 | Operation.operand64) == Operation.operand16
    if is16 { cpu.set(op.pointee.rm, selector) } else { cpu.set(op.pointee.rm, UInt64(selector)) }
    return op.next
  }
}
