// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Whether SSE state may be used; #UD or #NM if not (SDM volume 3, table 14-1).
  func mayUseSSE() -> Bool {
    guard pointee.cr0 & ControlRegister0.emulation == 0, pointee.cr4 & ControlRegister4.saveSIMD != 0 else {
      return raise(.invalidOpcode)
    }
    return pointee.cr0 & ControlRegister0.taskSwitched == 0 ? true : raise(.deviceNotAvailable)
  }

  /// Whether XSAVE and its kin may be used.
  fileprivate func mayUseExtendedStates() -> Bool {
    guard pointee.cr4 & ControlRegister4.extendedStates != 0 else { return raise(.invalidOpcode) }
    return pointee.cr0 & ControlRegister0.taskSwitched == 0 ? true : raise(.deviceNotAvailable)
  }

  /// Whether FXSAVE and FXRSTOR may be used.
  fileprivate func mayUseLegacyStates() -> Bool {
    guard pointee.cr0 & (ControlRegister0.emulation | ControlRegister0.taskSwitched) == 0 else {
      return raise(.deviceNotAvailable)
    }
    return true
  }

  /// The bytes of MXCSR that may be set.
  static var mxcsrMask: UInt32 { 0xFFFF }

  /// Writes `count` bytes, a multiple of 8, that were seen to be writable.
  fileprivate func copyOut(_ bytes: UnsafeRawPointer, _ linear: UInt64, _ count: Int) -> Bool {
    for offset in Swift.stride(from: 0, to: count, by: 8) {
      guard store(linear &+ UInt64(offset), bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      else {
        return false
      }
    }
    return true
  }

  fileprivate func copyIn(_ linear: UInt64, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    for offset in Swift.stride(from: 0, to: count, by: 8) {
      guard let value = load(linear &+ UInt64(offset), as: UInt64.self) else { return false }
      bytes.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }
    return true
  }

  /// XMM registers in an FXSAVE image: eight outside 64-bit code.
  fileprivate var vectorByteCount: Int { pointee.mode.isLong ? 256 : 128 }
}

