// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// FLDENV, FNSTENV, FRSTOR, FNSAVE: the environment in memory has one of four formats (SDM volume 1, section
/// 8.1.10), the registers follow it without gaps.
extension UnsafeMutablePointer<Processor> {
  /// Whether the operand size is not 16 bits.
  private func isWide(_ operation: UnsafePointer<Operation>) -> Bool {
    let hasPrefix = operation.pointee.flags & Operation.operand16 != 0
    return pointee.mode.isLong ? !hasPrefix : pointee.mode.isCode32 != hasPrefix
  }

  /// The environment has linear addresses instead of selectors and offsets.
  private var hasLinearFormat: Bool { !pointee.mode.isProtected || pointee.mode.isVirtual8086 }

  private func environmentSize(_ operation: UnsafePointer<Operation>) -> Int { isWide(operation) ? 28 : 14 }

  /// The seven fields of the environment.
  private func environment(wide: Bool) -> InlineArray<7, UInt32> {
    let reserved: UInt32 = 0xFFFF_0000
    let control = reserved | UInt32(pointee.fcw)
    let status = reserved | UInt32(statusWord)
    let tags = reserved | UInt32(tagWord)
    if hasLinearFormat {
      let instruction = UInt32(truncatingIfNeeded: pointee.fip &+ UInt64(pointee.fcs) &<< 4)
      let data = UInt32(truncatingIfNeeded: pointee.fdp &+ UInt64(pointee.fds) &<< 4)
      let high: UInt32 = wide ? 0xFFFF : 0xF
      return [
        control, status, tags, reserved | instruction & 0xFFFF,
        (instruction >> 16 & high) &<< 12 | UInt32(pointee.fop), reserved | data & 0xFFFF,
        (data >> 16 & high) &<< 12,
      ]
    }
    return [
      control, status, tags, UInt32(truncatingIfNeeded: pointee.fip),
      UInt32(pointee.fop) &<< 16 | UInt32(pointee.fcs), UInt32(truncatingIfNeeded: pointee.fdp),
      reserved | UInt32(pointee.fds),
    ]
  }

  private func setEnvironment(_ fields: InlineArray<7, UInt32>, wide: Bool) {
    controlWord = UInt16(truncatingIfNeeded: fields[0])
    statusWord = UInt16(truncatingIfNeeded: fields[1])
    tagWord = UInt16(truncatingIfNeeded: fields[2])
    if hasLinearFormat {
      let high: UInt32 = wide ? 0xFFFF_0000 : 0xF_0000
      pointee.fip = UInt64(fields[3] & 0xFFFF | fields[4] &<< 4 & high)
      pointee.fdp = UInt64(fields[5] & 0xFFFF | fields[6] &<< 4 & high)
      (pointee.fcs, pointee.fds) = (0, 0)
      pointee.fop = UInt16(truncatingIfNeeded: fields[4]) & 0x7FF
    } else {
      pointee.fip = UInt64(fields[3])
      pointee.fcs = UInt16(truncatingIfNeeded: fields[4])
      pointee.fdp = UInt64(fields[5])
      pointee.fds = UInt16(truncatingIfNeeded: fields[6])
      if wide { pointee.fop = UInt16(truncatingIfNeeded: fields[4] >> 16) & 0x7FF }
    }
  }

  /// Writes the environment to memory that has been probed.
  private func storeEnvironment(_ linear: UInt64, wide: Bool) -> Bool {
    let fields = environment(wide: wide)
    for index in fields.indices {
      let field = fields[index]
      let isStored =
        wide
        ? store(linear &+ UInt64(index) &* 4, field)
        : store(linear &+ UInt64(index) &* 2, UInt16(truncatingIfNeeded: field))
      guard isStored else { return false }
    }
    return true
  }

  private func loadEnvironment(_ linear: UInt64, wide: Bool) -> InlineArray<7, UInt32>? {
    var fields = InlineArray<7, UInt32>(repeating: 0)
    for index in fields.indices {
      let field =
        wide
        ? load(linear &+ UInt64(index) &* 4, as: UInt32.self)
        : load(linear &+ UInt64(index) &* 2, as: UInt16.self).map { UInt32($0) }
      guard let field else { return nil }
      fields[index] = field
    }
    return fields
  }

  /// FNSTENV, which then masks all exceptions, and FNSAVE, which then initializes.
  func x87StoreEnvironment(
    _ operation: UnsafePointer<Operation>, registers: Bool
  ) -> UnsafeRawPointer? {
    let size = environmentSize(operation)
    let count = registers ? size + 80 : size
    guard isX87Ready(waiting: false), let linear = address(operation, count: count, .write),
      mayWrite(linear, count), storeEnvironment(linear, wide: isWide(operation))
    else { return faulted(operation) }
    if !registers {
      pointee.fcw |= ControlWord.masks
      summarizeExceptions()
      return operation.next
    }
    for index in UInt8(0)..<8 {
      let (number, place) = (st(index).pointee, linear &+ UInt64(size) &+ UInt64(index) &* 10)
      guard store(place, number.significand), store(place &+ 8, number.exponent) else {
        return faulted(operation)
      }
    }
    initializeX87()
    return operation.next
  }

  /// FLDENV and FRSTOR.
  func x87LoadEnvironment(_ operation: UnsafePointer<Operation>, registers: Bool) -> UnsafeRawPointer? {
    let size = environmentSize(operation)
    guard isX87Ready(), let linear = address(operation, count: registers ? size + 80 : size, .read),
      let fields = loadEnvironment(linear, wide: isWide(operation))
    else { return faulted(operation) }
    if registers {
      var numbers = InlineArray<8, martlet_x87_number>(
        repeating: martlet_x87_number(significand: 0, exponent: 0))
      for index in numbers.indices {
        let place = linear &+ UInt64(size) &+ UInt64(index) &* 10
        guard let significand = load(place, as: UInt64.self),
          let exponent = load(place &+ 8, as: UInt16.self)
        else { return faulted(operation) }
        numbers[index] = martlet_x87_number(significand: significand, exponent: exponent)
      }
      setEnvironment(fields, wide: isWide(operation))
      for index in numbers.indices { st(UInt8(index)).pointee = numbers[index] }
    } else {
      setEnvironment(fields, wide: isWide(operation))
    }
    return operation.next
  }
}

/// Handlers of the instructions on environments.
enum X87Environment {
  static let load: Handler = { state, raw in
    state.processor.x87LoadEnvironment(raw.operation, registers: false)
  }
  static let store: Handler = { state, raw in
    state.processor.x87StoreEnvironment(raw.operation, registers: false)
  }
  static let restore: Handler = { state, raw in
    state.processor.x87LoadEnvironment(raw.operation, registers: true)
  }
  static let save: Handler = { state, raw in
    state.processor.x87StoreEnvironment(raw.operation, registers: true)
  }
}
