// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU
import Glibc

/// `IA32_APIC_BASE`, which KVM keeps with the segment registers.
let apicBaseMSR: UInt32 = 0x1B

// MARK: Between KVM's layout and the neutral one

extension SegmentState {
  init(_ segment: kvm_segment) {
    self.init()
    (selector, base, limit) = (segment.selector, segment.base, segment.limit)
    let low = UInt16(segment.type & 15) | UInt16(segment.s & 1) << 4 | UInt16(segment.dpl & 3) << 5
    let high = UInt16(segment.present & 1) << 7 | UInt16(segment.avl & 1) << 8 | UInt16(segment.l & 1) << 9
    let size = UInt16(segment.db & 1) << 10 | UInt16(segment.g & 1) << 11
    attributes = low | high | size | UInt16(segment.unusable & 1) << 12
  }

  var kvm: kvm_segment {
    func bit(_ number: UInt16) -> UInt8 { UInt8(attributes >> number & 1) }
    var segment = kvm_segment()
    (segment.selector, segment.base, segment.limit) = (selector, base, limit)
    (segment.type, segment.s) = (UInt8(attributes & 15), bit(4))
    (segment.dpl, segment.present) = (UInt8(attributes >> 5 & 3), bit(7))
    (segment.avl, segment.l, segment.db, segment.g) = (bit(8), bit(9), bit(10), bit(11))
    segment.unusable = bit(12)
    return segment
  }
}

extension TableState {
  init(_ table: kvm_dtable) {
    self.init()
    (base, limit) = (table.base, table.limit)
  }
  var kvm: kvm_dtable {
    var table = kvm_dtable()
    (table.base, table.limit) = (base, limit)
    return table
  }
}

extension CPUState {
  mutating func take(_ regs: kvm_regs) {
    general = [
      regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi, regs.r8, regs.r9,
      regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ]
    (rip, rflags) = (regs.rip, regs.rflags)
  }

  var kvmRegisters: kvm_regs {
    var regs = kvm_regs()
    (regs.rax, regs.rcx, regs.rdx, regs.rbx) = (general[0], general[1], general[2], general[3])
    (regs.rsp, regs.rbp, regs.rsi, regs.rdi) = (general[4], general[5], general[6], general[7])
    (regs.r8, regs.r9, regs.r10, regs.r11) = (general[8], general[9], general[10], general[11])
    (regs.r12, regs.r13, regs.r14, regs.r15) = (general[12], general[13], general[14], general[15])
    (regs.rip, regs.rflags) = (rip, rflags)
    return regs
  }

  mutating func take(_ sregs: kvm_sregs) {
    segments = [sregs.es, sregs.cs, sregs.ss, sregs.ds, sregs.fs, sregs.gs].map { SegmentState($0) }
    (ldtr, tr) = (SegmentState(sregs.ldt), SegmentState(sregs.tr))
    (gdtr, idtr) = (TableState(sregs.gdt), TableState(sregs.idt))
    (cr0, cr2, cr3, cr4, cr8) = (sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4, sregs.cr8)
    efer = sregs.efer
    msrs[apicBaseMSR] = sregs.apic_base
  }

  var kvmSpecialRegisters: kvm_sregs {
    var sregs = kvm_sregs()
    (sregs.es, sregs.cs, sregs.ss) = (segments[0].kvm, segments[1].kvm, segments[2].kvm)
    (sregs.ds, sregs.fs, sregs.gs) = (segments[3].kvm, segments[4].kvm, segments[5].kvm)
    (sregs.ldt, sregs.tr, sregs.gdt, sregs.idt) = (ldtr.kvm, tr.kvm, gdtr.kvm, idtr.kvm)
    (sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4, sregs.cr8) = (cr0, cr2, cr3, cr4, cr8)
    sregs.efer = efer
    sregs.apic_base = msrs[apicBaseMSR] ?? 0xFEE0_0800
    return sregs
  }

  mutating func take(_ events: kvm_vcpu_events) {
    pending = PendingEvents()
    if events.exception.injected != 0 {
      pending.exception = events.exception.nr
      if events.exception.has_error_code != 0 { pending.exceptionErrorCode = events.exception.error_code }
    }
    if events.interrupt.injected != 0 { pending.interrupt = events.interrupt.nr }
    pending.interruptIsSoft = events.interrupt.soft != 0
    pending.interruptShadow = events.interrupt.shadow
    pending.nmiPending = events.nmi.pending != 0
    pending.nmiInjected = events.nmi.injected != 0
    pending.nmiMasked = events.nmi.masked != 0
    pending.startupVector = UInt8(truncatingIfNeeded: events.sipi_vector)
  }

