// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import VGA

/// A state as text, so that a test can spoil it.
func encoded(_ state: VGADevice.State) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  return String(decoding: try encoder.encode(state), as: UTF8.self)
}

func decoded(_ text: String) throws -> VGADevice.State {
  try JSONDecoder().decode(VGADevice.State.self, from: Data(text.utf8))
}
