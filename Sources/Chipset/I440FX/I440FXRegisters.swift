// SPDX-License-Identifier: GPL-2.0-or-later

/// Configuration registers of the 82441FX PMC (Intel 440FX PCIset data sheet, 290549, section 3.2).
enum I440FXRegister {
  /// Programmable Attribute Map, seven registers (3.2.18).
  static let pam = 0x59
  static let pamCount = 7
  /// System Management RAM control (3.2.24).
  static let smram = 0x72
}

/// What a PAM register says of one segment (3.2.18, table 4).
struct ShadowAttributes: OptionSet {
  let rawValue: UInt8
  /// RE: reads come from DRAM, else from PCI.
  static let readEnable = ShadowAttributes(rawValue: 1)
  /// WE: writes go to DRAM, else to PCI.
  static let writeEnable = ShadowAttributes(rawValue: 2)
}

/// The SMRAM register (3.2.24).
struct SMRAMControl: OptionSet {
  let rawValue: UInt8
  /// DOPEN: SMRAM is seen at 0xA0000 outside SMM.
  static let open = SMRAMControl(rawValue: 1 << 6)
  /// DLCK: DOPEN is clear, and the register read-only until reset.
  static let locked = SMRAMControl(rawValue: 1 << 4)
  /// G_SMRAME: there is SMRAM at all.
  static let enabled = SMRAMControl(rawValue: 1 << 3)
}
