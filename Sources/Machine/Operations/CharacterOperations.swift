// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

extension Machine {
  /// Opens a character device for somebody who is no device of the guest: a monitor. Called with the machine's lock
  /// held.
  /// - Returns: nil for "none".
  public func openCharacterPort(_ text: String, label: String) throws(MachineError) -> (any CharacterPort)? {
    do throws(CharacterPortError) {
      return try board.characterPorts.open(text, label: label, isReplaceable: false)
    } catch {
      throw MachineError(error)
    }
  }
}
