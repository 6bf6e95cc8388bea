// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Foundation

/// What `state` is after it was written out and read in again, as a snapshot or a migration would.
public func roundTrip<State: SavedState>(_ state: State) throws -> State {
  try JSONDecoder().decode(State.self, from: JSONEncoder().encode(state))
}

/// Saves one device and restores the state, through its encoded form, into another.
public func transplant<Subject: Device>(from source: Subject, to target: Subject) throws {
  try target.restore(roundTrip(source.save()))
}
