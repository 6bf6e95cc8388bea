// SPDX-License-Identifier: GPL-2.0-or-later

/// Where the register sets are in BAR 0 (xHCI 1.2, chapter 5).
enum XHCIWindow {
  /// CAPLENGTH: the operational registers.
  static let operational = 0x40
  /// Extended capabilities.
  static let extendedCapabilities = 0x20
  static let ports = operational + 0x400
  /// RTSOFF
  static let runtime = 0x1000
  static let interrupters = runtime + 0x20
  /// DBOFF
  static let doorbells = 0x2000
  /// BAR 0's size.
  static let count: UInt64 = 0x4000
}

/// Capability registers, by offset from BAR 0 (section 5.3).
enum XHCICapability {
  /// CAPLENGTH and HCIVERSION.
  static let lengthAndVersion = 0x00
  static let structuralParameters1 = 0x04
  static let structuralParameters2 = 0x08
  static let capabilityParameters1 = 0x10
  static let doorbellOffset = 0x14
  static let runtimeOffset = 0x18
  /// xHCI 1.0
  static let version: UInt32 = 0x0100
  /// AC64, and where the extended capabilities are, in words. Contexts have 32 bytes; there are no streams, and ports
  /// always have power.
  static let parameters1 = 1 | UInt32(XHCIWindow.extendedCapabilities / 4) << 16
}

/// Operational registers, by offset from CAPLENGTH (section 5.4).
enum XHCIOperational {
  static let command = 0x00
  static let status = 0x04
  static let pageSize = 0x08
  static let deviceNotification = 0x14
  static let commandRing = 0x18
  static let contextArray = 0x30
  static let configure = 0x38
}

/// A port's registers, by offset from its first (section 5.4.8).
enum XHCIPortRegister {
  static let statusAndControl = 0x0
  static let powerManagement = 0x4
  static let count = 0x10
}

/// An interrupter's registers, by offset from its first (section 5.5.2).
enum XHCIInterrupterRegister {
  static let management = 0x00
  static let moderation = 0x04
  static let segmentTableSize = 0x08
  static let segmentTable = 0x10
  static let dequeue = 0x18
  static let count = 0x20
}

/// Configuration space (section 5.2).
enum XHCIConfigurationOffset {
  static let serialBusRelease = 0x60
  /// FLADJ
  static let frameLengthAdjustment = 0x61
}

/// USBCMD (section 5.4.1).
struct XHCICommand: OptionSet, Codable {
  let rawValue: UInt32
  /// R/S
  static let run = Self(rawValue: 1 << 0)
  /// HCRST
  static let controllerReset = Self(rawValue: 1 << 1)
  /// INTE
  static let interrupterEnable = Self(rawValue: 1 << 2)
  /// HSEE
  static let hostSystemErrorEnable = Self(rawValue: 1 << 3)
  /// CSS
  static let saveState = Self(rawValue: 1 << 8)
  /// CRS
  static let restoreState = Self(rawValue: 1 << 9)
  static let kept: Self = [.run, .interrupterEnable, .hostSystemErrorEnable]
}

/// USBSTS (section 5.4.2).
struct XHCIStatus: OptionSet, Codable {
  let rawValue: UInt32
  /// HCH
  static let halted = Self(rawValue: 1 << 0)
  /// HSE
  static let hostSystemError = Self(rawValue: 1 << 2)
  /// EINT
  static let eventInterrupt = Self(rawValue: 1 << 3)
  /// PCD
  static let portChange = Self(rawValue: 1 << 4)
  /// SRE
  static let saveRestoreError = Self(rawValue: 1 << 10)
  static let clearOnWrite: Self = [.hostSystemError, .eventInterrupt, .portChange, .saveRestoreError]
}

/// PORTSC (section 5.4.8). Connection and speed are the port's; the link state is kept beside it.
struct XHCIPortStatus: OptionSet, Codable {
  let rawValue: UInt32
  /// CCS
  static let connected = Self(rawValue: 1 << 0)
  /// PED
  static let enabled = Self(rawValue: 1 << 1)
  /// PR
  static let reset = Self(rawValue: 1 << 4)
  /// PP
  static let power = Self(rawValue: 1 << 9)
  /// PIC: the indicators just keep their values.
  static let indicators = Self(rawValue: 3 << 14)
  /// LWS: the link state is to be written.
  static let linkStateStrobe = Self(rawValue: 1 << 16)
  /// CSC
  static let connectChange = Self(rawValue: 1 << 17)
  /// PEC
  static let enableChange = Self(rawValue: 1 << 18)
  /// WRC
  static let warmResetChange = Self(rawValue: 1 << 19)
  /// OCC
  static let overCurrentChange = Self(rawValue: 1 << 20)
  /// PRC
  static let resetChange = Self(rawValue: 1 << 21)
  /// PLC
  static let linkStateChange = Self(rawValue: 1 << 22)
  /// CEC
  static let configErrorChange = Self(rawValue: 1 << 23)
  /// WCE, WDE and WOE
  static let wakeEnables = Self(rawValue: 7 << 25)
  /// WPR
  static let warmReset = Self(rawValue: 1 << 31)
  static let changes: Self = [
    .connectChange, .enableChange, .warmResetChange, .overCurrentChange, .resetChange, .linkStateChange,
    .configErrorChange,
  ]
  static let free: Self = [.indicators, .wakeEnables]
  static let kept: Self = changes.union(free).union(.enabled)
}

/// PLS: what a port's link does (section 5.4.8).
enum XHCILinkState: UInt8, Codable {
  /// U0: in use.
  case active = 0
  /// U3
  case suspended = 3
  case disabled = 4
  case detectsReceiver = 5
  case polling = 7
  case resume = 15
}

/// IMAN (section 5.5.2.1).
struct XHCIInterrupterManagement: OptionSet, Codable {
  let rawValue: UInt32
  /// IP
  static let pending = Self(rawValue: 1 << 0)
  /// IE
  static let enabled = Self(rawValue: 1 << 1)
}

/// Registers of 64 bits are read and written in halves.
extension UInt64 {
  var lowWord: UInt32 { UInt32(truncatingIfNeeded: self) }
  var highWord: UInt32 { UInt32(truncatingIfNeeded: self >> 32) }
  func replacingLowWord(_ word: UInt32) -> UInt64 { self & ~0xFFFF_FFFF | UInt64(word) }
  func replacingHighWord(_ word: UInt32) -> UInt64 { self & 0xFFFF_FFFF | UInt64(word) << 32 }
}
