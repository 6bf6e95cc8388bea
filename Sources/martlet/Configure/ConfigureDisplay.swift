// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-vga -vnc -display -nographic -k`.
  mutating func configureDisplay() throws(OptionError) {
    let display = options.display
    switch display.vga {
    case nil where options.machine.noDefaults, "none": configuration.vga = nil
    case nil, "std":
      var list = globals.properties(of: "VGA", option: "-global VGA")
      configuration.vga = try graphicsCard(&list)
      try list.finish()
    case let card?:
      throw OptionError("-vga \(card): must be std or none\(didYouMean(card, in: ["std", "none"]))")
    }
    configuration.keyboardLayout = display.keyboardLayout
    configuration.vnc = display.vnc
    switch display.display {
    case nil: break
    case "none": configuration.vnc = display.vnc ?? "none"
    case let kind? where kind.hasPrefix("vnc="): configuration.vnc = String(kind.dropFirst(4))
    case let kind?:
      throw OptionError(
        "-display \(kind): must be none or vnc=DISPLAY\(didYouMean(kind, in: ["none", "vnc"]))")
    }
    if display.noGraphic && configuration.vnc == nil { configuration.vnc = "none" }
    // Without a word about it, viewers find the screen on the first display of this host that is free.
    if configuration.vnc == nil { configuration.vnc = configuration.vga == nil ? "none" : ":0,to=99" }
    if configuration.vnc == "none" { configuration.vnc = nil }
  }

  /// The card that these properties make.
  func graphicsCard(_ list: inout PropertyList) throws(OptionError) -> VGAConfiguration {
    var card = VGAConfiguration()
    if let megabytes = try list.takeInteger("vgamem_mb", in: 1...256) {
      guard megabytes & (megabytes - 1) == 0 else {
        throw OptionError("\(list.option): vgamem_mb=\(megabytes) must be a power of two")
      }
      card.memoryMegabytes = megabytes
    }
    card.preferredWidth = try list.takeInteger("xres", in: 320...7680) ?? card.preferredWidth
    card.preferredHeight = try list.takeInteger("yres", in: 200...4320) ?? card.preferredHeight
    card.romFile = list.take("romfile")
    return card
  }
}
