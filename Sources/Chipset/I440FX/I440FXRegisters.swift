// SPDX-License-Identifier: GPL-2.0-or-later

/// Configuration registers of the 82441FX PMC (Intel 440FX PCIset data sheet, 290549, section 3.2).
enum I440FXRegister {
  /// PMCCFG, two bytes.
  static let pmcConfiguration = 0x50
  /// DETURBO.
  static let deturbo = 0x52
  /// DBC, data buffer control.
  static let dataBufferControl = 0x53
  /// AXC, auxiliary control.
  static let auxiliaryControl = 0x54
  /// DRT, DRAM row type, two bytes.
  static let dramRowType = 0x55
  /// DRAMC, DRAM control.
  static let dramControl = 0x57
  /// DRAMT, DRAM timing.
  static let dramTiming = 0x58
  /// PAM0 … PAM6, programmable attribute map.
  static let pam = 0x59
  static let pamCount = 7
  /// DRB0 … DRB7, DRAM row boundary in units of 8 MiB.
  static let dramRowBoundary = 0x60
  static let dramRowCount = 8
  /// FDHC, fixed DRAM hole control.
  static let fixedDRAMHole = 0x68
  /// MTT, multi-transaction timer.
  static let multiTransactionTimer = 0x70
  /// CLT, CPU latency timer.
  static let cpuLatencyTimer = 0x71
  /// SMRAM, system management RAM control.
  static let smram = 0x72
  /// ERRCMD, error command.
  static let errorCommand = 0x90
  /// ERRSTS, error status.
  static let errorStatus = 0x91
  /// TRC, turbo reset control.
  static let turboResetControl = 0x93
}

/// What a PAM register says of one segment.
struct ShadowAttributes: OptionSet {
  let rawValue: UInt8
  /// RE: reads come from DRAM, else from PCI.
  static let readEnable = ShadowAttributes(rawValue: 1)
  /// WE: writes go to DRAM, else to PCI.
  static let writeEnable = ShadowAttributes(rawValue: 2)
}

/// The SMRAM register. Bits 2 … 0 say "at 0xA0000" and are read-only.
struct SMRAMControl: OptionSet {
  let rawValue: UInt8
  /// DOPEN: SMRAM is seen at 0xA0000 outside SMM.
  static let open = SMRAMControl(rawValue: 1 << 6)
  /// DCLS: SMRAM is closed to data in SMM.
  static let closed = SMRAMControl(rawValue: 1 << 5)
  /// DLCK: DOPEN is clear, and both are read-only until reset.
  static let locked = SMRAMControl(rawValue: 1 << 4)
  /// G_SMRAME: there is SMRAM at all.
  static let enabled = SMRAMControl(rawValue: 1 << 3)
  /// The base segment at reset.
  static let baseSegment = SMRAMControl(rawValue: 0x02)
}
