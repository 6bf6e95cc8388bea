// SPDX-License-Identifier: GPL-2.0-or-later

/// What a person at the terminal asks of the emulator itself, with Ctrl-A and a letter.
public enum ConsoleEscape: Equatable, Sendable {
  /// Ctrl-A x: end the emulator.
  case quit
  /// Ctrl-A c: go from the serial line to the monitor and back.
  case switchConsole
  /// Ctrl-A b: send a break to the guest.
  case sendBreak
  /// Ctrl-A h or ?: show what there is.
  case help

  /// What ``help`` shows.
  public static let helpText =
    "\r\nC-a h  this help\r\nC-a x  end the emulator\r\nC-a b  send a break\r\n"
    + "C-a c  switch between serial line and monitor\r\nC-a C-a  send C-a\r\n"
}

/// Finds Ctrl-A sequences in what a person types.
struct EscapeFilter {
  /// What becomes of a byte.
  enum Verdict: Equatable {
    /// It is for the device.
    case pass(UInt8)
    /// It is for the emulator.
    case escape(ConsoleEscape)
    /// It is part of a sequence, or of none that there is.
    case swallow
  }

  private static let controlA: UInt8 = 0x01

  private var isPending = false

  /// Looks at the next byte.
  mutating func take(_ byte: UInt8) -> Verdict {
    guard isPending else {
      isPending = byte == Self.controlA
      return isPending ? .swallow : .pass(byte)
    }
    isPending = false
    switch byte {
    case Self.controlA: return .pass(byte)
    case UInt8(ascii: "x"): return .escape(.quit)
    case UInt8(ascii: "c"): return .escape(.switchConsole)
    case UInt8(ascii: "b"): return .escape(.sendBreak)
    case UInt8(ascii: "h"), UInt8(ascii: "?"): return .escape(.help)
    default: return .swallow
    }
  }
}
