// SPDX-License-Identifier: GPL-2.0-or-later

/// How long a controller sleeps while nothing in its schedule moves. Drivers add to the schedule without telling, so it
/// has to look again; but ever more seldom.
struct USBIdleBackoff {
  /// The number of looks in vain.
  private var vain = 0

  /// The number of milliseconds until the next look.
  var milliseconds: UInt64 {
    switch vain {
    case ..<32: 1
    case ..<48: 2
    case ..<64: 4
    case ..<80: 8
    default: 16
    }
  }

  /// There is or may be something to do.
  mutating func restart() { vain = 0 }
  /// There was nothing to do.
  mutating func lookedInVain() { vain = min(vain + 1, 80) }
}
