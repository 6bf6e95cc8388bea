// SPDX-License-Identifier: GPL-2.0-or-later

/// Capability registers, by offset from BAR 0 (EHCI 1.0, section 2.2).
enum EHCICapability {
  /// CAPLENGTH and HCIVERSION.
  static let lengthAndVersion = 0x00
  static let structuralParameters = 0x04
  static let capabilityParameters = 0x08
  /// Where the operational registers are.
  static let length = 0x20
  static let version: UInt32 = 0x0100
  /// HCCPARAMS: a whole frame of the periodic list may be cached; 32 bits, a list of 1024 entries, no parking.
  static let parameters: UInt32 = 0x80
}

/// Operational registers, by offset from CAPLENGTH (section 2.3).
enum EHCIRegister {
  static let command = 0x00
  static let status = 0x04
  static let interruptEnable = 0x08
  static let frameIndex = 0x0C
  static let periodicListBase = 0x14
  static let asyncListAddress = 0x18
  static let configureFlag = 0x40
  static let portStatus = 0x44
  /// BAR 0's size.
  static let count: UInt64 = 0x1000
}

/// Configuration space (section 2.1).
enum EHCIConfigurationOffset {
  static let serialBusRelease = 0x60
  /// FLADJ
  static let frameLengthAdjustment = 0x61
  /// PORTWAKECAP
  static let portWakeCapability = 0x62
}

/// USBCMD (section 2.3.1).
struct EHCICommand: OptionSet, Codable {
  let rawValue: UInt32
  /// RS
  static let run = Self(rawValue: 1 << 0)
  static let controllerReset = Self(rawValue: 1 << 1)
  /// PSE
  static let periodicEnable = Self(rawValue: 1 << 4)
  /// ASE
  static let asyncEnable = Self(rawValue: 1 << 5)
  /// IAAD
  static let asyncAdvanceDoorbell = Self(rawValue: 1 << 6)
  /// Interrupt threshold control.
  static let interruptThreshold = Self(rawValue: 0xFF << 16)
  static let writable: Self = [
    .run, .controllerReset, .periodicEnable, .asyncEnable, .asyncAdvanceDoorbell, .interruptThreshold,
  ]
  /// Eight microframes.
  static let afterReset = Self(rawValue: 8 << 16)
}

/// USBSTS (section 2.3.2), and USBINTR's bits of the same names (section 2.3.3). What says how the schedules are is not
/// kept.
struct EHCIStatus: OptionSet, Codable {
  let rawValue: UInt32
  /// USBINT: a transfer with IOC is done, or a short packet came.
  static let interrupt = Self(rawValue: 1 << 0)
  static let errorInterrupt = Self(rawValue: 1 << 1)
  static let portChange = Self(rawValue: 1 << 2)
  static let frameListRollover = Self(rawValue: 1 << 3)
  static let hostSystemError = Self(rawValue: 1 << 4)
  static let asyncAdvance = Self(rawValue: 1 << 5)
  static let halted = Self(rawValue: 1 << 12)
  static let periodicStatus = Self(rawValue: 1 << 14)
  static let asyncStatus = Self(rawValue: 1 << 15)
  static let clearOnWrite = Self(rawValue: 0x3F)
}

/// PORTSC (section 2.3.9). Connection and line status are the port's; the rest is kept.
struct EHCIPortStatus: OptionSet, USBRootPortStatus, Codable {
  let rawValue: UInt32
  static let connected = Self(rawValue: 1 << 0)
  static let connectChange = Self(rawValue: 1 << 1)
  static let enabled = Self(rawValue: 1 << 2)
  static let enableChange = Self(rawValue: 1 << 3)
  static let resume = Self(rawValue: 1 << 6)
  static let suspended = Self(rawValue: 1 << 7)
  static let reset = Self(rawValue: 1 << 8)
  /// Line status: low speed.
  static let kState = Self(rawValue: 1 << 10)
  /// Line status: full speed, or high before the reset.
  static let jState = Self(rawValue: 1 << 11)
  static let power = Self(rawValue: 1 << 12)
  /// PO: the companion's.
  static let owner = Self(rawValue: 1 << 13)
  /// Indicators, tests and wake enables just keep their values.
  static let free = Self(rawValue: 0x7F_C000)
  static let clearOnWrite: Self = [.connectChange, .enableChange]
  static let kept: Self = [
    .connectChange, .enabled, .enableChange, .resume, .suspended, .reset, .owner, .free,
  ]
}
