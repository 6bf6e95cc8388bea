// SPDX-License-Identifier: GPL-2.0-or-later

/// One handler for each operand size.
struct Sizes {
  let byte: Handler
  let word: Handler
  let dword: Handler
  let qword: Handler

  init(_ byte: Handler, _ word: Handler, _ dword: Handler, _ qword: Handler) {
    (self.byte, self.word, self.dword, self.qword) = (byte, word, dword, qword)
  }

  /// For instructions with no byte form.
  init(_ word: Handler, _ dword: Handler, _ qword: Handler) { self.init(word, word, dword, qword) }

  /// The handler for an operand of 1, 2, 4 or 8 bytes.
  subscript(_ size: OperandSize) -> Handler {
    switch size {
    case .byte: byte
    case .word: word
    case .dword: dword
    case .qword: qword
    }
  }
}

/// The size of an instruction's operands.
enum OperandSize: UInt8 {
  case byte
  case word
  case dword
  case qword
}

/// The handlers of a two-operand instruction. With two registers the destination is ``Operation/rm``.
struct BinaryForms {
  let registerRegister: Sizes
  let registerMemory: Sizes
  let memoryRegister: Sizes
  let registerImmediate: Sizes
  let memoryImmediate: Sizes
}

/// The handlers of a one-operand instruction.
struct UnaryForms {
  let register: Sizes
  let memory: Sizes
}

// MARK: Operand forms

@inline(__always)
func binaryRegisterRegister<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let result = O.apply(cpu, cpu.get(op.pointee.rm, as: T.self), cpu.get(op.pointee.reg))
  if O.isWritten { cpu.set(op.pointee.rm, result) }
  return op.next
}

@inline(__always)
func binaryRegisterImmediate<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let result = O.apply(cpu, cpu.get(op.pointee.rm, as: T.self), T(op))
  if O.isWritten { cpu.set(op.pointee.rm, result) }
  return op.next
}

@inline(__always)
func binaryRegisterMemory<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount, .read), let value = cpu.load(linear, as: T.self)
  else {
    return cpu.faulted(op)
  }
  let result = O.apply(cpu, cpu.get(op.pointee.reg, as: T.self), value)
  if O.isWritten { cpu.set(op.pointee.reg, result) }
  return op.next
}

@inline(__always)
func binaryMemory<O: BinaryOperation, T: Width>(
  _: O.Type, _ cpu: CPU, _ op: UnsafePointer<Operation>, _ right: T
) -> UnsafeRawPointer? {
  if O.isWritten {
    guard let linear = cpu.address(op, count: T.byteCount, .write),
      cpu.modify(linear, as: T.self, { O.apply(cpu, $0, right) })
    else { return cpu.faulted(op) }
  } else {
    guard let linear = cpu.address(op, count: T.byteCount, .read), let left = cpu.load(linear, as: T.self)
    else {
      return cpu.faulted(op)
    }
    _ = O.apply(cpu, left, right)
  }
  return op.next
}

@inline(__always)
func binaryMemoryRegister<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  binaryMemory(
    O.self, state.processor, raw.operation, state.processor.get(raw.operation.pointee.reg, as: T.self))
}

@inline(__always)
func binaryMemoryImmediate<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  binaryMemory(O.self, state.processor, raw.operation, T(raw.operation))
}

@inline(__always)
func unaryRegister<O: UnaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  cpu.set(op.pointee.rm, O.apply(cpu, cpu.get(op.pointee.rm, as: T.self)))
  return op.next
}

@inline(__always)
func unaryMemory<O: UnaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: T.byteCount, .write),
    cpu.modify(linear, as: T.self, { O.apply(cpu, $0) })
  else { return cpu.faulted(op) }
  return op.next
}

extension UnsafeMutablePointer<Processor> {
  /// The operand that ModRM.rm names, register or memory.
  @inline(__always)
  func readRM<T: Width>(_ op: UnsafePointer<Operation>, as type: T.Type = T.self) -> T? {
    if op.isRegister { return get(op.pointee.rm) }
    guard let linear = address(op, count: T.byteCount, .read) else { return nil }
    return load(linear)
  }

  /// Replaces the operand that ModRM.rm names.
  @inline(__always)
  func writeRM<T: Width>(_ op: UnsafePointer<Operation>, _ value: T) -> Bool {
    if op.isRegister {
      set(op.pointee.rm, value)
      return true
    }
    guard let linear = address(op, count: T.byteCount, .write) else { return false }
    return store(linear, value)
  }

  /// Replaces the operand that ModRM.rm names by what `body` makes of it; all faults come before `body`.
  @inline(__always)
  func modifyRM<T: Width>(_ op: UnsafePointer<Operation>, as type: T.Type = T.self, _ body: (T) -> T) -> Bool
  {
    if op.isRegister {
      set(op.pointee.rm, body(get(op.pointee.rm)))
      return true
    }
    guard let linear = address(op, count: T.byteCount, .write) else { return false }
    return modify(linear, body)
  }
}
