// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Forgets all translations: CR3, CR0.PG and the like have changed.
  func flushTranslations() {
    pointee.owner._withUnsafeGuaranteedRef {
      $0.translations.data.flush()
      $0.translations.code.flush()
    }
    pointee.mapGeneration = pointee.machine._withUnsafeGuaranteedRef { $0.nextGeneration() }
  }

  /// MOV to CR0 (SDM volume 3, section 2.5, and volume 2, MOV).
  func setCR0(_ value: UInt64) -> Bool {
    let value = value & ControlRegister0.implemented | ControlRegister0.extensionType
    let isPaging = value & ControlRegister0.paging != 0
    let wasPaging = pointee.cr0 & ControlRegister0.paging != 0
    if isPaging, value & ControlRegister0.protection == 0 { return raise(.generalProtection) }
    if value & ControlRegister0.notWriteThrough != 0, value & ControlRegister0.cacheDisable == 0 {
      return raise(.generalProtection)
    }
    let isLong = isPaging && pointee.efer & ExtendedFeature.longModeEnable != 0
    if isLong, !wasPaging {
      guard pointee.cr4 & ControlRegister4.physicalAddressExtension != 0, !pointee.segments[1].isLong,
        pointee.tr.type > SystemDescriptorType.busyTSS16
      else { return raise(.generalProtection) }
    } else if !isPaging, wasPaging, pointee.mode.isLong {
      return raise(.generalProtection)
    }
    let changed = pointee.cr0 ^ value
    if isPaging, !isLong, pointee.cr4 & ControlRegister4.physicalAddressExtension != 0,
      changed & ControlRegister0.reloadsPointers != 0
    {
      guard loadPageDirectoryPointers(from: pointee.cr3) else { return false }
    }
    if isLong {
      pointee.efer |= ExtendedFeature.longModeActive
    } else {
      pointee.efer &= ~ExtendedFeature.longModeActive
    }
    pointee.cr0 = value
    if changed & (ControlRegister0.paging | ControlRegister0.writeProtect | ControlRegister0.protection) != 0
    {
      flushTranslations()
    }
    if changed & ControlRegister0.protection != 0 { pointee.cpl = 0 }
    updateChecks()
    updateMode()
    return true
  }

  /// MOV to CR4.
  func setCR4(_ value: UInt64) -> Bool {
    let allowed = pointee.owner._withUnsafeGuaranteedRef { $0.cpuid.controlRegister4 }
    guard value & ~allowed == 0 else { return raise(.generalProtection) }
    let isPAE = value & ControlRegister4.physicalAddressExtension != 0
    if isLongModeActive {
      if !isPAE { return raise(.generalProtection) }
    } else if isPAE, pointee.cr0 & ControlRegister0.paging != 0,
      (pointee.cr4 ^ value) & ControlRegister4.reloadsPointers != 0
    {
      guard loadPageDirectoryPointers(from: pointee.cr3) else { return false }
    }
    pointee.cr4 = value
    flushTranslations()
    updateChecks()
    updateMode()
    return true
  }

  /// MOV to CR3. Without CR4.PCIDE, bit 63 is reserved like all beyond the physical address.
  func setCR3(_ value: UInt64) -> Bool {
    if isLongModeActive {
      if value >> UInt64(PageEntry.addressBits) != 0 { return raise(.generalProtection) }
      pointee.cr3 = value
    } else {
      if usesPAEPaging { guard loadPageDirectoryPointers(from: value) else { return false } }
      pointee.cr3 = value & 0xFFFF_FFFF
    }
    flushTranslations()
    return true
  }

  /// EFER, by WRMSR.
  func setEFER(_ value: UInt64) -> Bool {
    let writable = pointee.owner._withUnsafeGuaranteedRef { $0.cpuid.extendedFeatures }
    guard value & ~(writable | ExtendedFeature.longModeActive) == 0 else { return raise(.generalProtection) }
    let changed = (pointee.efer ^ value) & writable
    if changed & ExtendedFeature.longModeEnable != 0, pointee.cr0 & ControlRegister0.paging != 0 {
      return raise(.generalProtection)
    }
    pointee.efer ^= changed
    if changed & ExtendedFeature.noExecute != 0 { flushTranslations() }
    updateMode()
    return true
  }
}

