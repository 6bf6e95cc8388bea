// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation

/// A value from JSON, to forge parts of a saved state.
func decode<Value: Decodable>(_ json: String) throws -> Value {
  try JSONDecoder().decode(Value.self, from: Data(json.utf8))
}
