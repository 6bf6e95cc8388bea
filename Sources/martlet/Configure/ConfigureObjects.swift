// SPDX-License-Identifier: GPL-2.0-or-later

import Control
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-object`.
  mutating func configureObjects() throws(OptionError) {
    for text in options.machine.object {
      var list = try PropertyList(anySpelling: text, option: "-object", implied: "qom-type")
      let object = try ObjectConfiguration(&list)
      try list.finish()
      guard !configuration.objects.contains(where: { $0.id == object.id }) else {
        throw OptionError("-object: there are two with id=\(object.id)")
      }
      configuration.objects.append(object)
    }
  }
}
