// SPDX-License-Identifier: GPL-2.0-or-later

/// The FADT (ACPI 2.0, section 5.2.8; ACPI 6.4, section 5.2.9): the fixed hardware of PIIX4 power management.
struct FixedDescription {
  /// Revision 3: 244 bytes, with the reset register.
  static let revision: UInt8 = 3
  /// Where it points at other tables: FIRMWARE_CTRL, DSDT and X_DSDT, with the pointers' sizes. (Of
  /// FIRMWARE_CTRL and X_FIRMWARE_CTRL only one may be set.)
  static let pointers: [(offset: Int, byteCount: UInt8)] = [(36, 4), (40, 4), (140, 8)]

  /// The SCI's interrupt; hard-wired in PIIX4.
  private static let sci: UInt16 = 9
  /// APMC and what SeaBIOS's SMM handler, or the chip, takes as "ACPI on" and "ACPI off".
  private static let smiCommand: (port: UInt32, enable: UInt8, disable: UInt8) = (0xB2, 0xF1, 0xF0)
  /// Where the RTC keeps the century.
  private static let centuryByte: UInt8 = 0x32
  /// Reset control and what is written there: hard reset, full (PIIX3 data sheet, section 2.5.3).
  private static let reset: (port: UInt64, value: UInt8) = (0xCF9, 0x0F)

  private struct Flags: OptionSet {
    let rawValue: UInt32
    static let wbinvd = Self(rawValue: 1 << 0)
    static let c1OnAllCPUs = Self(rawValue: 1 << 2)
    /// There is no sleep button in the fixed registers; a power button there is.
    static let noFixedSleepButton = Self(rawValue: 1 << 5)
    static let resetRegister = Self(rawValue: 1 << 10)
    /// The PM timer, or an HPET, is better than the TSC.
    static let platformClock = Self(rawValue: 1 << 15)
  }

  private struct BootFlags: OptionSet {
    let rawValue: UInt16
    static let legacyDevices = Self(rawValue: 1 << 0)
    static let keyboardController = Self(rawValue: 1 << 1)
    static let noVGA = Self(rawValue: 1 << 2)
  }

  let platform: PlatformDescription

  /// The body, after the table's header; the addresses of FACS and DSDT are offsets in the file so far.
  func body(facs: Int, dsdt: Int) -> [UInt8] {
    let base = UInt32(platform.powerManagementBase)
    let (event, control, timer) = (base, base &+ 4, base &+ 8)
    let (gpe, gpeCount) = platform.generalPurposeEvents

    var body: [UInt8] = []
    body.append(littleEndian: UInt32(truncatingIfNeeded: facs))
    body.append(littleEndian: UInt32(truncatingIfNeeded: dsdt))
    body += [0, 0]  // Reserved (INT_MODEL), Preferred_PM_Profile: unspecified.
    body.append(littleEndian: Self.sci)
    body.append(littleEndian: Self.smiCommand.port)
    body += [Self.smiCommand.enable, Self.smiCommand.disable, 0, 0]  // S4BIOS_REQ, PSTATE_CNT: none.
    // PM1a_EVT, PM1b_EVT, PM1a_CNT, PM1b_CNT, PM2_CNT, PM_TMR, GPE0, GPE1.
    for block in [event, 0, control, 0, 0, timer, UInt32(gpe), 0] { body.append(littleEndian: block) }
    body += [4, 2, 0, 4, gpeCount, 0, 0, 0]  // Their lengths; GPE1_BASE and CST_CNT: none.
    body.append(littleEndian: UInt16(0xFFF))  // P_LVL2_LAT: more than 100 µs, so there is no C2,
    body.append(littleEndian: UInt16(0xFFF))  // and P_LVL3_LAT: no C3.
    body.append(littleEndian: UInt32(0))  // FLUSH_SIZE, FLUSH_STRIDE: WBINVD works.
    body += [0, 0, 0, 0, Self.centuryByte]  // Duty cycle, day and month alarm: none.
    body.append(littleEndian: bootFlags.rawValue)
    body.append(0)
    body.append(littleEndian: flags.rawValue)
    body += Self.port(Self.reset.port, bits: 8)
    body += [Self.reset.value, 0, 0, 0]
    body.append(littleEndian: UInt64(0))  // X_FIRMWARE_CTRL: FIRMWARE_CTRL serves.
    body.append(littleEndian: UInt64(dsdt))
    body += Self.port(UInt64(event), bits: 32)
    body += Self.noBlock
    body += Self.port(UInt64(control), bits: 16)
    body += Self.noBlock + Self.noBlock
    body += Self.port(UInt64(timer), bits: 32)
    body += Self.port(UInt64(gpe), bits: UInt8(truncatingIfNeeded: UInt(gpeCount) * 8))
    body += Self.noBlock
    return body
  }

  private var flags: Flags { [.wbinvd, .c1OnAllCPUs, .noFixedSleepButton, .resetRegister, .platformClock] }

  private var bootFlags: BootFlags {
    var flags: BootFlags = [.legacyDevices]
    if platform.hasKeyboardController { flags.insert(.keyboardController) }
    if !platform.hasVGA { flags.insert(.noVGA) }
    return flags
  }

  /// A generic address (ACPI 6.4, section 5.2.3.2) in I/O space.
  private static func port(_ port: UInt64, bits: UInt8) -> [UInt8] {
    var bytes: [UInt8] = [1, bits, 0, 0]
    bytes.append(littleEndian: port)
    return bytes
  }

  /// A generic address of a block that is not there.
  private static let noBlock = [UInt8](repeating: 0, count: 12)
}
