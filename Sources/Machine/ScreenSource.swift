// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Display
import VGA

/// What viewers see: the card's picture, after the writes the engine still holds back have reached it; without a card,
/// nothing.
final class ScreenSource: DisplaySource {
  private let engine: any Engine
  private let card: VGADevice?

  init(engine: any Engine, card: VGADevice?) {
    self.engine = engine
    self.card = card
  }

  func refresh(all: Bool) {
    engine.drainCoalescedWrites()
    card?.refresh(all: all)
  }
}
