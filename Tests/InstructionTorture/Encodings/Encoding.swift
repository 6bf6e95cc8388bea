// SPDX-License-Identifier: GPL-2.0-or-later

/// One line of the tables: an instruction's encoding and what a generator must know to make operands for it.
///
/// A line is the name, the encoding in the SDM's notation (volume 2, 3.1.1) and options:
/// - `66` `F2` `F3` first: a mandatory prefix; `NP`: none may be added. `W0` `W1`: REX.W so, otherwise as it falls.
///   `VEX:pp:map` with pp one of NP, 66, F3, F2: a VEX prefix, L0.
/// - `/r` `/0`...`/7`: ModRM; `+r`: a register in the opcode's low bits; `/C0`...: ModRM with this value.
/// - `ib` `iw` `iz` `iv` immediates, `cb` `cz` relative branch targets, `mo` an address as wide as addresses are.
/// - `m` `r`: memory or register form only. `lock`: LOCK is legal with a memory destination.
/// - `s=16`: bytes of the memory operand. `al`: which must be aligned by 16. `t=f32`: what is in it.
/// - `u=CPAZSO`: status flags left undefined. `d=name`: a rule for that, `k=name`: operands of a special kind.
/// - `cpu=name`: only where CPUID tells so. `i64`: invalid in 64-bit mode; `i32`: not made in compatibility mode.
public struct Encoding: Sendable {
  public enum ModRM: Sendable, Equatable {
    case none, register, digit(UInt8), fixed(UInt8), inOpcode
  }
  public enum Immediate: Sendable { case none, ib, iw, iz, iv, cb, cz, mo, iwib }
  public enum Data: Sendable { case integers, single, double, extended, bcd, packed, x87Environment, fxsave }
  /// How flags, registers or memory are left undefined, where that depends on operands.
  public enum Rule: String, Sendable {
    case none, shift, rotate, doubleShift, bitScan, byteSwap, x87, x87Approximate, x87Environment, fxsave
    case approximate, x87Compare, mmxTransition, pushSegment
  }
  /// Operands that must be made with care.
  public enum Kind: String, Sendable {
    case plain, bitString, divide, shift, string, stack, popFlags, popRegister, enter, leave, branch, jumpTo
    case returning, xlat, compareExchange, address, maskMove, popAll
  }

  public let name: String
  public private(set) var mandatoryPrefix: UInt8 = 0
  /// An operand-size prefix may be added.
  public private(set) var takesOperandSize = true
  /// REX.W: nil as it falls.
  public private(set) var w: Bool?
  /// pp and map of a VEX prefix.
  public private(set) var vex: (pp: UInt8, map: UInt8)?
  public private(set) var opcode: [UInt8] = []
  public private(set) var modRM = ModRM.none
  public private(set) var immediate = Immediate.none
  public private(set) var forms: (memory: Bool, register: Bool) = (true, true)
  public private(set) var canLock = false
  public private(set) var memorySize = 8
  public private(set) var isAligned = false
  public private(set) var data = Data.integers
  public private(set) var undefinedFlags: UInt64 = 0
  public private(set) var rule = Rule.none
  public private(set) var kind = Kind.plain
  public private(set) var feature = ""
  public private(set) var isInvalidIn64BitMode = false
  public private(set) var isOnlyIn64BitMode = false
  /// x87, MMX or SSE state matters.
  public private(set) var usesFX = false
  /// It is not an instruction: how many bytes of it are fetched before it faults is open.
  var isUndefined: Bool { name == "undefined" || name == "ud1" || isInvalidIn64BitMode }

  /// Reads a line of a table; a word it does not know is an error in the table.
  init(_ line: String, usesFX: Bool = false) {
    var words = line.split(separator: " ").map(String.init)
    name = words.removeFirst()
    self.usesFX = usesFX
    for word in words { read(word) }
    if usesFX || vex != nil || mandatoryPrefix == 0x66 { takesOperandSize = false }
  }

  private mutating func read(_ word: String) {
    if word.count == 2, let byte = UInt8(word, radix: 16), word == word.uppercased() {
      if opcode.isEmpty, vex == nil, [0x66, 0xF2, 0xF3].contains(byte), mandatoryPrefix == 0 {
        mandatoryPrefix = byte
      } else {
        opcode.append(byte)
      }
      return
    }
    if word.hasPrefix("/") {
      let rest = word.dropFirst()
      if rest == "r" {
        modRM = .register
      } else if rest.count == 1 {
        modRM = .digit(UInt8(rest, radix: 8)!)
      } else {
        modRM = .fixed(UInt8(rest, radix: 16)!)
      }
      return
    }
    if word.hasPrefix("VEX:") {
      let parts = word.split(separator: ":")
      vex = (["NP": 0, "66": 1, "F3": 2, "F2": 3][parts[1]]!, UInt8(parts[2])!)
      return
    }
    if let equals = word.firstIndex(of: "=") {
      readValue(String(word[..<equals]), String(word[word.index(after: equals)...]))
      return
    }
    switch word {
    case "NP": takesOperandSize = false
    case "W0": w = false
    case "W1": w = true
    case "+r": modRM = .inOpcode
    case "ib": immediate = .ib
    case "iw": immediate = .iw
    case "iz": immediate = .iz
    case "iv": immediate = .iv
    case "cb": immediate = .cb
    case "cz": immediate = .cz
    case "mo": immediate = .mo
    case "iwib": immediate = .iwib
    case "m": forms.register = false
    case "r": forms.memory = false
    case "lock": canLock = true
    case "al": isAligned = true
    case "i64": isInvalidIn64BitMode = true
    case "i32": isOnlyIn64BitMode = true
    default: preconditionFailure("\(name): \(word)?")
    }
  }

  private mutating func readValue(_ key: String, _ value: String) {
    switch key {
    case "s": memorySize = Int(value)!
    case "cpu": feature = value
    case "d": rule = Rule(rawValue: value)!
    case "k": kind = Kind(rawValue: value)!
    case "t":
      data =
        [
          "f32": .single, "f64": .double, "f80": .extended, "bcd": .bcd, "ps": .packed,
          "env": .x87Environment,
          "fxsave": .fxsave, "i": .integers,
        ][value]!
    case "u":
      for letter in value {
        undefinedFlags |= [
          "C": Flag.cf, "P": Flag.pf, "A": Flag.af, "Z": Flag.zf, "S": Flag.sf, "O": Flag.of,
        ][letter]!
      }
    default: preconditionFailure("\(name): \(key)=\(value)?")
    }
  }
}