/// The handlers that save and restore x87 and SSE state (SDM volume 1, chapters 10 and 13).
enum FloatingPointStateHandlers {
  static let fxsave: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseLegacyStates(), let linear = cpu.address(op, count: 512, .write) else {
      return cpu.faulted(op)
    }
    guard linear & 15 == 0 else { return cpu.fault(op, .generalProtection) }
    return withScratch { image in
      // The last 96 bytes are software's, and stay.
      guard cpu.probeWrite(linear, 512), cpu.copyIn(linear, image, 512) else { return cpu.faulted(op) }
      cpu.storeLegacyFloatingPoint(to: image, wide: isWide(op))
      image.storeBytes(of: cpu.currentMXCSR, toByteOffset: 24, as: UInt32.self)
      image.storeBytes(of: CPU.mxcsrMask, toByteOffset: 28, as: UInt32.self)
      (image + 160).copyMemory(from: cpu.pointee.xmmRegisters, byteCount: cpu.vectorByteCount)
      return cpu.copyOut(image, linear, 416) ? op.next : cpu.faulted(op)
    }
  }

  static let fxrstor: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseLegacyStates(), let linear = cpu.address(op, count: 512, .read) else {
      return cpu.faulted(op)
    }
    guard linear & 15 == 0 else { return cpu.fault(op, .generalProtection) }
    return withScratch { image in
      guard cpu.copyIn(linear, image, 512) else { return cpu.faulted(op) }
      let mxcsr = image.load(fromByteOffset: 24, as: UInt32.self)
      guard mxcsr & ~CPU.mxcsrMask == 0 else { return cpu.fault(op, .generalProtection) }
      cpu.loadLegacyFloatingPoint(from: image, wide: isWide(op))
      cpu.currentMXCSR = mxcsr
      cpu.pointee.xmmRegisters.copyMemory(from: image + 160, byteCount: cpu.vectorByteCount)
      return op.next
    }
  }

  static let ldmxcsr: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseSSE(), let value = cpu.readRM(op, as: UInt32.self) else { return cpu.faulted(op) }
    guard value & ~CPU.mxcsrMask == 0 else { return cpu.fault(op, .generalProtection) }
    cpu.currentMXCSR = value
    return op.next
  }

  static let stmxcsr: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseSSE(), cpu.writeRM(op, cpu.currentMXCSR) else { return cpu.faulted(op) }
    return op.next
  }

  static let xsave: Handler = { save($0.processor, $1.operation) }
  /// What has not changed need not be saved, but may.
  static let xsaveopt: Handler = { save($0.processor, $1.operation) }

  private static func save(_ cpu: CPU, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    guard cpu.mayUseExtendedStates(), let linear = cpu.address(op, count: 576, .write) else {
      return cpu.faulted(op)
    }
    guard linear & 63 == 0 else { return cpu.fault(op, .generalProtection) }
    let wanted = (cpu.rax & 0xFFFF_FFFF | cpu.rdx << 32) & cpu.pointee.xcr0
    return withScratch { image in
      guard cpu.probeWrite(linear, 576), cpu.copyIn(linear, image, 576) else { return cpu.faulted(op) }
      if wanted & 1 != 0 {
        let (mxcsr, mask) = (
          image.load(fromByteOffset: 24, as: UInt32.self), image.load(fromByteOffset: 28, as: UInt32.self)
        )
        cpu.storeLegacyFloatingPoint(to: image, wide: isWide(op))
        image.storeBytes(of: mxcsr, toByteOffset: 24, as: UInt32.self)
        image.storeBytes(of: mask, toByteOffset: 28, as: UInt32.self)
      }
      if wanted & 2 != 0 {
        image.storeBytes(of: cpu.currentMXCSR, toByteOffset: 24, as: UInt32.self)
        image.storeBytes(of: CPU.mxcsrMask, toByteOffset: 28, as: UInt32.self)
        (image + 160).copyMemory(from: cpu.pointee.xmmRegisters, byteCount: cpu.vectorByteCount)
      }
      let states = image.load(fromByteOffset: 512, as: UInt64.self)
      image.storeBytes(of: states | wanted, toByteOffset: 512, as: UInt64.self)
      return cpu.copyOut(image, linear, 416) && cpu.store(linear &+ 512, states | wanted)
        ? op.next : cpu.faulted(op)
    }
  }

  static let xrstor: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard cpu.mayUseExtendedStates(), let linear = cpu.address(op, count: 576, .read) else {
      return cpu.faulted(op)
    }
    guard linear & 63 == 0 else { return cpu.fault(op, .generalProtection) }
    let wanted = (cpu.rax & 0xFFFF_FFFF | cpu.rdx << 32) & cpu.pointee.xcr0
    return withScratch { image in
      guard cpu.copyIn(linear, image, 576) else { return cpu.faulted(op) }
      let states = image.load(fromByteOffset: 512, as: UInt64.self)
      // The compacted format is not offered, and reserved bits are 0 (SDM volume 1, section 13.8).
      guard states & ~cpu.pointee.xcr0 == 0, image.load(fromByteOffset: 520, as: UInt64.self) == 0,
        image.load(fromByteOffset: 528, as: UInt64.self) == 0
      else { return cpu.fault(op, .generalProtection) }
      if wanted & 2 != 0 {
        let mxcsr = image.load(fromByteOffset: 24, as: UInt32.self)
        guard mxcsr & ~CPU.mxcsrMask == 0 else { return cpu.fault(op, .generalProtection) }
        cpu.currentMXCSR = mxcsr
        if states & 2 != 0 {
          cpu.pointee.xmmRegisters.copyMemory(from: image + 160, byteCount: cpu.vectorByteCount)
        } else {
          cpu.pointee.xmmRegisters.initializeMemory(as: UInt8.self, repeating: 0, count: cpu.vectorByteCount)
        }
      }
      if wanted & 1 != 0 {
        if states & 1 == 0 {
          image.initializeMemory(as: UInt8.self, repeating: 0, count: 160)
          image.storeBytes(of: 0x37F, as: UInt16.self)
        }
        cpu.loadLegacyFloatingPoint(from: image, wide: isWide(op))
      }
      return op.next
    }
  }

  /// The line's address must be readable; there is no cache.
  static let clflush: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let linear = cpu.address(op, count: 1, .read), cpu.load(linear, as: UInt8.self) != nil else {
      return cpu.faulted(op)
    }
    return op.next
  }

  static let fwait: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let both = ControlRegister0.monitorCoprocessor | ControlRegister0.taskSwitched
    if cpu.pointee.cr0 & both == both { return cpu.fault(op, .deviceNotAvailable) }
    return cpu.isX87Quiet ? op.next : cpu.faulted(op)
  }

  /// Whether REX.W makes pointers 64 bits wide.
  private static func isWide(_ op: UnsafePointer<Operation>) -> Bool {
    op.pointee.flags & Operation.operand64 != 0
  }

  /// Runs `body` with 576 bytes on the stack.
  @inline(__always)
  private static func withScratch(_ body: (UnsafeMutableRawPointer) -> UnsafeRawPointer?) -> UnsafeRawPointer?
  {
    withUnsafeTemporaryAllocation(byteCount: 576, alignment: 16) { buffer in
      buffer.baseAddress.flatMap(body)
    }
  }
}
