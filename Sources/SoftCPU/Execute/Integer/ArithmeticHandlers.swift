// SPDX-License-Identifier: GPL-2.0-or-later

/// The handlers of the arithmetic instructions. Each is written out because a C function pointer cannot be
/// made in a generic context.
enum ArithmeticHandlers {
  static let add = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(Add.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(Add.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(Add.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(Add.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(Add.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(Add.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(Add.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(Add.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(Add.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(Add.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(Add.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(Add.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(Add.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(Add.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(Add.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(Add.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(Add.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(Add.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(Add.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(Add.self, UInt64.self, $0, $1) }))

  static let or = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(Or.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(Or.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(Or.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(Or.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(Or.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(Or.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(Or.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(Or.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(Or.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(Or.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(Or.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(Or.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(Or.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(Or.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(Or.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(Or.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(Or.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(Or.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(Or.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(Or.self, UInt64.self, $0, $1) }))

  static let adc = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(AddWithCarry.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(AddWithCarry.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(AddWithCarry.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(AddWithCarry.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(AddWithCarry.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(AddWithCarry.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(AddWithCarry.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(AddWithCarry.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(AddWithCarry.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(AddWithCarry.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(AddWithCarry.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(AddWithCarry.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(AddWithCarry.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(AddWithCarry.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(AddWithCarry.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(AddWithCarry.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(AddWithCarry.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(AddWithCarry.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(AddWithCarry.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(AddWithCarry.self, UInt64.self, $0, $1) }))

  static let sbb = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(SubtractWithBorrow.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(SubtractWithBorrow.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(SubtractWithBorrow.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(SubtractWithBorrow.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(SubtractWithBorrow.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(SubtractWithBorrow.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(SubtractWithBorrow.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(SubtractWithBorrow.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(SubtractWithBorrow.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(SubtractWithBorrow.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(SubtractWithBorrow.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(SubtractWithBorrow.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(SubtractWithBorrow.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(SubtractWithBorrow.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(SubtractWithBorrow.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(SubtractWithBorrow.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(SubtractWithBorrow.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(SubtractWithBorrow.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(SubtractWithBorrow.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(SubtractWithBorrow.self, UInt64.self, $0, $1) }))

  static let and = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(And.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(And.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(And.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(And.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(And.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(And.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(And.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(And.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(And.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(And.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(And.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(And.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(And.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(And.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(And.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(And.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(And.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(And.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(And.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(And.self, UInt64.self, $0, $1) }))

  static let sub = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(Subtract.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(Subtract.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(Subtract.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(Subtract.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(Subtract.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(Subtract.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(Subtract.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(Subtract.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(Subtract.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(Subtract.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(Subtract.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(Subtract.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(Subtract.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(Subtract.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(Subtract.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(Subtract.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(Subtract.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(Subtract.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(Subtract.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(Subtract.self, UInt64.self, $0, $1) }))

  static let xor = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(ExclusiveOr.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(ExclusiveOr.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(ExclusiveOr.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(ExclusiveOr.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(ExclusiveOr.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(ExclusiveOr.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(ExclusiveOr.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(ExclusiveOr.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(ExclusiveOr.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(ExclusiveOr.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(ExclusiveOr.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(ExclusiveOr.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(ExclusiveOr.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(ExclusiveOr.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(ExclusiveOr.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(ExclusiveOr.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(ExclusiveOr.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(ExclusiveOr.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(ExclusiveOr.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(ExclusiveOr.self, UInt64.self, $0, $1) }))

  static let cmp = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(Compare.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(Compare.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(Compare.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(Compare.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(Compare.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(Compare.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(Compare.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(Compare.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(Compare.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(Compare.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(Compare.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(Compare.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(Compare.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(Compare.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(Compare.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(Compare.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(Compare.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(Compare.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(Compare.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(Compare.self, UInt64.self, $0, $1) }))

  static let test = BinaryForms(
    registerRegister: Sizes(
      { binaryRegisterRegister(Test.self, UInt8.self, $0, $1) },
      { binaryRegisterRegister(Test.self, UInt16.self, $0, $1) },
      { binaryRegisterRegister(Test.self, UInt32.self, $0, $1) },
      { binaryRegisterRegister(Test.self, UInt64.self, $0, $1) }),
    registerMemory: Sizes(
      { binaryRegisterMemory(Test.self, UInt8.self, $0, $1) },
      { binaryRegisterMemory(Test.self, UInt16.self, $0, $1) },
      { binaryRegisterMemory(Test.self, UInt32.self, $0, $1) },
      { binaryRegisterMemory(Test.self, UInt64.self, $0, $1) }),
    memoryRegister: Sizes(
      { binaryMemoryRegister(Test.self, UInt8.self, $0, $1) },
      { binaryMemoryRegister(Test.self, UInt16.self, $0, $1) },
      { binaryMemoryRegister(Test.self, UInt32.self, $0, $1) },
      { binaryMemoryRegister(Test.self, UInt64.self, $0, $1) }),
    registerImmediate: Sizes(
      { binaryRegisterImmediate(Test.self, UInt8.self, $0, $1) },
      { binaryRegisterImmediate(Test.self, UInt16.self, $0, $1) },
      { binaryRegisterImmediate(Test.self, UInt32.self, $0, $1) },
      { binaryRegisterImmediate(Test.self, UInt64.self, $0, $1) }),
    memoryImmediate: Sizes(
      { binaryMemoryImmediate(Test.self, UInt8.self, $0, $1) },
      { binaryMemoryImmediate(Test.self, UInt16.self, $0, $1) },
      { binaryMemoryImmediate(Test.self, UInt32.self, $0, $1) },
      { binaryMemoryImmediate(Test.self, UInt64.self, $0, $1) }))

  /// By the opcode's bits 3 … 5, and by ModRM.reg in group 1.
  static let group1 = [add, or, adc, sbb, and, sub, xor, cmp]

  static let inc = UnaryForms(
    register: Sizes(
      { unaryRegister(Increment.self, UInt8.self, $0, $1) },
      { unaryRegister(Increment.self, UInt16.self, $0, $1) },
      { unaryRegister(Increment.self, UInt32.self, $0, $1) },
      { unaryRegister(Increment.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { unaryMemory(Increment.self, UInt8.self, $0, $1) },
      { unaryMemory(Increment.self, UInt16.self, $0, $1) },
      { unaryMemory(Increment.self, UInt32.self, $0, $1) },
      { unaryMemory(Increment.self, UInt64.self, $0, $1) }))

  static let dec = UnaryForms(
    register: Sizes(
      { unaryRegister(Decrement.self, UInt8.self, $0, $1) },
      { unaryRegister(Decrement.self, UInt16.self, $0, $1) },
      { unaryRegister(Decrement.self, UInt32.self, $0, $1) },
      { unaryRegister(Decrement.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { unaryMemory(Decrement.self, UInt8.self, $0, $1) },
      { unaryMemory(Decrement.self, UInt16.self, $0, $1) },
      { unaryMemory(Decrement.self, UInt32.self, $0, $1) },
      { unaryMemory(Decrement.self, UInt64.self, $0, $1) }))

  static let neg = UnaryForms(
    register: Sizes(
      { unaryRegister(Negate.self, UInt8.self, $0, $1) },
      { unaryRegister(Negate.self, UInt16.self, $0, $1) },
      { unaryRegister(Negate.self, UInt32.self, $0, $1) },
      { unaryRegister(Negate.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { unaryMemory(Negate.self, UInt8.self, $0, $1) },
      { unaryMemory(Negate.self, UInt16.self, $0, $1) },
      { unaryMemory(Negate.self, UInt32.self, $0, $1) },
      { unaryMemory(Negate.self, UInt64.self, $0, $1) }))

  static let not = UnaryForms(
    register: Sizes(
      { unaryRegister(Not.self, UInt8.self, $0, $1) },
      { unaryRegister(Not.self, UInt16.self, $0, $1) },
      { unaryRegister(Not.self, UInt32.self, $0, $1) },
      { unaryRegister(Not.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { unaryMemory(Not.self, UInt8.self, $0, $1) },
      { unaryMemory(Not.self, UInt16.self, $0, $1) },
      { unaryMemory(Not.self, UInt32.self, $0, $1) },
      { unaryMemory(Not.self, UInt64.self, $0, $1) }))
}
