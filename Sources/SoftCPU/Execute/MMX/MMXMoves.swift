// SPDX-License-Identifier: GPL-2.0-or-later

/// Handlers of MMX instructions that move data to and from other registers and memory.
enum MMXMoves {
  /// MOVQ mm, mm/m64.
  static let load: Handler = { state, raw in state.processor.mmx(raw.operation) { _, b in b } }

  /// MOVQ mm/m64, mm, and MOVNTQ.
  static let store: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady() else { return cpu.faulted(operation) }
    let value = cpu.mm(operation.pointee.reg)
    if operation.isRegister {
      cpu.setMM(operation.pointee.rm, value)
    } else {
      guard let linear = cpu.address(operation, count: 8, .write), cpu.store(linear, value) else {
        return cpu.faulted(operation)
      }
    }
    cpu.enterMMX()
    return operation.next
  }

  /// MOVD mm, r/m32.
  static let loadDoubleword: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady(), let value = cpu.readRM(operation, as: UInt32.self) else {
      return cpu.faulted(operation)
    }
    cpu.enterMMX()
    cpu.setMM(operation.pointee.reg, UInt64(value))
    return operation.next
  }

  /// MOVQ mm, r/m64.
  static let loadQuadword: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady(), let value = cpu.readRM(operation, as: UInt64.self) else {
      return cpu.faulted(operation)
    }
    cpu.enterMMX()
    cpu.setMM(operation.pointee.reg, value)
    return operation.next
  }

  /// MOVD r/m32, mm.
  static let storeDoubleword: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady(),
      cpu.writeRM(operation, UInt32(truncatingIfNeeded: cpu.mm(operation.pointee.reg)))
    else { return cpu.faulted(operation) }
    cpu.enterMMX()
    return operation.next
  }

  /// MOVQ r/m64, mm.
  static let storeQuadword: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady(), cpu.writeRM(operation, cpu.mm(operation.pointee.reg)) else {
      return cpu.faulted(operation)
    }
    cpu.enterMMX()
    return operation.next
  }

  /// PINSRW mm, r32/m16, imm8.
  static let insertWord: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady(), let value = cpu.readRM(operation, as: UInt16.self) else {
      return cpu.faulted(operation)
    }
    cpu.enterMMX()
    let shift = (operation.pointee.immediate & 3) &* 16
    let rest = cpu.mm(operation.pointee.reg) & ~(0xFFFF &<< shift)
    cpu.setMM(operation.pointee.reg, rest | UInt64(value) &<< shift)
    return operation.next
  }

  /// PEXTRW r32, mm, imm8.
  static let extractWord: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady() else { return cpu.faulted(operation) }
    cpu.enterMMX()
    let word = cpu.mm(operation.pointee.rm) &>> ((operation.pointee.immediate & 3) &* 16) & 0xFFFF
    cpu.set(operation.pointee.reg, UInt32(truncatingIfNeeded: word))
    return operation.next
  }

  /// PMOVMSKB r32, mm.
  static let signMask: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady() else { return cpu.faulted(operation) }
    cpu.enterMMX()
    let bytes = PackedInteger.lanes(cpu.mm(operation.pointee.rm), as: SIMD8<UInt8>.self)
    cpu.set(operation.pointee.reg, PackedInteger.signMask(bytes))
    return operation.next
  }

  /// MASKMOVQ: stores the bytes of reg whose counterparts in rm have their bit 7 set at the address in rDI.
  /// Bytes that are not stored do not fault.
  static let storeMasked: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady() else { return cpu.faulted(operation) }
    let value = cpu.mm(operation.pointee.reg)
    let mask = cpu.mm(operation.pointee.rm) & 0x8080_8080_8080_8080
    if mask != 0 {
      let first = UInt64(mask.trailingZeroBitCount) &>> 3
      let end = 8 &- UInt64(mask.leadingZeroBitCount) &>> 3
      let shift = UInt64(operation.pointee.addressShift)
      let offset = (cpu.rdi &<< shift) &>> shift
      let segment = Int(operation.pointee.segment & ~Operation.checkedSegment)
      guard segment < 6,
        let linear = cpu.linear(segment, offset &+ first, count: Int(end &- first), .write),
        cpu.mayWrite(linear, Int(end &- first))
      else { return cpu.faulted(operation) }
      for byte in first..<end where mask &>> (byte &* 8 &+ 7) & 1 != 0 {
        guard cpu.store(linear &+ (byte &- first), UInt8(truncatingIfNeeded: value &>> (byte &* 8))) else {
          return cpu.faulted(operation)
        }
      }
    }
    cpu.enterMMX()
    return operation.next
  }

  /// EMMS.
  static let empty: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isMMXReady() else { return cpu.faulted(operation) }
    cpu.pointee.top = 0
    cpu.pointee.x87Valid = 0
    return operation.next
  }
}
