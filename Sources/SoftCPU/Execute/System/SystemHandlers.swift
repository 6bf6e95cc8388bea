// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// RDRAND and RDSEED: always successful.
@inline(__always)
private func random<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(
    op.pointee.rm, T(truncatingIfNeeded: cpu.pointee.owner._withUnsafeGuaranteedRef { $0.randomNumber() }))
  cpu.arithmeticFlags = Flag.carry
  return op.next
}

/// The handlers of system instructions.
enum SystemHandlers {
  /// Instructions for privilege level 0.
  @inline(__always)
  private static func privileged(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ body: () -> UnsafeRawPointer?
  ) -> UnsafeRawPointer? {
    cpu.pointee.cpl == 0 ? body() : cpu.fault(op, .generalProtection)
  }

  static let hlt: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      cpu.pointee.request = .halt
      return cpu.finished(op)
    }
  }

  /// Whoever is waited for may be another processor.
  static let pause: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    cpu.pointee.request = .yield
    return cpu.finished(op)
  }

  static let clts: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      cpu.pointee.cr0 &= ~ControlRegister0.taskSwitched
      return cpu.finished(op)
    }
  }

  static let invd: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) { cpu.finished(op) }
  }
  static let wbinvd = invd

  static let invlpg: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      let segment = Int(op.pointee.segment & 7)
      let base = cpu.pointee.mode.isLong ? cpu.pointee.flatBase[segment] : cpu.pointee.segments[segment].base
      let linear = base &+ cpu.effectiveAddress(op)
      cpu.pointee.owner._withUnsafeGuaranteedRef {
        $0.translations.data.invalidate(linear)
        $0.translations.code.invalidate(linear)
      }
      cpu.pointee.mapGeneration = cpu.pointee.machine._withUnsafeGuaranteedRef { $0.nextGeneration() }
      return cpu.finished(op)
    }
  }

  static let swapgs: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      let base = cpu.pointee.segments[5].base
      cpu.pointee.segments[5].base = cpu.pointee.msrs.kernelGSBase
      cpu.pointee.flatBase[5] = cpu.pointee.msrs.kernelGSBase
      cpu.pointee.msrs.kernelGSBase = base
      return cpu.finished(op)
    }
  }

  static let clac: Handler = { setAlignmentCheck($0.processor, $1.operation, false) }
  static let stac: Handler = { setAlignmentCheck($0.processor, $1.operation, true) }

  private static func setAlignmentCheck(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ isSet: Bool
  ) -> UnsafeRawPointer? {
    guard cpu.pointee.cpl == 0 else { return cpu.fault(op, .invalidOpcode) }
    if isSet {
      cpu.pointee.systemFlags |= Flag.alignmentCheck
    } else {
      cpu.pointee.systemFlags &= ~Flag.alignmentCheck
    }
    cpu.updateTranslations()
    return cpu.finished(op)
  }

  // MARK: Model-specific registers and time

  static let rdmsr: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      guard let value = cpu.readMSR(cpu.get(8)) else { return cpu.fault(op, .generalProtection) }
      cpu.rax = value & 0xFFFF_FFFF
      cpu.rdx = value >> 32
      return cpu.finished(op)
    }
  }

  static let wrmsr: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    return privileged(cpu, op) {
      let value = UInt64(cpu.get(0, as: UInt32.self)) | UInt64(cpu.get(16, as: UInt32.self)) << 32
      let number: UInt32 = cpu.get(8)
      guard cpu.writeMSR(number, value) else { return cpu.fault(op, .generalProtection) }
      if number == MSR.timeStampCounter || number == MSR.tscAdjust {
        cpu.pointee.owner._withUnsafeGuaranteedRef { $0.timeStampChanged() }
      }
      return cpu.finished(op)
    }
  }

  static let rdtsc: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard mayReadTime(cpu) else { return cpu.fault(op, .generalProtection) }
    putTime(cpu)
    return op.next
  }

  static let rdtscp: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard mayReadTime(cpu) else { return cpu.fault(op, .generalProtection) }
    putTime(cpu)
    cpu.rcx = cpu.pointee.msrs.tscAux & 0xFFFF_FFFF
    return op.next
  }

  /// There are no performance counters.
  static let rdpmc: Handler = { $0.processor.fault($1.operation, .generalProtection) }

  private static func mayReadTime(_ cpu: CPU) -> Bool {
    cpu.pointee.cpl == 0 || cpu.pointee.cr4 & ControlRegister4.timeStampDisable == 0
  }

  private static func putTime(_ cpu: CPU) {
    let time = cpu.timeStamp
    cpu.rax = time & 0xFFFF_FFFF
    cpu.rdx = time >> 32
  }

  static let cpuid: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let leaf = cpu.cpuid(cpu.get(0), cpu.get(8))
    cpu.rax = UInt64(leaf.eax)
    cpu.rbx = UInt64(leaf.ebx)
    cpu.rcx = UInt64(leaf.ecx)
    cpu.rdx = UInt64(leaf.edx)
    return cpu.finished(op)
  }

  static let xgetbv: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.cr4 & ControlRegister4.extendedStates != 0 else { return cpu.fault(op, .invalidOpcode) }
    guard cpu.get(8, as: UInt32.self) == 0 else { return cpu.fault(op, .generalProtection) }
    cpu.rax = cpu.pointee.xcr0 & 0xFFFF_FFFF
    cpu.rdx = cpu.pointee.xcr0 >> 32
    return op.next
  }

  /// XCR0 may hold x87 and SSE, which are the states there are.
  static let xsetbv: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.pointee.cr4 & ControlRegister4.extendedStates != 0 else { return cpu.fault(op, .invalidOpcode) }
    let value = UInt64(cpu.get(0, as: UInt32.self)) | UInt64(cpu.get(16, as: UInt32.self)) << 32
    guard cpu.pointee.cpl == 0, cpu.get(8, as: UInt32.self) == 0, value & 1 != 0, value & ~3 == 0 else {
      return cpu.fault(op, .generalProtection)
    }
    cpu.pointee.xcr0 = value
    return cpu.finished(op)
  }

  static let rdrand = Sizes(
    { random(UInt16.self, $0, $1) }, { random(UInt32.self, $0, $1) }, { random(UInt64.self, $0, $1) })
}

extension UnsafeMutablePointer<Processor> {
  /// The time stamp counter as the guest sees it.
  var timeStamp: UInt64 {
    pointee.owner._withUnsafeGuaranteedRef { $0.machineTimeStamp } &+ pointee.msrs.tscOffset
  }

  /// What CPUID answers, with what follows from the guest's own settings.
  func cpuid(_ function: UInt32, _ index: UInt32) -> CPUIDLeaf {
    var leaf = pointee.owner._withUnsafeGuaranteedRef { $0.cpuid[function, index] }
    if function == 1, pointee.cr4 & ControlRegister4.extendedStates != 0, leaf.ecx & 1 << 26 != 0 {
      leaf.ecx |= 1 << 27
    }
    if function == 1, !pointee.owner._withUnsafeGuaranteedRef({ $0.isLocalAPICEnabled }) {
      leaf.edx &= ~(1 << 9)
    }
    return leaf
  }
}
