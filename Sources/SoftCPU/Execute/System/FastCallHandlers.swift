// SPDX-License-Identifier: GPL-2.0-or-later

extension SegmentRegister {
  /// The flat segments of the fast system calls, whatever the descriptor tables hold.
  static func flatCode(_ selector: UInt16, level: UInt8, isLong: Bool) -> SegmentRegister {
    SegmentRegister(
      selector: selector, attributes: 0x89B | UInt16(level) << 5 | (isLong ? Self.longBit : Self.bigBit),
      limit: 0xFFFF_FFFF, base: 0)
  }

  static func flatData(_ selector: UInt16, level: UInt8) -> SegmentRegister {
    SegmentRegister(selector: selector, attributes: 0xC93 | UInt16(level) << 5, limit: 0xFFFF_FFFF, base: 0)
  }
}

/// The handlers of the fast system calls (SDM volume 2, SYSCALL, SYSRET, SYSENTER, SYSEXIT).
enum FastCallHandlers {
  static let syscall: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.efer & ExtendedFeature.systemCall != 0, cpu.pointee.mode.isLong else {
      return cpu.fault(op, .invalidOpcode)
    }
    cpu.rcx = cpu.nextInstruction(op)
    cpu.set(11 * 8, cpu.rflags)
    cpu.pointee.systemFlags &= ~(Flag.resume)
    let selector = UInt16(truncatingIfNeeded: cpu.pointee.msrs.star >> 32)
    enter(
      cpu, .flatCode(selector & ~3, level: 0, isLong: true), .flatData((selector & ~3) &+ 8, level: 0),
      level: 0)
    cpu.setFlags(0, changeable: cpu.pointee.msrs.syscallMask)
    return cpu.jump(op, to: cpu.pointee.msrs.lstar)
  }

  static let sysret: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.efer & ExtendedFeature.systemCall != 0, cpu.pointee.mode.isLong else {
      return cpu.fault(op, .invalidOpcode)
    }
    let isWide = op.pointee.flags & Operation.operand64 != 0
    let target = isWide ? cpu.rcx : cpu.rcx & 0xFFFF_FFFF
    guard cpu.pointee.cpl == 0, cpu.isCanonical(target) else { return cpu.fault(op, .generalProtection) }
    let selector = UInt16(truncatingIfNeeded: cpu.pointee.msrs.star >> 48)
    let image = cpu.get(11 * 8, as: UInt64.self)
    enter(
      cpu, .flatCode((isWide ? selector &+ 16 : selector) | 3, level: 3, isLong: isWide),
      .flatData((selector &+ 8) | 3, level: 3), level: 3)
    cpu.setFlags(image & 0x3C_7FD7, changeable: 0x3F_7FD5 & ~Flag.virtual8086)
    // With IF set an interrupt that waits comes first, with TF a trap is due: both are the run loop's.
    if cpu.pointee.systemFlags & Flag.trap != 0
      || cpu.pointee.owner._withUnsafeGuaranteedRef({ $0.hasInterruptRequest })
    {
      return cpu.leave(op, to: target)
    }
    return cpu.jump(op, to: target)
  }

  static let sysenter: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let selector = UInt16(truncatingIfNeeded: cpu.pointee.msrs.sysenterCS)
    guard cpu.isProtected, selector & ~3 != 0 else { return cpu.fault(op, .generalProtection) }
    let isLong = cpu.isLongModeActive
    cpu.pointee.systemFlags &= ~(Flag.virtual8086 | Flag.interrupt | Flag.resume)
    enter(
      cpu, .flatCode(selector & ~3, level: 0, isLong: isLong), .flatData((selector & ~3) &+ 8, level: 0),
      level: 0)
    cpu.rsp = isLong ? cpu.pointee.msrs.sysenterESP : cpu.pointee.msrs.sysenterESP & 0xFFFF_FFFF
    return cpu.jump(
      op, to: isLong ? cpu.pointee.msrs.sysenterEIP : cpu.pointee.msrs.sysenterEIP & 0xFFFF_FFFF)
  }

  static let sysexit: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let selector = UInt16(truncatingIfNeeded: cpu.pointee.msrs.sysenterCS) & ~3
    guard cpu.isProtected, selector != 0, cpu.pointee.cpl == 0 else {
      return cpu.fault(op, .generalProtection)
    }
    let isWide = op.pointee.flags & Operation.operand64 != 0
    let target = isWide ? cpu.rdx : cpu.rdx & 0xFFFF_FFFF
    let stack = isWide ? cpu.rcx : cpu.rcx & 0xFFFF_FFFF
    guard cpu.isCanonical(target), cpu.isCanonical(stack) else { return cpu.fault(op, .generalProtection) }
    let offset: UInt16 = isWide ? 32 : 16
    enter(
      cpu, .flatCode((selector &+ offset) | 3, level: 3, isLong: isWide),
      .flatData((selector &+ offset &+ 8) | 3, level: 3), level: 3)
    cpu.rsp = stack
    return cpu.jump(op, to: target)
  }

  @inline(__always)
  private static func enter(_ cpu: CPU, _ code: SegmentRegister, _ stack: SegmentRegister, level: UInt8) {
    cpu.pointee.segments[1] = code
    cpu.pointee.segments[2] = stack
    cpu.pointee.cpl = level
    cpu.updateMode()
  }
}
