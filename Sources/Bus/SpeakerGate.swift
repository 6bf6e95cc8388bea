// SPDX-License-Identifier: GPL-2.0-or-later

/// Counter 2 of the 8254 as port 0x61 sees it.
public protocol SpeakerGate: AnyObject {
  /// GATE2: the counter counts.
  var isGateOpen: Bool { get set }
  /// OUT2.
  var output: Bool { get }
}
