// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Whether a condition holds: the low four bits of Jcc, SETcc and CMOVcc (SDM volume 1, appendix B).
  @inline(__always)
  func condition(_ code: UInt8) -> Bool {
    let holds =
      switch code &>> 1 & 7 {
      case 0: overflowFlag
      case 1: carryFlag
      case 2: zeroFlag
      case 3: carryFlag || zeroFlag
      case 4: signFlag
      case 5: parityFlag
      case 6: signFlag != overflowFlag
      default: zeroFlag || signFlag != overflowFlag
      }
    return holds != (code & 1 != 0)
  }
}

@inline(__always)
func jumpIf(_ code: UInt8, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer) -> UnsafeRawPointer? {
  state.processor.condition(code) ? state.processor.branch(raw.operation) : raw.operation.next
}

@inline(__always)
func setIf(_ code: UInt8, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  return cpu.writeRM(op, (cpu.condition(code) ? 1 : 0) as UInt8) ? op.next : cpu.faulted(op)
}

/// CMOVcc: memory is read, and a 32-bit register's upper half cleared, whatever the condition.
@inline(__always)
func moveIf<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let value = cpu.readRM(op, as: T.self) else { return cpu.faulted(op) }
  cpu.set(op.pointee.reg, cpu.condition(op.pointee.detail) ? value : cpu.get(op.pointee.reg))
  return op.next
}

/// The handlers of the conditional instructions.
enum ConditionHandlers {
  static let jump: [Handler] = [
    { jumpIf(0, $0, $1) },
    { jumpIf(1, $0, $1) },
    { jumpIf(2, $0, $1) },
    { jumpIf(3, $0, $1) },
    { jumpIf(4, $0, $1) },
    { jumpIf(5, $0, $1) },
    { jumpIf(6, $0, $1) },
    { jumpIf(7, $0, $1) },
    { jumpIf(8, $0, $1) },
    { jumpIf(9, $0, $1) },
    { jumpIf(10, $0, $1) },
    { jumpIf(11, $0, $1) },
    { jumpIf(12, $0, $1) },
    { jumpIf(13, $0, $1) },
    { jumpIf(14, $0, $1) },
    { jumpIf(15, $0, $1) },
  ]
  static let set: [Handler] = [
    { setIf(0, $0, $1) },
    { setIf(1, $0, $1) },
    { setIf(2, $0, $1) },
    { setIf(3, $0, $1) },
    { setIf(4, $0, $1) },
    { setIf(5, $0, $1) },
    { setIf(6, $0, $1) },
    { setIf(7, $0, $1) },
    { setIf(8, $0, $1) },
    { setIf(9, $0, $1) },
    { setIf(10, $0, $1) },
    { setIf(11, $0, $1) },
    { setIf(12, $0, $1) },
    { setIf(13, $0, $1) },
    { setIf(14, $0, $1) },
    { setIf(15, $0, $1) },
  ]
  /// The condition is in ``Operation/detail``.
  static let move = Sizes(
    { moveIf(UInt16.self, $0, $1) }, { moveIf(UInt32.self, $0, $1) }, { moveIf(UInt64.self, $0, $1) })
}
