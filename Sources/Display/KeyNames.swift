// SPDX-License-Identifier: GPL-2.0-or-later

/// The names of keys in QEMU's monitors ("QKeyCode": qapi/ui.json), and HMP's older names for some.
public enum KeyNames {
  /// The key's name for monitors. Keys without a scan code in set 1 are not there.
  public static let codes: [String: KeyCode] = {
    var codes: [String: UInt8] = [
      "esc": 0x01, "minus": 0x0C, "equal": 0x0D, "backspace": 0x0E, "tab": 0x0F, "bracket_left": 0x1A,
      "bracket_right": 0x1B, "ret": 0x1C, "ctrl": 0x1D, "semicolon": 0x27, "apostrophe": 0x28,
      "grave_accent": 0x29, "shift": 0x2A, "backslash": 0x2B, "comma": 0x33, "dot": 0x34, "slash": 0x35,
      "shift_r": 0x36, "asterisk": 0x37, "kp_multiply": 0x37, "alt": 0x38, "spc": 0x39, "caps_lock": 0x3A,
      "num_lock": 0x45, "scroll_lock": 0x46, "kp_7": 0x47, "kp_8": 0x48, "kp_9": 0x49, "kp_subtract": 0x4A,
      "kp_4": 0x4B, "kp_5": 0x4C, "kp_6": 0x4D, "kp_add": 0x4E, "kp_1": 0x4F, "kp_2": 0x50, "kp_3": 0x51,
      "kp_0": 0x52, "kp_decimal": 0x53, "less": 0x56, "f11": 0x57, "f12": 0x58, "kp_equals": 0x59,
      "katakanahiragana": 0x70, "ro": 0x73, "henkan": 0x79, "muhenkan": 0x7B, "yen": 0x7D, "kp_comma": 0x7E,
      "audioprev": 0x90, "audionext": 0x99, "kp_enter": 0x9C, "ctrl_r": 0x9D, "audiomute": 0xA0,
      "calculator": 0xA1, "audioplay": 0xA2, "audiostop": 0xA4, "volumedown": 0xAE, "volumeup": 0xB0,
      "ac_home": 0xB2, "kp_divide": 0xB5, "print": 0xB7, "sysrq": 0x54, "alt_r": 0xB8, "pause": 0xC6,
      "home": 0xC7, "up": 0xC8, "pgup": 0xC9, "left": 0xCB, "right": 0xCD, "end": 0xCF, "down": 0xD0,
      "pgdn": 0xD1, "insert": 0xD2, "delete": 0xD3, "meta_l": 0xDB, "meta_r": 0xDC, "menu": 0xDD,
      "compose": 0xDD, "power": 0xDE, "sleep": 0xDF, "wake": 0xE3, "find": 0xE5, "ac_bookmarks": 0xE6,
      "ac_refresh": 0xE7, "ac_forward": 0xE9, "ac_back": 0xEA, "computer": 0xEB, "mail": 0xEC,
      "mediaselect": 0xED,
    ]
    for (row, first) in [("1234567890", 0x02), ("qwertyuiop", 0x10), ("asdfghjkl", 0x1E), ("zxcvbnm", 0x2C)] {
      for (index, letter) in row.enumerated() { codes[String(letter)] = UInt8(first + index) }
    }
    for index in 1...10 { codes["f\(index)"] = UInt8(0x3A + index) }
    return codes.mapValues { KeyCode(rawValue: $0) }
  }()

  /// The key with a name; nil if there is none.
  public static func code(named name: String) -> KeyCode? { codes[name] }
}
