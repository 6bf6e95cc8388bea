// SPDX-License-Identifier: GPL-2.0-or-later

/// What a person at a terminal does.
enum EditKey: Equatable {
  case text(Unicode.Scalar)
  case enter
  case tab
  case backspace
  case delete
  case left
  case right
  case wordLeft
  case wordRight
  case home
  case end
  case up
  case down
  /// Removes what is behind the cursor, before it, or the word before it.
  case killToEnd
  case killToStart
  case killWord
  /// Gives the line up.
  case cancel
  case redraw
}

/// Puts the bytes that a terminal sends together to keys: UTF-8, control characters and escape sequences (ECMA-48, as
/// xterm and the Linux console send them).
struct KeyDecoder {
  private enum Mode {
    case plain
    case afterEscape
    /// After ESC [ or ESC O, with the number so far.
    case sequence(number: Int)
    /// In a character of several bytes.
    case character(scalar: UInt32, bytesLeft: Int, least: UInt32)
  }

  private var mode = Mode.plain
  private var isAfterCarriageReturn = false

  /// Takes a byte; returns a key when one is complete.
  mutating func take(_ byte: UInt8) -> EditKey? {
    let followsCarriageReturn = isAfterCarriageReturn
    isAfterCarriageReturn = byte == 0x0D
    switch mode {
    case .plain:
      // Programs end lines with CR LF: one line, not two.
      return byte == 0x0A && followsCarriageReturn ? nil : plain(byte)
    case .afterEscape:
      mode = .plain
      switch byte {
      case UInt8(ascii: "["), UInt8(ascii: "O"): mode = .sequence(number: 0)
      case UInt8(ascii: "b"): return .wordLeft
      case UInt8(ascii: "f"): return .wordRight
      case 0x1B: mode = .afterEscape
      default: break
      }
      return nil
    case .sequence(let number): return sequence(byte, number)
    case .character(let scalar, let bytesLeft, let least):
      return character(byte, scalar, bytesLeft, least)
    }
  }

  private mutating func plain(_ byte: UInt8) -> EditKey? {
    switch byte {
    case 0x01: return .home
    case 0x02: return .left
    case 0x03: return .cancel
    case 0x04: return .delete
    case 0x05: return .end
    case 0x06: return .right
    case 0x08, 0x7F: return .backspace
    case 0x09: return .tab
    case 0x0A, 0x0D: return .enter
    case 0x0B: return .killToEnd
    case 0x0C: return .redraw
    case 0x0E: return .down
    case 0x10: return .up
    case 0x15: return .killToStart
    case 0x17: return .killWord
    case 0x1B: mode = .afterEscape
    case 0x20..<0x7F: return .text(Unicode.Scalar(byte))
    case 0xC2..<0xE0: mode = .character(scalar: UInt32(byte & 0x1F), bytesLeft: 1, least: 0xA0)
    case 0xE0..<0xF0: mode = .character(scalar: UInt32(byte & 0x0F), bytesLeft: 2, least: 0x800)
    case 0xF0..<0xF5: mode = .character(scalar: UInt32(byte & 0x07), bytesLeft: 3, least: 0x10000)
    default: break
    }
    return nil
  }

  private mutating func character(_ byte: UInt8, _ scalar: UInt32, _ bytesLeft: Int, _ least: UInt32)
    -> EditKey?
  {
    guard byte & 0xC0 == 0x80 else {
      // What was begun is no character; this byte may be one.
      mode = .plain
      return plain(byte)
    }
    let value = scalar << 6 | UInt32(byte & 0x3F)
    guard bytesLeft == 1 else {
      mode = .character(scalar: value, bytesLeft: bytesLeft - 1, least: least)
      return nil
    }
    mode = .plain
    guard value >= least, let scalar = Unicode.Scalar(value) else { return nil }
    return .text(scalar)
  }

  private mutating func sequence(_ byte: UInt8, _ number: Int) -> EditKey? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      mode = .sequence(number: min(number * 10 + Int(byte - UInt8(ascii: "0")), 1000))
      return nil
    // Between numbers: the modifiers that follow do not matter, the key does.
    case 0x3A...0x3F:
      mode = .sequence(number: byte == UInt8(ascii: ";") ? number * 1000 : number)
      return nil
    default: break
    }
    mode = .plain
    switch byte {
    case UInt8(ascii: "A"): return .up
    case UInt8(ascii: "B"): return .down
    case UInt8(ascii: "C"): return .right
    case UInt8(ascii: "D"): return .left
    case UInt8(ascii: "H"): return .home
    case UInt8(ascii: "F"): return .end
    case UInt8(ascii: "~"):
      switch number {
      case 1, 7: return .home
      case 3: return .delete
      case 4, 8: return .end
      default: return nil
      }
    case 0x1B:
      mode = .afterEscape
      return nil
    default: return nil
    }
  }
}
