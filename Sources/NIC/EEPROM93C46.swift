// SPDX-License-Identifier: GPL-2.0-or-later

/// The 93C46 EEPROM that network cards keep their address in: 64 words behind a Microwire interface (Microchip 93C46B
/// data sheet, section 2).
struct EEPROM93C46: Codable, Equatable, Sendable {
  static let wordCount = 64
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

  /// An EEPROM with `words` at its start, and zeros behind them.
  init(words: [UInt16]) {
    self.words = Array(words.prefix(Self.wordCount))
    self.words += Array(repeating: 0, count: Self.wordCount - self.words.count)
  }

  /// Word `index`; addresses wrap.
  subscript(index: Int) -> UInt16 { words[index & (Self.wordCount - 1)] }

  /// Sets the pins CS, SK and DI. A bit goes in, and one comes out, when the clock rises.
  mutating func setPins(selected: Bool, clockHigh: Bool, data: Bool) {
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
    isReading ? shiftOut() : shiftIn(data)
  }

  /// Sets all pins low.
  mutating func deselect() { setPins(selected: false, clockHigh: false, data: false) }

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
