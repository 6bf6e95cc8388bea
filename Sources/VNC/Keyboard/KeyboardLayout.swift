// SPDX-License-Identifier: GPL-2.0-or-later

import CXKBCommon
import Display

/// How a key symbol is typed on the guest's keyboard.
struct KeyStroke: Equatable {
  /// The key.
  let code: KeyCode
  /// Which Shift and AltGr it needs; nil where they do not change what the key means.
  let level: Level?
  /// Whether Caps Lock inverts what Shift does.
  let isLetter: Bool

  /// The modifiers that choose among the symbols on a key.
  struct Level: Equatable {
    var shift: Bool
    var altGr: Bool
  }
}

/// Which key and modifiers give which symbol: X's keyboard data turned around.
struct KeyboardLayout {
  private var strokes: [UInt32: KeyStroke] = [:]

  /// Compiles the layout from X's keyboard data (some milliseconds).
  init(_ name: KeyboardLayoutName) throws(VNCError) {
    guard let context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES) else {
      throw .keyboardDataMissing(name.layout)
    }
    defer { xkb_context_unref(context) }
    xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL)
    let keymap = "evdev".withCString { rules in
      "pc105".withCString { model in
        name.layout.withCString { layout in
          name.variant.withCString { variant in
            "".withCString { options in
              var names = xkb_rule_names(
                rules: rules, model: model, layout: layout, variant: variant, options: options)
              return xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS)
            }
          }
        }
      }
    }
    guard let keymap else { throw .keyboardDataMissing(name.layout) }
    defer { xkb_keymap_unref(keymap) }
    let modifiers = Modifiers(keymap)
    for key in xkb_keymap_min_keycode(keymap)...xkb_keymap_max_keycode(keymap)
    where key >= EvdevKeyCodes.offset {
      guard let code = EvdevKeyCodes.keyCode(key - EvdevKeyCodes.offset) else { continue }
      add(key, code: code, from: keymap, modifiers: modifiers)
    }
  }

  /// How `keysym` is typed; nil if it is on no key.
  func stroke(for keysym: UInt32) -> KeyStroke? {
    if let stroke = strokes[keysym] { return stroke }
    // The same character may have a symbol of its own and one made from its Unicode number.
    let character = xkb_keysym_to_utf32(keysym)
    guard character != 0 else { return nil }
    return strokes[xkb_utf32_to_keysym(character)] ?? strokes[0x0100_0000 | character]
  }

  /// The dead key that, followed by a space, gives the character of `keysym`.
  func deadStroke(for keysym: UInt32) -> KeyStroke? {
    Self.deadKeys[xkb_keysym_to_utf32(keysym)].flatMap { strokes[$0] }
  }

  /// Characters that many layouts have only as dead keys (dead_grave … dead_doubleacute).
  private static let deadKeys: [UInt32: UInt32] = [
    0x60: 0xFE50, 0xB4: 0xFE51, 0x5E: 0xFE52, 0x7E: 0xFE53, 0xAF: 0xFE54, 0x2D8: 0xFE55, 0x2D9: 0xFE56,
    0xA8: 0xFE57, 0xB0: 0xFE58, 0x2DA: 0xFE58, 0x2DD: 0xFE59, 0x2C7: 0xFE5A, 0xB8: 0xFE5B, 0x2DB: 0xFE5C,
  ]

  private struct Modifiers {
    let shift: UInt32
    let altGr: UInt32
    init(_ keymap: OpaquePointer) {
      func mask(_ name: String) -> UInt32 {
        let index = xkb_keymap_mod_get_index(keymap, name)
        return index < 32 ? 1 << index : 0
      }
      shift = mask("Shift")
      // xkeyboard-config puts the third level on Mod5 everywhere.
      altGr = mask("Mod5")
    }
  }

  private mutating func add(
    _ key: xkb_keycode_t, code: KeyCode, from keymap: OpaquePointer, modifiers: Modifiers
  ) {
    var symbols: [(symbol: UInt32, level: KeyStroke.Level)] = []
    for level in 0..<xkb_keymap_num_levels_for_key(keymap, key, 0) {
      var found: UnsafePointer<xkb_keysym_t>?
      guard xkb_keymap_key_get_syms_by_level(keymap, key, 0, level, &found) == 1, let symbol = found?.pointee
      else { continue }
      var masks = [xkb_mod_mask_t](repeating: 0, count: 16)
      let count = min(
        xkb_keymap_key_get_mods_for_level(keymap, key, 0, level, &masks, masks.count), masks.count)
      let mask = masks[..<count].first { $0 & ~(modifiers.shift | modifiers.altGr) == 0 }
      // Levels that need other modifiers (Num Lock, Ctrl + Alt) name the key all the same.
      guard let mask = mask ?? (code.isKeypadDigit ? 0 : nil) else { continue }
      let needed = KeyStroke.Level(shift: mask & modifiers.shift != 0, altGr: mask & modifiers.altGr != 0)
      symbols.append((symbol, needed))
    }
    let isLetter =
      symbols.count >= 2 && symbols[0].symbol != symbols[1].symbol
      && xkb_keysym_to_lower(symbols[1].symbol) == symbols[0].symbol
    let differs = symbols.contains { $0.symbol != symbols.first?.symbol }
    for (symbol, level) in symbols {
      let isCharacter = xkb_keysym_to_utf32(symbol) >= 0x20 && xkb_keysym_to_utf32(symbol) != 0x7F
      let isDead = (0xFE50...0xFE93).contains(symbol)
      let matters = differs && (isCharacter || isDead) && !code.isKeypadDigit
      let stroke = KeyStroke(
        code: code, level: matters ? level : nil, isLetter: isLetter && !level.altGr)
      if let known = strokes[symbol], known.cost <= stroke.cost { continue }
      strokes[symbol] = stroke
    }
  }
}

extension KeyStroke {
  /// Which of several ways to type the same symbol is preferred: few modifiers, no odd key.
  fileprivate var cost: Int {
    (level?.shift == true ? 1 : 0) + (level?.altGr == true ? 2 : 0) + (code.scanCode > 0x58 ? 4 : 0)
      + (code == KeyCode(rawValue: 0x56) ? 1 : 0)
  }
}

extension KeyCode {
  /// Whether it is one of the keys 0–9 and the decimal point of the keypad.
  var isKeypadDigit: Bool { (0x47...0x53).contains(rawValue) && rawValue != 0x4A && rawValue != 0x4E }
}
