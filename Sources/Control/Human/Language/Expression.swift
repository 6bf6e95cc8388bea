// SPDX-License-Identifier: GPL-2.0-or-later

/// Evaluates QEMU's expressions: numbers as in C, characters, `$registers`, parentheses, and from loosest to tightest
/// `+ -`, then `& | ^`, then `* / %`, then the unary `+ - ~`. Everything is in 64 bits and wraps; division has a sign.
struct Expression {
  /// The value of a register; nil if there is none with that name.
  typealias Registers = (String) throws(HumanError) -> UInt64?

  /// Parentheses and signs inside each other: more would only cost stack.
  private static let deepest = 100

  private let registers: Registers
  private var depth = 0

  /// Evaluates what is next in a line.
  static func value(in line: inout LineReader, registers: Registers) throws(HumanError) -> UInt64 {
    try withoutActuallyEscaping(registers) { registers throws(HumanError) in
      var expression = Expression(registers: registers)
      line.skipSpaces()
      return try expression.sum(&line)
    }
  }

  private init(registers: @escaping Registers) { self.registers = registers }

  private mutating func sum(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    var value = try logic(&line)
    while let byte = line.next {
      switch byte {
      case UInt8(ascii: "+"):
        step(&line)
        value &+= try logic(&line)
      case UInt8(ascii: "-"):
        step(&line)
        value &-= try logic(&line)
      default: return value
      }
    }
    return value
  }

  private mutating func logic(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    var value = try product(&line)
    while let byte = line.next {
      switch byte {
      case UInt8(ascii: "&"):
        step(&line)
        value &= try product(&line)
      case UInt8(ascii: "|"):
        step(&line)
        value |= try product(&line)
      case UInt8(ascii: "^"):
        step(&line)
        value ^= try product(&line)
      default: return value
      }
    }
    return value
  }

  private mutating func product(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    var value = try unary(&line)
    while let byte = line.next {
      switch byte {
      case UInt8(ascii: "*"):
        step(&line)
        value &*= try unary(&line)
      case UInt8(ascii: "/"), UInt8(ascii: "%"):
        step(&line)
        let divisor = Int64(bitPattern: try unary(&line))
        guard divisor != 0 else { throw .usage("division by zero") }
        // The one quotient that does not fit wraps.
        let (quotient, remainder) = (
          Int64(bitPattern: value).dividedReportingOverflow(by: divisor).partialValue,
          Int64(bitPattern: value).remainderReportingOverflow(dividingBy: divisor).partialValue
        )
        value = UInt64(bitPattern: byte == UInt8(ascii: "/") ? quotient : remainder)
      default: return value
      }
    }
    return value
  }

  private mutating func unary(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw .usage("the expression is nested too deeply") }
    guard let byte = line.next else { throw .usage("unexpected end of expression") }
    switch byte {
    case UInt8(ascii: "+"):
      step(&line)
      return try unary(&line)
    case UInt8(ascii: "-"):
      step(&line)
      return 0 &- (try unary(&line))
    case UInt8(ascii: "~"):
      step(&line)
      return ~(try unary(&line))
    case UInt8(ascii: "("):
      step(&line)
      let value = try sum(&line)
      guard line.skip(")") else { throw .usage("')' expected") }
      line.skipSpaces()
      return value
    case UInt8(ascii: "'"): return try character(&line)
    case UInt8(ascii: "$"): return try register(&line)
    default: return try number(&line)
    }
  }

  private func step(_ line: inout LineReader) {
    line.advance()
    line.skipSpaces()
  }

  private func character(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    line.advance()
    guard let byte = line.next else { throw .usage("character constant expected") }
    line.advance()
    guard line.skip("'") else { throw .usage("missing terminating ' character") }
    line.skipSpaces()
    return UInt64(byte)
  }

  private func register(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    line.advance()
    let name = line.take { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"):
        true
      default: false
      }
    }
    guard let value = try registers(name) else { throw .usage("unknown register") }
    line.skipSpaces()
    return value
  }

  /// A number as in C: decimal, hexadecimal after "0x", octal after "0".
  private func number(_ line: inout LineReader) throws(HumanError) -> UInt64 {
    let first = line.next ?? 0
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      throw .usage("invalid char '\(LineReader.shown(first))' in expression")
    }
    var radix: UInt64 = 10
    if first == UInt8(ascii: "0") {
      radix = 8
      if let x = line.peek(1), x | 0x20 == UInt8(ascii: "x"), let digit = line.peek(2),
        Self.digit(digit, radix: 16) != nil
      {
        radix = 16
        line.advance()
        line.advance()
      }
    }
    var value: UInt64 = 0
    while let byte = line.next, let digit = Self.digit(byte, radix: radix) {
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard !overflow, !carry else { throw .usage("number too large") }
      value = sum
      line.advance()
    }
    line.skipSpaces()
    return value
  }

  private static func digit(_ byte: UInt8, radix: UInt64) -> UInt64? {
    let value: UInt64
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): value = UInt64(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): value = UInt64(byte - UInt8(ascii: "A")) + 10
    default: return nil
    }
    return value < radix ? value : nil
  }
}