  var kvmEvents: kvm_vcpu_events {
    var events = kvm_vcpu_events()
    events.exception.injected = pending.exception == nil ? 0 : 1
    events.exception.nr = pending.exception ?? 0
    events.exception.has_error_code = pending.exceptionErrorCode == nil ? 0 : 1
    events.exception.error_code = pending.exceptionErrorCode ?? 0
    events.interrupt.injected = pending.interrupt == nil ? 0 : 1
    events.interrupt.nr = pending.interrupt ?? 0
    events.interrupt.soft = pending.interruptIsSoft ? 1 : 0
    events.interrupt.shadow = pending.interruptShadow & 3
    events.nmi.pending = pending.nmiPending ? 1 : 0
    events.nmi.injected = pending.nmiInjected ? 1 : 0
    events.nmi.masked = pending.nmiMasked ? 1 : 0
    events.sipi_vector = UInt32(pending.startupVector)
    events.flags = UInt32(
      KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW)
    return events
  }

  /// CR0.PG and CR4.PAE without EFER.LMA.
  var usesPAEPaging: Bool { cr0 >> 31 & 1 != 0 && cr4 >> 5 & 1 != 0 && efer >> 10 & 1 == 0 }

  /// Refuses a state no vCPU could have handed out, before any of it is indexed.
  func validateLayout() throws(EngineError) {
    guard general.count == 16, segments.count == 6, debug.count == 6, localAPIC.count == 64,
      (512...65536).contains(xsave.count)
    else { throw EngineError("the saved CPU state is damaged: it lacks registers") }
  }
}

extension CPUState.Activity {
  init(_ state: kvm_mp_state) {
    self =
      switch Int32(bitPattern: state.mp_state) {
      case KVM_MP_STATE_UNINITIALIZED: .waitingForInit
      case KVM_MP_STATE_INIT_RECEIVED: .waitingForStartup
      case KVM_MP_STATE_HALTED: .halted
      default: .running
      }
  }

  var kvm: kvm_mp_state {
    let value =
      switch self {
      case .running: KVM_MP_STATE_RUNNABLE
      case .halted: KVM_MP_STATE_HALTED
      case .waitingForInit: KVM_MP_STATE_UNINITIALIZED
      case .waitingForStartup: KVM_MP_STATE_INIT_RECEIVED
      }
    return kvm_mp_state(mp_state: UInt32(bitPattern: value))
  }
}

// MARK: Reading and writing

extension KVMVirtualCPU {
  /// The registers that tell what is being executed, and no more: quick to get.
  func executionState() throws(EngineError) -> CPUState {
    var state = CPUState()
    var regs = kvm_regs()
    try request(descriptor, martlet_KVM_GET_REGS, &regs, "tell a vCPU's registers")
    state.take(regs)
    var sregs = kvm_sregs()
    try request(descriptor, martlet_KVM_GET_SREGS, &sregs, "tell a vCPU's segments")
    state.take(sregs)
    return state
  }

