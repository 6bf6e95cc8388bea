// SPDX-License-Identifier: GPL-2.0-or-later

/// Configuration registers of the 82371AB's power management function (PIIX4 data sheet, 290562, section 7.1).
enum PIIX4PMConfiguration {
  /// PMBA: base of the power management I/O space.
  static let powerManagementBase = 0x40
  /// DEVACTB: device activity; bit 25 lets a write to the APM port raise an SMI.
  static let deviceActivityB = 0x58
  static let apmcEnable: UInt32 = 1 << 25
  /// DEVRESA and the like: they only keep what is written.
  static let deviceResources = 0x5C
  /// PMREGMISC: bit 0 enables the I/O space.
  static let powerManagementMisc = 0x80
  /// SMBBA: base of the SMBus I/O space.
  static let smbusBase = 0x90
  /// SMBHSTCFG: bit 0 enables the SMBus I/O space.
  static let smbusHostConfiguration = 0xD2
}

/// Offsets in the power management I/O space (PIIX4 data sheet, section 7.2; ACPI 1.0b, section 4.7).
enum PIIX4PMOffset {
  static let pm1Status = 0x00
  static let pm1Enable = 0x02
  static let pm1Control = 0x04
  static let pmTimer = 0x08
}

/// PM1 status and enable bits (ACPI 1.0b, sections 4.7.3.1.1 and .2).
struct PM1Event: OptionSet {
  let rawValue: UInt16
  static let timer = PM1Event(rawValue: 1 << 0)
  static let global = PM1Event(rawValue: 1 << 5)
  static let powerButton = PM1Event(rawValue: 1 << 8)
  static let realTimeClock = PM1Event(rawValue: 1 << 10)
  /// The bits that can be enabled.
  static let all: PM1Event = [.timer, .global, .powerButton, .realTimeClock]
}

/// The PM1 control register (ACPI 1.0b, section 4.7.3.2.1; PIIX4 data sheet, section 7.2.3).
enum PM1Control {
  static let sciEnable: UInt16 = 1 << 0
  static let sleepEnable: UInt16 = 1 << 13
  static let sleepTypeShift: UInt16 = 10
  /// SCI_EN, BM_RLD and SLP_TYP keep what is written; the others are write-only or reserved.
  static let writable: UInt16 = 0x1C03
  /// SLP_TYP of soft-off, as the DSDT's \_S5 names it.
  static let softOff: UInt16 = 0
  /// SLP_TYP of suspend to disk on QEMU's boards: the guest has written itself out and wants the power off.
  static let suspendToDisk: UInt16 = 2
}

/// The APM ports and the values by which ACPI is switched on and off, as the FADT names them.
enum APM {
  /// APMC; APMS, the status, is the next port.
  static let control: UInt16 = 0xB2
  static let acpiEnable: UInt8 = 0xF1
  static let acpiDisable: UInt8 = 0xF0
}