/// The handlers of moves to and from control and debug registers; `detail` is the register's number.
enum ControlRegisterHandlers {
  static let read: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let value: UInt64
    switch op.pointee.detail {
    case 0: value = cpu.pointee.cr0
    case 2: value = cpu.pointee.cr2
    case 3: value = cpu.pointee.cr3
    case 4: value = cpu.pointee.cr4
    case 8: value = cpu.pointee.owner._withUnsafeGuaranteedRef { $0.taskPriority }
    default: return cpu.fault(op, .invalidOpcode)
    }
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .generalProtection) }
    put(cpu, op, value)
    return op.next
  }

  static let write: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let value =
      cpu.pointee.mode.isLong ? cpu.get(op.pointee.rm) : UInt64(cpu.get(op.pointee.rm, as: UInt32.self))
    let number = op.pointee.detail
    guard number == 0 || number >= 2 && number <= 4 || number == 8 else {
      return cpu.fault(op, .invalidOpcode)
    }
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .generalProtection) }
    var isDone = true
    switch number {
    case 0: isDone = value >> 32 == 0 ? cpu.setCR0(value) : cpu.raise(.generalProtection)
    case 2: cpu.pointee.cr2 = value
    case 3: isDone = cpu.setCR3(value)
    case 4: isDone = cpu.setCR4(value)
    default:
      if value > 15 {
        isDone = cpu.raise(.generalProtection)
      } else {
        cpu.pointee.owner._withUnsafeGuaranteedRef { $0.taskPriority = value }
      }
    }
    return isDone ? cpu.finished(op) : cpu.faulted(op)
  }

  static let readDebug: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let index = debugIndex(cpu, op) else { return cpu.faulted(op) }
    put(cpu, op, cpu.pointee.debug[index])
    return op.next
  }

  static let writeDebug: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let index = debugIndex(cpu, op) else { return cpu.faulted(op) }
    let value =
      cpu.pointee.mode.isLong ? cpu.get(op.pointee.rm) : UInt64(cpu.get(op.pointee.rm, as: UInt32.self))
    if index >= 4, value >> 32 != 0 { return cpu.fault(op, .generalProtection) }
    switch index {
    case 4: cpu.pointee.debug[4] = value & 0xE00F | 0xFFFF_0FF0
    case 5: cpu.pointee.debug[5] = value & 0xFFFF_2BFF | 0x400
    default: cpu.pointee.debug[index] = value
    }
    cpu.updateChecks()
    return cpu.finished(op)
  }

  /// The place of a debug register: DR4 and DR5 stand for DR6 and DR7 unless CR4.DE is set.
  private static func debugIndex(_ cpu: CPU, _ op: UnsafePointer<Operation>) -> Int? {
    let number = op.pointee.detail
    if number > 7 || number == 4 || number == 5,
      number > 7 || cpu.pointee.cr4 & ControlRegister4.debuggingExtensions != 0
    {
      cpu.raise(.invalidOpcode)
      return nil
    }
    guard cpu.pointee.cpl == 0 else {
      cpu.raise(.generalProtection)
      return nil
    }
    // General detect (SDM volume 3, section 17.2.4).
    if cpu.pointee.debug[5] & 1 << 13 != 0 {
      cpu.pointee.debug[5] &= ~(1 << 13)
      cpu.pointee.debug[4] |= 1 << 13
      cpu.raise(.debug)
      return nil
    }
    return number < 4 ? Int(number) : number & 1 == 0 ? 4 : 5
  }

  private static func put(_ cpu: CPU, _ op: UnsafePointer<Operation>, _ value: UInt64) {
    if cpu.pointee.mode.isLong {
      cpu.set(op.pointee.rm, value)
    } else {
      cpu.set(op.pointee.rm, UInt32(truncatingIfNeeded: value))
    }
  }

  static let smsw: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    if cpu.pointee.cpl != 0, cpu.pointee.cr4 & ControlRegister4.userModeInstructionPrevention != 0 {
      return cpu.fault(op, .generalProtection)
    }
    guard op.isRegister else {
      return cpu.writeRM(op, UInt16(truncatingIfNeeded: cpu.pointee.cr0)) ? op.next : cpu.faulted(op)
    }
    switch (op.pointee.flags & Operation.operand64 != 0, op.pointee.flags & Operation.operand16 != 0) {
    case (true, _): cpu.set(op.pointee.rm, cpu.pointee.cr0)
    case (_, true) where cpu.pointee.mode.isLong || cpu.pointee.mode.isCode32:
      cpu.set(op.pointee.rm, UInt16(truncatingIfNeeded: cpu.pointee.cr0))
    case (_, false) where !cpu.pointee.mode.isLong && !cpu.pointee.mode.isCode32:
      cpu.set(op.pointee.rm, UInt16(truncatingIfNeeded: cpu.pointee.cr0))
    default: cpu.set(op.pointee.rm, UInt32(truncatingIfNeeded: cpu.pointee.cr0))
    }
    return op.next
  }

  /// LMSW sets the low four bits of CR0, and cannot clear PE.
  static let lmsw: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .generalProtection) }
    guard let value = cpu.readRM(op, as: UInt16.self) else { return cpu.faulted(op) }
    let keep = cpu.pointee.cr0 & (~0xF | ControlRegister0.protection)
    return cpu.setCR0(keep | UInt64(value) & 0xF) ? cpu.finished(op) : cpu.faulted(op)
  }
}
