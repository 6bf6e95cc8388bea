// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A keyboard layout as `-k` names it, in the terms of X's keyboard data.
public struct KeyboardLayoutName: Equatable, Sendable {
  /// X's name of the layout: "us", "de".
  public let layout: String
  /// X's name of the variant: "bepo"; empty for the plain layout.
  public let variant: String

  /// US English.
  public static let us = KeyboardLayoutName(layout: "us", variant: "")

  private init(layout: String, variant: String) {
    self.layout = layout
    self.variant = variant
  }

  /// The layout called `name`: one of QEMU's names (`en-us`, `de`, `fr-ch` …) or one of X's, with a variant
  /// in parentheses if wanted (`us`, `gb(dvorak)`).
  public init(_ name: String) throws(VNCError) {
    if let (layout, variant) = Self.qemuNames[name] {
      self.init(layout: layout, variant: variant)
      return
    }
    let parts = name.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
    var variant = parts.count == 2 ? String(parts[1]) : ""
    if parts.count == 2, variant.popLast() != ")" || variant.isEmpty { throw .unknownKeyboardLayout(name) }
    let layout = String(parts[0])
    let isPlain = (layout + variant).utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) || (0x30...0x39).contains($0)
        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
    }
    guard !layout.isEmpty, isPlain, access(Self.directory + layout, R_OK) == 0 else {
      throw .unknownKeyboardLayout(name)
    }
    self.init(layout: layout, variant: variant)
  }

  /// The names that QEMU knows, for messages.
  public static var knownNames: [String] { qemuNames.keys.sorted() }

  private static let directory = "/usr/share/X11/xkb/symbols/"

  private static let qemuNames: [String: (String, String)] = [
    "ar": ("ara", ""), "bepo": ("fr", "bepo"), "cz": ("cz", ""), "da": ("dk", ""), "de": ("de", ""),
    "de-ch": ("ch", "de"), "en-gb": ("gb", ""), "en-us": ("us", ""), "es": ("es", ""), "et": ("ee", ""),
    "fi": ("fi", ""), "fo": ("fo", ""), "fr": ("fr", ""), "fr-be": ("be", ""), "fr-ca": ("ca", ""),
    "fr-ch": ("ch", "fr"), "hr": ("hr", ""), "hu": ("hu", ""), "is": ("is", ""), "it": ("it", ""),
    "ja": ("jp", ""), "lt": ("lt", ""), "lv": ("lv", ""), "mk": ("mk", ""), "nl": ("nl", ""),
    "no": ("no", ""), "pl": ("pl", ""), "pt": ("pt", ""), "pt-br": ("br", ""), "ru": ("ru", ""),
    "sl": ("si", ""), "sv": ("se", ""), "th": ("th", ""), "tr": ("tr", ""),
  ]
}
