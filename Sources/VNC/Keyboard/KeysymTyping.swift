// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Turns the key symbols of one plain viewer (one without extended key events) into keys.
///
/// A viewer says which character it wants, and its user may have another keyboard layout than the guest. So
/// where the symbol needs Shift or AltGr in the guest's layout and they are not down, or the other way round,
/// they are pressed or let go for the moment of the key press.
struct KeysymTyping {
  private var held = KeySet()
  /// The symbols that are down, and the key that was pressed for each.
  private var pressed: [UInt32: KeyCode] = [:]

  /// A keyboard with no key down.
  init() {}

  /// A symbol went down or up. Calls `press` for each key that goes down (true) or up.
  /// - Returns: false if the layout has no key for the symbol.
  mutating func type(
    _ keysym: UInt32, isDown: Bool, layout: KeyboardLayout, leds: KeyboardLEDs, press: (KeyCode, Bool) -> Void
  ) -> Bool {
    let symbol = keysym
    // The key that went down comes up, whatever the lights and modifiers are by then.
    if !isDown, let code = pressed[symbol] {
      release(code, press: press)
      return true
    }
    let keysym = Self.withoutKeypad(symbol, isNumLockOn: leds.contains(.numLock))
    if let stroke = Self.modifier(keysym) ?? layout.stroke(for: keysym) {
      if isDown {
        adjust(to: stroke, leds: leds, press: press) { press(stroke.code, true) }
        held.insert(stroke.code)
        pressed[symbol] = stroke.code
      } else {
        release(stroke.code, press: press)
      }
      return true
    }
    guard let dead = layout.deadStroke(for: keysym) else { return false }
    guard isDown else { return true }
    adjust(to: dead, leds: leds, press: press) {
      press(dead.code, true)
      press(dead.code, false)
    }
    let space = KeyStroke(code: .space, level: .init(shift: false, altGr: false), isLetter: false)
    adjust(to: space, leds: leds, press: press) {
      press(.space, true)
      press(.space, false)
    }
    return true
  }

  private mutating func release(_ code: KeyCode, press: (KeyCode, Bool) -> Void) {
    for (symbol, key) in pressed where key == code { pressed[symbol] = nil }
    guard held.contains(code) else { return }
    held.remove(code)
    press(code, false)
  }

  /// Has `body` called with Shift and AltGr as `stroke` needs them, then restores them.
  private func adjust(
    to stroke: KeyStroke, leds: KeyboardLEDs, press: (KeyCode, Bool) -> Void, body: () -> Void
  ) {
    guard var level = stroke.level else { return body() }
    if stroke.isLetter && leds.contains(.capsLock) { level.shift.toggle() }
    var restore: [(KeyCode, Bool)] = []
    func change(_ keys: [KeyCode], to isNeeded: Bool) {
      let down = keys.filter { held.contains($0) }
      if isNeeded && down.isEmpty {
        press(keys[0], true)
        restore.append((keys[0], false))
      } else if !isNeeded {
        for key in down {
          press(key, false)
          restore.append((key, true))
        }
      }
    }
    change([.leftShift, .rightShift], to: level.shift)
    change([.rightAlt], to: level.altGr)
    body()
    for (key, isDown) in restore.reversed() { press(key, isDown) }
  }

  /// Modifier symbols that do not depend on the layout. Viewers differ in what they call AltGr.
  private static func modifier(_ keysym: UInt32) -> KeyStroke? {
    let code: KeyCode
    switch keysym {
    case 0xFFE1: code = .leftShift
    case 0xFFE2: code = .rightShift
    case 0xFFE3: code = .leftControl
    case 0xFFE4: code = .rightControl
    case 0xFFE7, 0xFFEB: code = .leftMeta
    case 0xFFE8, 0xFFEC: code = .rightMeta
    case 0xFFE9: code = .leftAlt
    case 0xFFEA, 0xFE03, 0xFF7E: code = .rightAlt
    default: return nil
    }
    return KeyStroke(code: code, level: nil, isLetter: false)
  }

  /// What a keypad key means does not depend on the viewer's Num Lock but on the guest's: where they differ,
  /// the keys of the main block are used.
  private static func withoutKeypad(_ keysym: UInt32, isNumLockOn: Bool) -> UInt32 {
    switch keysym {
    case 0xFFB0...0xFFB9 where !isNumLockOn: return keysym - 0xFFB0 + 0x30  // KP_0 … KP_9
    case 0xFFAE where !isNumLockOn: return 0x2E  // KP_Decimal
    case 0xFFAC where !isNumLockOn: return 0x2C  // KP_Separator
    case 0xFF95...0xFF9A where isNumLockOn: return keysym - 0xFF95 + 0xFF50  // KP_Home … KP_Page_Down
    case 0xFF9B where isNumLockOn: return 0xFF56  // KP_Next
    case 0xFF9C where isNumLockOn: return 0xFF57  // KP_End
    case 0xFF9E where isNumLockOn: return 0xFF63  // KP_Insert
    case 0xFF9F where isNumLockOn: return 0xFFFF  // KP_Delete
    default: return keysym
    }
  }
}
