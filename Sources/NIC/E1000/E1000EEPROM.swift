// SPDX-License-Identifier: GPL-2.0-or-later

import Network

/// EECD: the pins of the EEPROM (section 13.4.3).
enum E1000EEPROMPins {
  static let clock: UInt32 = 1 << 0
  static let select: UInt32 = 1 << 1
  static let dataIn: UInt32 = 1 << 2
  static let dataOut: UInt32 = 1 << 3
  static let flashMask: UInt32 = 3 << 4
  static let request: UInt32 = 1 << 6
  static let grant: UInt32 = 1 << 7
  static let present: UInt32 = 1 << 8
}

/// EERD: a word read by the card itself (section 13.4.4).
enum E1000EEPROMRead {
  static let start: UInt32 = 1 << 0
  static let done: UInt32 = 1 << 4
}

extension EEPROM93C46 {
  /// What all words add up to.
  private static let e1000Checksum: UInt16 = 0xBABA

  /// An EEPROM as a network card's maker programs it (table 5-2).
  init(address: MACAddress, identity: (vendor: UInt16, device: UInt16)) {
    var words = [UInt16](repeating: 0xFFFF, count: Self.wordCount)
    for index in 0..<3 {
      words[index] = UInt16(address[index * 2]) | UInt16(address[index * 2 + 1]) << 8
    }
    // Compatibility, software's words, and the part number.
    for (index, word) in zip(3..., [0x0000, 0xFFFF, 0x0000, 0x0000, 0x0000, 0x3000, 0x1000] as [UInt16]) {
      words[index] = word
    }
    // Initialization Control 1: identities and subsystem are taken over.
    words[0x0A] = 0x6403
    words[0x0B] = identity.device
    words[0x0C] = identity.vendor
    words[0x0D] = identity.device
    words[0x0E] = identity.vendor
    // Initialization Control 2: pause in both directions.
    words[0x0F] = 0x3040
    words[0x3F] = Self.e1000Checksum &- words[..<0x3F].reduce(0, &+)
    self.init(words: words)
  }

  /// Sets the pins as EECD has them.
  mutating func setPins(_ pins: UInt32) {
    setPins(
      selected: pins & E1000EEPROMPins.select != 0, clockHigh: pins & E1000EEPROMPins.clock != 0,
      data: pins & E1000EEPROMPins.dataIn != 0)
  }
}
