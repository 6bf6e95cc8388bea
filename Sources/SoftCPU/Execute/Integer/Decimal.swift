// SPDX-License-Identifier: GPL-2.0-or-later

/// The decimal adjustments, which 64-bit code does not have (SDM volume 2: DAA, DAS, AAA, AAS, AAM, AAD).
enum DecimalHandlers {
  static let daa: Handler = { adjustPacked($0.processor, $1.operation, subtract: false) }
  static let das: Handler = { adjustPacked($0.processor, $1.operation, subtract: true) }
  static let aaa: Handler = { adjustUnpacked($0.processor, $1.operation, subtract: false) }
  static let aas: Handler = { adjustUnpacked($0.processor, $1.operation, subtract: true) }

  static let aam: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let base = UInt8(op)
    guard base != 0 else { return cpu.fault(op, .divideError) }
    let value = cpu.get(0, as: UInt8.self)
    cpu.set(1, value / base)
    cpu.set(0, value % base)
    cpu.setLogicFlags(value % base)
    return op.next
  }

  static let aad: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    let value = cpu.get(0, as: UInt8.self) &+ cpu.get(1, as: UInt8.self) &* UInt8(op)
    cpu.set(0, UInt16(value))
    cpu.setLogicFlags(value)
    return op.next
  }

  private static func adjustPacked(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, subtract: Bool
  ) -> UnsafeRawPointer? {
    let old = cpu.get(0, as: UInt8.self)
    let (oldCarry, adjust) = (cpu.carryFlag, old & 15 > 9 || cpu.adjustFlag)
    var value = old
    var carry = false
    if adjust {
      carry = oldCarry || (subtract ? value < 6 : value > 0xF9)
      value = subtract ? value &- 6 : value &+ 6
    }
    if old > 0x99 || oldCarry {
      value = subtract ? value &- 0x60 : value &+ 0x60
      carry = true
    } else if !subtract {
      carry = false
    }
    cpu.set(0, value)
    cpu.setLogicFlags(value)
    cpu.arithmeticFlags =
      cpu.arithmeticFlags | (carry ? Flag.carry : 0) | (adjust ? Flag.adjust : 0)
    return op.next
  }

  private static func adjustUnpacked(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, subtract: Bool
  ) -> UnsafeRawPointer? {
    let value = cpu.get(0, as: UInt16.self)
    let adjust = value & 15 > 9 || cpu.adjustFlag
    let adjusted = adjust ? (subtract ? value &- 0x106 : value &+ 0x106) : value
    cpu.set(0, adjusted & 0xFF0F)
    cpu.setLogicFlags(UInt8(truncatingIfNeeded: adjusted & 15))
    cpu.arithmeticFlags = cpu.arithmeticFlags | (adjust ? Flag.carry | Flag.adjust : 0)
    return op.next
  }
}
