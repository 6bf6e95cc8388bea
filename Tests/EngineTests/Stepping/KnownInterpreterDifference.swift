// SPDX-License-Identifier: GPL-2.0-or-later

/// Where KVM's interpreter is known not to do what processors do.
struct KnownInterpreterDifference: Sendable {
  /// The instruction, and what differs: the beginning of the list of registers.
  let name: String
  let what: String
  let modes: [StreamMode]
  let reason: String

  func explains(_ difference: String, _ mode: StreamMode) -> Bool {
    difference.hasPrefix(name + ": " + what) && modes.contains(mode)
  }

  private init(_ name: String, _ what: String, in modes: [StreamMode] = StreamMode.allCases, _ reason: String)
  {
    (self.name, self.what, self.modes, self.reason) = (name, what, modes, reason)
  }

  static let all = [
    KnownInterpreterDifference("AAD", "RFLAGS", "SF comes of AX's sign instead of AL's"),
    KnownInterpreterDifference("AAM", "RFLAGS", "SF comes of AX's sign instead of AL's"),
    KnownInterpreterDifference(
      "INT", "R", in: [.real],
      "with an operand size prefix it pushes doublewords, which interrupts never do there"),
    KnownInterpreterDifference(
      "INT3", "R", in: [.real],
      "with an operand size prefix it pushes doublewords, which interrupts never do there"),
    KnownInterpreterDifference(
      "INTO", "R", in: [.real],
      "with an operand size prefix it pushes doublewords, which interrupts never do there"),
    KnownInterpreterDifference(
      "ENTER", "RSP", "it pushes as many bytes as the stack's size has, whatever the operand size is"),
    KnownInterpreterDifference(
      "CMPXCHG", "R", in: [.long],
      "of a register that is not equal it clears the upper half, which processors leave with the rest"),
    KnownInterpreterDifference(
      "string", "RFLAGS", "a fault leaves the flags of the repetition's beginning, or of some element"),
    KnownInterpreterDifference(
      "MOV to CR", "RSP, RIP", in: [.real, .protected16, .protected32], "it refuses paging outside long mode"),
    KnownInterpreterDifference(
      "MOV to CR", "RSP, RIP, CS limit, CR0", in: [.long], "it takes bits 32 … 63 of CR0, which are reserved"),
    KnownInterpreterDifference(
      "STR", "memory", in: [.long], "it writes as many bytes as the operand size has, not a word"),
    KnownInterpreterDifference(
      "SLDT", "memory", in: [.long], "it writes as many bytes as the operand size has, not a word"),
    KnownInterpreterDifference(
      "MOV from sreg", "", in: [.long],
      "it takes REX.R for a bit of the segment register's number, and so raises #UD"),
    KnownInterpreterDifference(
      "MOV sreg", "", in: [.long],
      "it takes REX.R for a bit of the segment register's number, and so raises #UD"),
    KnownInterpreterDifference(
      "POP sreg", "RSP, RIP", in: [.real, .protected16, .protected32],
      "of a doubleword it reads the lower half, and does not see that the upper is outside of the stack"),
    KnownInterpreterDifference(
      "LSS", "SS limit", in: [.long], "it gives a null SS the limit that was there before"),
    KnownInterpreterDifference(
      "far CALL", "memory", "it pushes before it looks at the target, below a stack pointer that stays"),
  ]
}