  func registers() throws(EngineError) -> CPUState {
    // First, since it makes KVM act on INITs and start-up IPIs that are on their way.
    var activity = kvm_mp_state()
    try request(descriptor, martlet_KVM_GET_MP_STATE, &activity, "tell a vCPU's activity")
    var state = try executionState()
    state.activity = CPUState.Activity(activity)
    for (number, value) in try stateMSRs.read(from: descriptor) { state.msrs[number] = value }
    state.xsave = [UInt8](repeating: 0, count: xsaveByteCount)
    if state.usesPAEPaging {
      // A kernel before Linux 5.14 does not tell, and reads them from memory when they are set.
      var sregs = kvm_sregs2()
      if ioctl(descriptor, martlet_KVM_GET_SREGS2, &sregs) == 0,
        sregs.flags & martlet_KVM_SREGS2_FLAGS_PDPTRS_VALID != 0
      {
        let pointers = sregs.pdptrs
        state.pageDirectoryPointers = [pointers.0, pointers.1, pointers.2, pointers.3]
      }
    }
    let getXSAVE = xsaveByteCount > 4096 ? martlet_KVM_GET_XSAVE2 : martlet_KVM_GET_XSAVE
    try request(descriptor, getXSAVE, &state.xsave, "tell a vCPU's extended state")
    var controls = kvm_xcrs()
    try request(descriptor, martlet_KVM_GET_XCRS, &controls, "tell a vCPU's XCR0")
    if controls.nr_xcrs > 0, controls.xcrs.0.xcr == 0 { state.xcr0 = controls.xcrs.0.value }
    var debug = kvm_debugregs()
    try request(descriptor, martlet_KVM_GET_DEBUGREGS, &debug, "tell a vCPU's debug registers")
    state.debug = [debug.db.0, debug.db.1, debug.db.2, debug.db.3, debug.dr6, debug.dr7]
    var events = kvm_vcpu_events()
    try request(descriptor, martlet_KVM_GET_VCPU_EVENTS, &events, "tell a vCPU's events")
    state.take(events)
    var apic = kvm_lapic_state()
    try request(descriptor, martlet_KVM_GET_LAPIC, &apic, "tell a local APIC's state")
    state.localAPIC = withUnsafeBytes(of: &apic) { bytes in
      (0..<64).map { UInt32(littleEndian: bytes.load(fromByteOffset: $0 * 16, as: UInt32.self)) }
    }
    return state
  }

  func setRegisters(_ state: CPUState) throws(EngineError) {
    try state.validateLayout()
    var sregs = state.kvmSpecialRegisters
    try request(descriptor, martlet_KVM_SET_SREGS, &sregs, "set a vCPU's segments and control registers")
    if state.usesPAEPaging, let pointers = state.pageDirectoryPointers, pointers.count == 4 {
      var sregs = kvm_sregs2()
      if ioctl(descriptor, martlet_KVM_GET_SREGS2, &sregs) == 0 {
        sregs.flags = martlet_KVM_SREGS2_FLAGS_PDPTRS_VALID
        sregs.pdptrs = (pointers[0], pointers[1], pointers[2], pointers[3])
        try request(descriptor, martlet_KVM_SET_SREGS2, &sregs, "set a vCPU's page directory pointers")
      }
    }
    var regs = state.kvmRegisters
    try request(descriptor, martlet_KVM_SET_REGS, &regs, "set a vCPU's registers")
    var area = state.xsave
    if area.count < xsaveByteCount { area += [UInt8](repeating: 0, count: xsaveByteCount - area.count) }
    try request(descriptor, martlet_KVM_SET_XSAVE, &area, "set a vCPU's extended state")
    var controls = kvm_xcrs()
    controls.nr_xcrs = 1
    controls.xcrs.0.value = state.xcr0
    // A vCPU without XSAVE has no XCR0.
    if ioctl(descriptor, martlet_KVM_SET_XCRS, &controls) < 0, state.xcr0 != 1 {
      throw EngineError(refused: "set a vCPU's XCR0")
    }
    var msrs = state.msrs
    msrs[apicBaseMSR] = nil
    let deadline = msrs.removeValue(forKey: tscDeadlineMSR)
    try stateMSRs.write(msrs, to: descriptor)
    var apic = kvm_lapic_state()
    withUnsafeMutableBytes(of: &apic) { bytes in
      for (index, value) in state.localAPIC.enumerated() {
        bytes.storeBytes(of: value.littleEndian, toByteOffset: index * 16, as: UInt32.self)
      }
    }
    try request(descriptor, martlet_KVM_SET_LAPIC, &apic, "set a local APIC's state")
    var events = state.kvmEvents
    try request(descriptor, martlet_KVM_SET_VCPU_EVENTS, &events, "set a vCPU's events")
    var activity = state.activity.kvm
    try request(descriptor, martlet_KVM_SET_MP_STATE, &activity, "set a vCPU's activity")
    // Only a local APIC in its deadline mode takes it.
    if let deadline { try stateMSRs.write([tscDeadlineMSR: deadline], to: descriptor) }
    var debug = kvm_debugregs()
    (debug.db.0, debug.db.1, debug.db.2, debug.db.3) = (
      state.debug[0], state.debug[1], state.debug[2], state.debug[3]
    )
    (debug.dr6, debug.dr7) = (state.debug[4], state.debug[5])
    try request(descriptor, martlet_KVM_SET_DEBUGREGS, &debug, "set a vCPU's debug registers")
  }
}
