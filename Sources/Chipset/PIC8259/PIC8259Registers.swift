// SPDX-License-Identifier: GPL-2.0-or-later

/// Command words of the 8259A (Intel data sheet 231468, "Programming the 8259A").
enum PIC8259Register {
  /// A0 = 0: ICW1, OCW2 and OCW3 written; IRR or ISR read.
  static let command = 0
  /// A0 = 1: ICW2 … ICW4 and OCW1 (the mask) written; the mask read.
  static let data = 1

  /// Bits of ICW1; bit 4 tells it from OCW2 and OCW3.
  enum ICW1 {
    static let needsICW4: UInt8 = 1 << 0
    static let isInitialization: UInt8 = 1 << 4
  }

  /// Bits of ICW4.
  enum ICW4 {
    static let autoEOI: UInt8 = 1 << 1
    static let specialFullyNested: UInt8 = 1 << 4
  }

  /// OCW2, bits 7 … 5: rotate, specific, end of interrupt.
  enum OCW2: UInt8 {
    case rotateInAutoEOIClear = 0
    case nonSpecificEOI = 1
    case noOperation = 2
    case specificEOI = 3
    case rotateInAutoEOISet = 4
    case rotateOnNonSpecificEOI = 5
    case setPriority = 6
    case rotateOnSpecificEOI = 7
  }

  /// Bits of OCW3; bit 3 tells it from OCW2.
  enum OCW3 {
    static let readISR: UInt8 = 1 << 0
    static let readRegister: UInt8 = 1 << 1
    static let poll: UInt8 = 1 << 2
    static let isOCW3: UInt8 = 1 << 3
    static let specialMask: UInt8 = 1 << 5
    static let enableSpecialMask: UInt8 = 1 << 6
  }

  /// The poll word's bit 7: there is a request.
  static let pollRequest: UInt8 = 0x80
  /// The input of the first chip that the second's INT output drives.
  static let cascadeInput = 2
  /// Inputs whose ELCR bits can be set: not the timer, the keyboard, the cascade, the clock and the
  /// coprocessor (PIIX3 data sheet, section 2.5.3.5).
  static let levelCapable: (first: UInt8, second: UInt8) = (0xF8, 0xDE)
}
