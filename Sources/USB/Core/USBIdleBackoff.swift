// SPDX-License-Identifier: GPL-2.0-or-later

/// How long a controller sleeps while nothing in its schedule moves. Drivers add to the schedule without telling, so it
/// has to look again; but ever more seldom.
struct USBIdleBackoff {
  /// The number of looks in vain.
  private var vain: Int
  /// Looks that are not counted in milliseconds but follow one another as fast as the bus may.
  private let quickLooks: Int

  init(quickLooks: Int = 0) {
    self.quickLooks = quickLooks
    vain = -quickLooks
  }

  /// Whether to look again at once.
  var isQuick: Bool { vain < 0 }

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
  mutating func restart() { vain = -quickLooks }
  /// There was nothing to do.
  mutating func lookedInVain() { vain = min(vain + 1, 80) }
}
