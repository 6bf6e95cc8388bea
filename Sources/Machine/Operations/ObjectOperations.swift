// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// Objects with an id. Called with the machine's lock held.
extension Machine {
  /// The objects, in the order they came.
  public var objects: [ObjectConfiguration] { board.objects }

  /// Adds one.
  public func addObject(_ object: ObjectConfiguration) throws(MachineError) {
    do { try board.add(object) } catch { throw MachineError(error) }
  }

  /// Removes one.
  public func removeObject(_ id: String) throws(MachineError) {
    guard board.removeObject(id) else { throw MachineError("object '\(id)' not found") }
  }
}

extension Board {
  /// Adds an object.
  func add(_ object: ObjectConfiguration) throws {
    guard !objects.contains(where: { $0.id == object.id }) else {
      throw MachineError("there are two objects with id=\(object.id)")
    }
    if case .capture(let capture) = object { try networks.capture(capture) }
    objects.append(object)
  }

  /// Removes an object; false if there is none with that id.
  func removeObject(_ id: String) -> Bool {
    guard let index = objects.firstIndex(where: { $0.id == id }) else { return false }
    let object = objects.remove(at: index)
    if case .capture = object { for wire in networks.wires { _ = wire.removeCapture(named: id) } }
    return true
  }

  /// The bytes of a secret.
  func secret(_ id: String) throws(MachineError) -> [UInt8] {
    for case .secret(id, let data) in objects { return data }
    throw MachineError("there is no -object secret with id=\(id)\(didYouMean(id, in: objects.map(\.id)))")
  }
}
