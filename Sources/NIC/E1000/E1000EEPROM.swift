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

/// The 93C46 EEPROM: 64 words behind a Microwire interface (section 5.3; Microchip 93C46B data sheet, section 2).
struct E1000EEPROM: Codable, Equatable, Sendable {
  static let wordCount = 64
  /// What all words add up to.
  static let checksum: UInt16 = 0xBABA
  private static let addressBits = 6

  private(set) var words: [UInt16]
  private var isWritable = false
  /// The bits that came since select, with the start bit first; zero before it.
  private var command: UInt32 = 0
  private var bitCount: UInt8 = 0
  /// What is being shifted out; meaningful while `isReading`.
  private var isReading = false
  private var address: UInt8 = 0
  private var bitsOut: UInt8 = 0
  private var isClockHigh = false
  private var isSelected = false
  /// DO.
  private(set) var output = true

  /// An EEPROM as a network card's maker programs it (table 5-2).
  init(address: MACAddress, identity: (vendor: UInt16, device: UInt16)) {
    words = Array(repeating: 0xFFFF, count: Self.wordCount)
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
    words[0x3F] = Self.checksum &- words[..<0x3F].reduce(0, &+)
  }

  /// An EEPROM with `words` at its start, and zeros behind them.
  init(words: [UInt16]) {
    self.words = Array(words.prefix(Self.wordCount))
    self.words += Array(repeating: 0, count: Self.wordCount - self.words.count)
  }

  /// Word `index`; addresses wrap.
  subscript(index: Int) -> UInt16 { words[index & (Self.wordCount - 1)] }

  /// The card's own address as the words have it.
  var macAddress: MACAddress {
    MACAddress(words[..<3].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
  }

  /// Sets the pins as EECD has them. A bit goes in, and one comes out, when the clock rises.
  mutating func setPins(_ pins: UInt32) {
    let selected = pins & E1000EEPROMPins.select != 0
    let clockHigh = pins & E1000EEPROMPins.clock != 0
    defer {
      isSelected = selected
      isClockHigh = clockHigh
    }
    guard selected else {
      command = 0
      bitCount = 0
      isReading = false
      // An EEPROM selected while idle shows that it is ready.
      output = true
      return
    }
    guard isSelected, clockHigh, !isClockHigh else { return }
    isReading ? shiftOut() : shiftIn(pins & E1000EEPROMPins.dataIn != 0)
  }

  private mutating func shiftOut() {
    output = self[Int(address)] >> UInt16(15 - bitsOut) & 1 != 0
    bitsOut += 1
    if bitsOut == 16 {
      bitsOut = 0
      address = (address &+ 1) & UInt8(Self.wordCount - 1)
    }
  }

  private mutating func shiftIn(_ bit: Bool) {
    guard command != 0 || bit, bitCount < 3 + Self.addressBits + 16 else { return }
    command = command << 1 | (bit ? 1 : 0)
    bitCount += 1
    let headerBits = UInt8(3 + Self.addressBits)
    if bitCount == headerBits {
      address = UInt8(truncatingIfNeeded: command) & UInt8(Self.wordCount - 1)
      switch command >> UInt32(Self.addressBits) & 3 {
      case 2:
        isReading = true
        bitsOut = 0
        // A zero comes before the word.
        output = false
      case 3: program(Int(address)...Int(address), 0xFFFF)
      case 0:
        switch address >> 4 {
        case 0: isWritable = false
        case 2: program(0...(Self.wordCount - 1), 0xFFFF)
        case 3: isWritable = true
        default: break
        }
      default: break
      }
    } else if bitCount == headerBits + 16 {
      let word = UInt16(truncatingIfNeeded: command)
      switch command >> UInt32(16 + Self.addressBits) & 3 {
      case 1: program(Int(address)...Int(address), word)
      case 0 where address >> 4 == 1: program(0...(Self.wordCount - 1), word)
      default: break
      }
    }
  }

  private mutating func program(_ range: ClosedRange<Int>, _ word: UInt16) {
    guard isWritable else { return }
    for index in range { words[index] = word }
  }

  /// Whether a running EEPROM could look so.
  var isValid: Bool {
    words.count == Self.wordCount && bitCount <= 3 + Self.addressBits + 16 && bitsOut < 16
      && address < Self.wordCount
  }
}
