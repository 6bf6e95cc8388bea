// SPDX-License-Identifier: GPL-2.0-or-later

/// Register offsets of a parallel port (IBM PS/2 Hardware Interface Technical Reference, parallel port).
enum ParallelOffset {
  static let data = 0
  static let status = 1
  static let control = 2
}

/// The status port; what it does not name reads as zero.
enum ParallelStatus {
  /// Low: paper, ribbon and cover are in order.
  static let notError: UInt8 = 1 << 3
  static let selected: UInt8 = 1 << 4
  static let notAcknowledge: UInt8 = 1 << 6
  static let notBusy: UInt8 = 1 << 7
  static let ready = notError | selected | notAcknowledge | notBusy
}

/// The control port.
enum ParallelControl {
  static let strobe: UInt8 = 1 << 0
  /// Low resets the printer.
  static let notInitialize: UInt8 = 1 << 2
  static let select: UInt8 = 1 << 3
  static let interruptEnable: UInt8 = 1 << 4
  /// The data lines are inputs.
  static let direction: UInt8 = 1 << 5
  static let writable: UInt8 = 0x3F
  /// Bits that nobody drives read as one.
  static let undriven: UInt8 = 0xC0
}
