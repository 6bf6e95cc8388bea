// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

/// A QMP command: what it takes, what it returns, what it does.
struct QMPCommand: Sendable {
  let name: String
  let arguments: Structure
  let returns: SchemaType
  let allowsOutOfBand: Bool
  let run: @Sendable (QMPArguments, QMPContext) throws(QMPError) -> JSONValue

  init(
    _ name: String, _ arguments: [Structure.Member] = [], returns: SchemaType = .nothing,
    allowsOutOfBand: Bool = false,
    run: @escaping @Sendable (QMPArguments, QMPContext) throws(QMPError) -> JSONValue
  ) {
    self.init(
      name, Structure(arguments), returns: returns, allowsOutOfBand: allowsOutOfBand, run: run)
  }

  init(
    _ name: String, _ arguments: Structure, returns: SchemaType = .nothing, allowsOutOfBand: Bool = false,
    run: @escaping @Sendable (QMPArguments, QMPContext) throws(QMPError) -> JSONValue
  ) {
    self.name = name
    self.arguments = arguments
    self.returns = returns
    self.allowsOutOfBand = allowsOutOfBand
    self.run = run
  }

  /// A command that answers with nothing.
  static func action(
    _ name: String, _ arguments: [Structure.Member] = [],
    run: @escaping @Sendable (QMPArguments, QMPContext) throws(QMPError) -> Void
  ) -> QMPCommand { action(name, Structure(arguments), run: run) }

  /// A command that answers with nothing.
  static func action(
    _ name: String, _ arguments: Structure,
    run: @escaping @Sendable (QMPArguments, QMPContext) throws(QMPError) -> Void
  ) -> QMPCommand {
    QMPCommand(name, arguments) { (arguments, context) throws(QMPError) in
      try run(arguments, context)
      return .object([])
    }
  }
}

/// What a command works on. Commands run on the event loop with the machine's lock held.
struct QMPContext {
  let machine: Machine
  /// Who asks.
  let session: QMPSession
}

/// The checked arguments of a command.
struct QMPArguments {
  let members: [JSONValue.Member]

  /// An argument; nil if it was not given.
  subscript(name: String) -> JSONValue? { members.last { $0.name == name }?.value }

  /// A required text. It has been checked.
  func text(_ name: String) -> String { self[name]?.string ?? "" }

  /// A whole number that fits; nil if it was not given.
  func integer<Number: FixedWidthInteger>(_ name: String, as type: Number.Type = Number.self)
    throws(QMPError) -> Number?
  {
    guard let value = self[name] else { return nil }
    let number: Number? =
      switch value {
      case .integer(let value): Number(exactly: value)
      case .unsigned(let value): Number(exactly: value)
      default: nil
      }
    guard let number else { throw QMPError("Parameter '\(name)' is out of range") }
    return number
  }

  /// A required whole number that fits.
  func require<Number: FixedWidthInteger>(_ name: String, as type: Number.Type = Number.self)
    throws(QMPError) -> Number
  {
    guard let number: Number = try integer(name) else { throw QMPError("Parameter '\(name)' is missing") }
    return number
  }

  /// A truth value, or what holds if it was not given.
  func flag(_ name: String, default value: Bool = false) -> Bool { self[name]?.bool ?? value }
}
