// SPDX-License-Identifier: GPL-2.0-or-later

/// What a Telnet client says besides the bytes it types (RFC 854), and what is answered to it.
struct TelnetFilter {
  /// What becomes of a byte.
  enum Verdict: Equatable {
    /// It is for the device.
    case pass(UInt8)
    /// A break for the device.
    case breakSignal
    /// It is part of a command.
    case swallow
    /// Part of a command that is answered.
    case answer([UInt8])
  }

  /// "Interpret as command": begins all commands; two of them are a byte of that value.
  static let command: UInt8 = 255

  /// Commands (RFC 854, "TELNET command structure").
  private enum Command {
    static let endOfSubnegotiation: UInt8 = 240
    static let breakSignal: UInt8 = 243
    static let subnegotiation: UInt8 = 250
    static let will: UInt8 = 251
    static let wont: UInt8 = 252
    static let `do`: UInt8 = 253
    static let dont: UInt8 = 254
  }
  /// Options (RFC 856, 857, 858).
  private enum Option {
    static let binary: UInt8 = 0
    static let echo: UInt8 = 1
    static let suppressGoAhead: UInt8 = 3
  }

  /// What a server says first: the guest echoes, characters go one by one, and all bytes are themselves.
  static let greeting: [UInt8] = [
    command, Command.will, Option.echo, command, Command.will, Option.suppressGoAhead, command, Command.will,
    Option.binary, command, Command.do, Option.binary,
  ]

  private enum State: Equatable {
    case data
    /// A carriage return came: a zero behind it is not meant.
    case afterReturn
    case command
    case option(UInt8)
    case subnegotiation
    case subnegotiationCommand
  }
  private var state = State.data
  /// The client sends bytes that mean themselves.
  private var isBinary = false

  /// Looks at the next byte.
  mutating func take(_ byte: UInt8) -> Verdict {
    switch state {
    case .data, .afterReturn:
      let followsReturn = state == .afterReturn
      state = .data
      if byte == Self.command {
        state = .command
        return .swallow
      }
      if isBinary { return .pass(byte) }
      if byte == 0 && followsReturn { return .swallow }
      if byte == 13 { state = .afterReturn }
      return .pass(byte)
    case .command:
      state = .data
      switch byte {
      case Self.command: return .pass(byte)
      case Command.breakSignal: return .breakSignal
      case Command.will...Command.dont: state = .option(byte)
      case Command.subnegotiation: state = .subnegotiation
      default: break
      }
      return .swallow
    case .option(let verb):
      state = .data
      return negotiate(verb, byte)
    case .subnegotiation:
      if byte == Self.command { state = .subnegotiationCommand }
      return .swallow
    case .subnegotiationCommand:
      state = byte == Command.endOfSubnegotiation ? .data : .subnegotiation
      return .swallow
    }
  }

  /// What was offered in the greeting is agreed on without a word; all else is refused.
  private mutating func negotiate(_ verb: UInt8, _ option: UInt8) -> Verdict {
    switch (verb, option) {
    case (Command.will, Option.binary): isBinary = true
    case (Command.wont, Option.binary): isBinary = false
    case (Command.do, Option.echo), (Command.do, Option.suppressGoAhead), (Command.do, Option.binary): break
    case (Command.do, _): return .answer([Self.command, Command.wont, option])
    case (Command.will, Option.suppressGoAhead): break
    case (Command.will, _): return .answer([Self.command, Command.dont, option])
    default: break
    }
    return .swallow
  }
}
