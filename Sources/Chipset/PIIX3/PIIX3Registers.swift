// SPDX-License-Identifier: GPL-2.0-or-later

/// Configuration registers of the 82371SB's ISA bridge (PIIX3 data sheet, 290550, section 2.2).
enum PIIX3Register {
  /// IORT, ISA I/O recovery timer.
  static let ioRecovery = 0x4C
  /// XBCS, X-Bus chip select, two bytes.
  static let xBusChipSelect = 0x4E
  /// PIRQRC[A:D], four registers: bit 7 routing disabled, bits 3…0 the ISA IRQ.
  static let pirqRouting = 0x60
  static let pirqDisabled: UInt8 = 0x80
  /// TOM, top of memory.
  static let topOfMemory = 0x69
  /// MSTAT, miscellaneous status, two bytes.
  static let miscellaneousStatus = 0x6A
  /// MBIRQ0, motherboard device IRQ route.
  static let motherboardIRQ = 0x70
  /// MBDMA0 and MBDMA1, motherboard device DMA.
  static let motherboardDMA = 0x76
  /// PCSC, programmable chip select, two bytes.
  static let programmableChipSelect = 0x78
  /// APICBASE, APIC base relocation.
  static let apicBase = 0x80
  /// DLC, deterministic latency control.
  static let deterministicLatency = 0x82
  /// SMICNTL, SMI control.
  static let smiControl = 0xA0
  /// SMIEN, SMI enable, two bytes.
  static let smiEnable = 0xA2
  /// FTMR, fast-off timer.
  static let fastOffTimer = 0xA8
}

/// The reset control register at I/O port 0xCF9 (PIIX3 data sheet, RC).
struct ResetControlBits: OptionSet {
  let rawValue: UInt8
  /// SRST: system reset (PCI and CPU) rather than the CPU's INIT alone.
  static let system = ResetControlBits(rawValue: 1 << 1)
  /// RCPU: a change from 0 to 1 resets.
  static let reset = ResetControlBits(rawValue: 1 << 2)
}
