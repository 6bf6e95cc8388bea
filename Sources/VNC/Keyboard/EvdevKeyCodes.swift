// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// The keyboard data of X (xkeyboard-config) numbers keys as Linux does (`linux/input-event-codes.h`), plus 8.
enum EvdevKeyCodes {
  /// What X adds to Linux's numbers.
  static let offset: UInt32 = 8

  /// The key with Linux's number `number`; nil for keys that a PC keyboard does not have.
  static func keyCode(_ number: UInt32) -> KeyCode? {
    // Up to F12 the numbers are the scan codes of set 1 (84 is not used, 85 is a Japanese key).
    if (1...83).contains(number) || (86...88).contains(number) {
      return KeyCode(rawValue: UInt8(truncatingIfNeeded: number))
    }
    return others[number].map(KeyCode.init(rawValue:))
  }

  private static let others: [UInt32: UInt8] = [
    89: 0x73,  // RO
    92: 0x79,  // HENKAN
    93: 0x70,  // KATAKANAHIRAGANA
    94: 0x7B,  // MUHENKAN
    96: 0x9C,  // KPENTER
    97: 0x9D,  // RIGHTCTRL
    98: 0xB5,  // KPSLASH
    99: 0xB7,  // SYSRQ
    100: 0xB8,  // RIGHTALT
    102: 0xC7,  // HOME
    103: 0xC8,  // UP
    104: 0xC9,  // PAGEUP
    105: 0xCB,  // LEFT
    106: 0xCD,  // RIGHT
    107: 0xCF,  // END
    108: 0xD0,  // DOWN
    109: 0xD1,  // PAGEDOWN
    110: 0xD2,  // INSERT
    111: 0xD3,  // DELETE
    113: 0xA0,  // MUTE
    114: 0xAE,  // VOLUMEDOWN
    115: 0xB0,  // VOLUMEUP
    116: 0xDE,  // POWER
    117: 0x59,  // KPEQUAL
    119: 0xC6,  // PAUSE
    121: 0x7E,  // KPCOMMA
    124: 0x7D,  // YEN
    125: 0xDB,  // LEFTMETA
    126: 0xDC,  // RIGHTMETA
    127: 0xDD,  // COMPOSE
    142: 0xDF,  // SLEEP
    143: 0xE3,  // WAKEUP
    163: 0x99,  // NEXTSONG
    164: 0xA2,  // PLAYPAUSE
    165: 0x90,  // PREVIOUSSONG
    166: 0xA4,  // STOPCD
  ]
}
