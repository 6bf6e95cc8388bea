// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import VNC

/// Keyboard, pointer and screen. Called on the event loop with the machine's lock held.
extension Machine {
  /// Where keys and pointer go.
  public var input: InputRouter { board.input }

  /// Types a combination of keys, after those that were asked for before.
  public func type(_ keys: [KeyCode], holdMilliseconds: UInt64) {
    keySequence.type(keys, holdMilliseconds: holdMilliseconds)
  }

  /// The screen as it is now.
  public func screenshot() -> Screenshot {
    board.screenSource.refresh(all: false)
    return Screenshot(of: board.surface)
  }

  /// A viewer came or went.
  func viewer(_ facts: ViewerFacts, _ event: ViewerEvent) {
    switch event {
    case .connected: viewers.append(facts)
    case .initialized: break
    case .disconnected: viewers.removeAll { $0.number == facts.number }
    }
    onEvent?(.viewer(facts, event))
  }

  /// The VNC server, if there is one.
  public var vncServer: VNCServer? { board.vnc }
}
