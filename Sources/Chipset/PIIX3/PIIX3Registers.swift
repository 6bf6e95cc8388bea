// SPDX-License-Identifier: GPL-2.0-or-later

/// Configuration registers of the 82371SB's ISA bridge (PIIX3 data sheet, 290550, section 2.2).
enum PIIX3Register {
  /// PIRQRC[A:D], four registers (2.2.10): bit 7 routing disabled, bits 3…0 the ISA IRQ.
  static let pirqRouting = 0x60
  /// ISA I/O recovery, X-Bus chip select, top of memory and the like, which only keep what is written.
  static let ioRecovery = 0x4C
  static let xBusChipSelect = 0x4E
  static let topOfMemory = 0x69
  static let misc = 0x6A
  static let apicBase = 0x80
  static let deterministicLatency = 0x82
  static let smiControl = 0xA0
}

/// The reset control register at I/O port 0xCF9 (PIIX3 data sheet, section 2.5.4.2).
struct ResetControlBits: OptionSet {
  let rawValue: UInt8
  /// System reset (PCI and CPU) rather than the CPU's INIT alone.
  static let system = ResetControlBits(rawValue: 1 << 1)
  /// A change from 0 to 1 resets.
  static let reset = ResetControlBits(rawValue: 1 << 2)
}
