// SPDX-License-Identifier: GPL-2.0-or-later

import Synchronization

@testable import SoftCPU

/// A processor in 64-bit code without a machine: its memory are the two pages of ``memory``, at the linear
/// addresses where the host has them. Nothing may miss its TLB.
final class BareProcessor {
  let cpu: CPU
  let memory = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
  private let vectors = UnsafeMutableRawPointer.allocate(byteCount: 256 + 128, alignment: 64)
  private let tlb = UnsafeMutablePointer<TLBEntry>.allocate(capacity: TLB.entryCount)
  private let jumpCache = UnsafeMutablePointer<JumpCacheEntry>.allocate(capacity: 1)
  private let attention = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)

  init() {
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 8192)
    vectors.initializeMemory(as: UInt8.self, repeating: 0, count: 256 + 128)
    tlb.initialize(repeating: TLBEntry(), count: TLB.entryCount)
    jumpCache.initialize(to: JumpCacheEntry())
    attention.initialize(to: Atomic(0))
    cpu = .allocate(capacity: 1)
    // Owner and machine are never looked at.
    cpu.initialize(
      to: Processor(
        owner: .fromOpaque(memory), machine: .fromOpaque(memory), tlb: tlb, jumpCache: jumpCache,
        attention: attention, vectors: vectors))
    for page in 0..<2 {
      let linear = UInt64(UInt(bitPattern: memory)) + UInt64(page) * 4096
      var entry = TLBEntry()
      (entry.readTag, entry.writeTag, entry.page) = (linear, linear, linear)
      tlb[Int(linear >> 12 & TLB.indexMask)] = entry
    }
    cpu.pointee.mode.bits = ExecutionMode.long | ExecutionMode.protected | ExecutionMode.longActive
    cpu.pointee.efer = ExtendedFeature.longModeActive
    cpu.pointee.cr0 = ControlRegister0.protection | ControlRegister0.numericError
    cpu.pointee.segments[1].selector = 0x33
  }

  deinit {
    cpu.deallocate()
    attention.deallocate()
    jumpCache.deallocate()
    tlb.deallocate()
    vectors.deallocate()
    memory.deallocate()
  }

  func linear(_ offset: Int) -> UInt64 { UInt64(UInt(bitPattern: memory)) + UInt64(offset) }

  /// Executes one operation.
  /// - Returns: the exception it raised, if any.
  func execute(_ operation: Operation) -> UInt8? {
    cpu.pointee.exceptionVector = 0xFF
    _ = withUnsafePointer(to: operation) { $0.pointee.handler(cpu, $0) }
    return cpu.pointee.exceptionVector == 0xFF ? nil : cpu.pointee.exceptionVector
  }

  /// An x87 instruction, its memory operand, if it has one, at [RSI].
  func x87(_ opcode: UInt8, _ modRM: UInt8) -> Operation {
    var operation = Operation(handler: Decoder.x87Handler(opcode: opcode, modRM: modRM))
    operation.detail = modRM
    operation.immediate = UInt64(opcode & 7) << 8 | UInt64(modRM)
    if modRM < 0xC0 { operation.base = 6 * 8 } else { operation.flags = Operation.isRegister }
    return operation
  }
}
