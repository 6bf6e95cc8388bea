// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

extension SegmentRegister {
  init(_ state: SegmentState) {
    self.init(
      selector: state.selector, attributes: state.attributes & 0x1FFF, limit: state.limit, base: state.base)
  }

  var state: SegmentState {
    var state = SegmentState()
    (state.selector, state.attributes, state.limit, state.base) = (selector, attributes, limit, base)
    return state
  }
}

/// All registers, in the terms of no engine.
extension SoftVirtualCPU {
  func registers() -> CPUState {
    var state = CPUState()
    let p = cpu.pointee
    for register in 0..<16 { state.general[register] = cpu.get(UInt8(register * 8)) }
    (state.rip, state.rflags) = (p.rip, cpu.rflags)
    for number in 0..<6 { state.segments[number] = p.segments[number].state }
    (state.ldtr, state.tr) = (p.ldtr.state, p.tr.state)
    (state.gdtr.base, state.gdtr.limit) = (p.gdtBase, UInt16(truncatingIfNeeded: p.gdtLimit))
    (state.idtr.base, state.idtr.limit) = (p.idtBase, UInt16(truncatingIfNeeded: p.idtLimit))
    (state.cr0, state.cr2, state.cr3, state.cr4) = (p.cr0, p.cr2, p.cr3, p.cr4)
    (state.cr8, state.efer, state.xcr0) = (UInt64(localAPIC.taskPriority), p.efer, p.xcr0)
    if cpu.usesPAEPaging { state.pageDirectoryPointers = (0..<4).map { p.pageDirectoryPointers[$0] } }
    for number in 0..<6 { state.debug[number] = p.debug[number] }
    state.xsave = savedVectors
    for number in MSR.state { state.msrs[number] = cpu.readMSR(number) }
    for number in [MSR.apicBase, MSR.tscDeadline] { state.msrs[number] = localAPIC.readMSR(number) }
    state.localAPIC = localAPIC.savedRegisters
    state.activity = activity
    state.pending.interruptShadow = p.interruptShadow ? 1 : 0
    state.pending.nmiMasked = p.nmiMasked
    state.pending.nmiPending = isNMIHeld
    return state
  }

  func setRegisters(_ state: CPUState) throws(EngineError) {
    guard state.general.count == 16, state.segments.count == 6, state.debug.count == 6,
      state.xsave.count >= 512,
      state.localAPIC.count == 64
    else { throw EngineError("the saved state of a CPU is damaged: it lacks registers") }
    for register in 0..<16 { cpu.set(UInt8(register * 8), state.general[register]) }
    cpu.pointee.rip = state.rip
    for number in 0..<6 { cpu.pointee.segments[number] = SegmentRegister(state.segments[number]) }
    (cpu.pointee.ldtr, cpu.pointee.tr) = (SegmentRegister(state.ldtr), SegmentRegister(state.tr))
    (cpu.pointee.gdtBase, cpu.pointee.gdtLimit) = (state.gdtr.base, UInt32(state.gdtr.limit))
    (cpu.pointee.idtBase, cpu.pointee.idtLimit) = (state.idtr.base, UInt32(state.idtr.limit))
    cpu.pointee.cr0 = state.cr0 & ControlRegister0.implemented
    (cpu.pointee.cr2, cpu.pointee.cr3) = (state.cr2, state.cr3)
    cpu.pointee.cr4 = state.cr4 & ControlRegister4.implemented
    cpu.pointee.efer = state.efer & 0xD01
    if let pointers = state.pageDirectoryPointers, pointers.count == 4 {
      for number in 0..<4 { cpu.pointee.pageDirectoryPointers[number] = pointers[number] }
    } else {
      lacksPageDirectoryPointers = cpu.usesPAEPaging
    }
    cpu.pointee.xcr0 = state.xcr0 & 3 | 1
    for number in 0..<6 { cpu.pointee.debug[number] = state.debug[number] }
    cpu.arithmeticFlags = state.rflags
    cpu.pointee.systemFlags = state.rflags & 0x3F_7700 | 2
    cpu.pointee.cpl =
      !cpu.isProtected
      ? 0
      : cpu.isVirtual8086
        ? 3
        : cpu.pointee.segments[2].isUsable
          ? cpu.pointee.segments[2].dpl : UInt8(cpu.pointee.segments[1].selector & 3)
    restoreVectors(state.xsave)
    for number in MSR.state where number != MSR.timeStampCounter && number != MSR.tscAdjust {
      if let value = state.msrs[number] { _ = cpu.writeMSR(number, value) }
    }
    // Not as a guest's writes, each of which would move the other.
    if let timeStamp = state.msrs[MSR.timeStampCounter] {
      cpu.pointee.msrs.tscOffset = timeStamp &- machineTimeStamp
    }
    if let adjust = state.msrs[MSR.tscAdjust] { cpu.pointee.msrs.tscAdjust = adjust }
    localAPIC.restore(
      registers: state.localAPIC, base: state.msrs[MSR.apicBase] ?? 0xFEE0_0900,
      deadline: state.msrs[MSR.tscDeadline] ?? 0)
    // CR8 has only the upper half of the priority just restored.
    let priority = UInt8(truncatingIfNeeded: state.cr8 & 15)
    if localAPIC.taskPriority != priority { localAPIC.taskPriority = priority }
    resume(activity: state.activity, pending: state.pending)
    cpu.updateChecks()
    cpu.updateMode()
    cpu.flushTranslations()
  }

  /// The XSAVE area in its standard format, as long as KVM's.
  private var savedVectors: [UInt8] {
    var area = [UInt8](repeating: 0, count: 4096)
    area.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      cpu.storeLegacyFloatingPoint(to: base, wide: true)
      base.storeBytes(of: cpu.pointee.mxcsr, toByteOffset: 24, as: UInt32.self)
      base.storeBytes(of: CPU.mxcsrMask, toByteOffset: 28, as: UInt32.self)
      (base + 160).copyMemory(from: cpu.pointee.xmmRegisters, byteCount: 256)
      base.storeBytes(of: 3, toByteOffset: 512, as: UInt64.self)
    }
    return area
  }

  private func restoreVectors(_ area: [UInt8]) {
    area.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, bytes.count >= 512 else { return }
      cpu.loadLegacyFloatingPoint(from: base, wide: true)
      cpu.pointee.mxcsr = base.load(fromByteOffset: 24, as: UInt32.self) & CPU.mxcsrMask
      cpu.pointee.xmmRegisters.copyMemory(from: base + 160, byteCount: 256)
    }
  }
}
