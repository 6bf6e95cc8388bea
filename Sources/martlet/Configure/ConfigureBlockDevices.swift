// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-blockdev`: nodes of protocol `file` and format `raw`, of which the second holds or names the first.
  mutating func configureBlockDevices() throws(OptionError) {
    var files: [String: BlockNodeConfiguration] = [:]
    for text in options.drives.blockdev {
      var list = try PropertyList(anySpelling: text, option: "-blockdev", implied: "driver")
      let node = try BlockNodeConfiguration(&list)
      if let other = node.fileNode {
        guard files[other] != nil else {
          throw OptionError(
            "-blockdev \(node.name): there is no node '\(other)'\(didYouMean(other, in: files.keys))")
        }
        backEnds.removeValue(forKey: other)
      } else if node.driver != .raw {
        // A file can be used as it is.
        files[node.name] = node
      }
      if let image = node.image(over: node.fileNode.flatMap { files[$0] }) {
        try addBackEnd(image, id: node.name)
      }
      configuration.blockNodes.append(node)
    }
  }
}
