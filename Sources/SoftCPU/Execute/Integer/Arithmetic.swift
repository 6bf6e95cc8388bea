// SPDX-License-Identifier: GPL-2.0-or-later

/// What an arithmetic instruction makes of two operands, flags included.
protocol BinaryOperation {
  /// Whether the result is kept: not for CMP and TEST.
  static var isWritten: Bool { get }
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T
}

extension BinaryOperation {
  @inline(__always) static var isWritten: Bool { true }
}

/// The carries out of each bit of a sum.
@inline(__always)
func carries<T: Width>(_ left: T, _ right: T, sum: T) -> T { left & right | (left | right) & ~sum }

/// The borrows into each bit of a difference.
@inline(__always)
func borrows<T: Width>(_ left: T, _ right: T, difference: T) -> T {
  ~left & right | (~left | right) & difference
}

enum Add: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    let sum = left &+ right
    cpu.setFlags(result: sum, carries: carries(left, right, sum: sum))
    return sum
  }
}

enum AddWithCarry: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    let sum = left &+ right &+ (cpu.carryFlag ? 1 : 0)
    cpu.setFlags(result: sum, carries: carries(left, right, sum: sum))
    return sum
  }
}

enum Subtract: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    let difference = left &- right
    cpu.setFlags(result: difference, carries: borrows(left, right, difference: difference))
    return difference
  }
}

enum SubtractWithBorrow: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    let difference = left &- right &- (cpu.carryFlag ? 1 : 0)
    cpu.setFlags(result: difference, carries: borrows(left, right, difference: difference))
    return difference
  }
}

enum Compare: BinaryOperation {
  @inline(__always) static var isWritten: Bool { false }
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    Subtract.apply(cpu, left, right)
  }
}

enum And: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    cpu.setLogicFlags(left & right)
    return left & right
  }
}

enum Or: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    cpu.setLogicFlags(left | right)
    return left | right
  }
}

enum ExclusiveOr: BinaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    cpu.setLogicFlags(left ^ right)
    return left ^ right
  }
}

enum Test: BinaryOperation {
  @inline(__always) static var isWritten: Bool { false }
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ left: T, _ right: T) -> T {
    cpu.setLogicFlags(left & right)
    return left & right
  }
}

/// What an instruction makes of one operand.
protocol UnaryOperation {
  static func apply<T: Width>(_ cpu: CPU, _ value: T) -> T
}

enum Increment: UnaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T) -> T {
    let carry = cpu.carryFlag
    let sum = value &+ 1
    cpu.setFlags(result: sum, carries: carries(value, 1, sum: sum))
    cpu.setCarry(carry)
    return sum
  }
}

enum Decrement: UnaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T) -> T {
    let carry = cpu.carryFlag
    let difference = value &- 1
    cpu.setFlags(result: difference, carries: borrows(value, 1, difference: difference))
    cpu.setCarry(carry)
    return difference
  }
}

enum Negate: UnaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T) -> T { Subtract.apply(cpu, 0, value) }
}

enum Not: UnaryOperation {
  @inline(__always)
  static func apply<T: Width>(_ cpu: CPU, _ value: T) -> T { ~value }
}
