// SPDX-License-Identifier: GPL-2.0-or-later

/// I/O registers, by offset from BAR 4 (UHCI Design Guide 1.1, section 2.1).
enum UHCIRegister {
  static let command = 0x00
  static let status = 0x02
  static let interruptEnable = 0x04
  static let frameNumber = 0x06
  static let frameListBase = 0x08
  static let startOfFrameModify = 0x0C
  static let portStatus = 0x10
  /// The end of the ports' registers: two ports.
  static let portEnd = 0x14
  /// The window's size.
  static let count = 0x20
  /// What drivers that count ports take for "no port": bit 7, always one of a port, is zero.
  static let noPort: UInt16 = 0xFF7F
}

/// Configuration space (82371SB data sheet, section 2.4).
enum UHCIConfigurationOffset {
  /// BAR 4's number.
  static let portBAR = 4
  static let serialBusRelease = 0x60
  static let legacySupport = 0xC0
}

/// LEGSUP (82371SB data sheet, section 2.4.15): no SMI here, so most of it just keeps its value.
enum UHCILegacySupport {
  /// USBPIRQDEN: interrupts reach the PIRQ line.
  static let interruptEnable: UInt16 = 1 << 13
  static let writable: UInt16 = 0x20BF
  static let clearOnWrite: UInt16 = 0x8F00
}

/// USBCMD (section 2.1.1).
struct UHCICommand: OptionSet, Codable {
  let rawValue: UInt16
  /// RS
  static let run = Self(rawValue: 1 << 0)
  /// HCRESET
  static let controllerReset = Self(rawValue: 1 << 1)
  /// GRESET
  static let globalReset = Self(rawValue: 1 << 2)
  /// EGSM
  static let globalSuspend = Self(rawValue: 1 << 3)
  /// FGR
  static let globalResume = Self(rawValue: 1 << 4)
  /// SWDBG: one transaction, then RS is cleared.
  static let debug = Self(rawValue: 1 << 5)
  /// CF
  static let configured = Self(rawValue: 1 << 6)
  /// MAXP
  static let largePackets = Self(rawValue: 1 << 7)
  static let all = Self(rawValue: 0xFF)
}

/// USBSTS (section 2.1.2). HCHalted is not kept: it is the opposite of RS.
struct UHCIStatus: OptionSet, Codable {
  let rawValue: UInt16
  /// USBINT: a transfer with IOC is done, or a short packet came.
  static let interrupt = Self(rawValue: 1 << 0)
  static let errorInterrupt = Self(rawValue: 1 << 1)
  static let resumeDetect = Self(rawValue: 1 << 2)
  static let hostSystemError = Self(rawValue: 1 << 3)
  static let processError = Self(rawValue: 1 << 4)
  static let halted = Self(rawValue: 1 << 5)
  static let clearOnWrite = Self(rawValue: 0x1F)
}

/// USBINTR (section 2.1.3).
struct UHCIInterruptEnable: OptionSet, Codable {
  let rawValue: UInt16
  /// Timeout and CRC errors.
  static let error = Self(rawValue: 1 << 0)
  static let resume = Self(rawValue: 1 << 1)
  static let complete = Self(rawValue: 1 << 2)
  static let shortPacket = Self(rawValue: 1 << 3)
  static let all = Self(rawValue: 0xF)
}

/// PORTSC (section 2.1.7). Connection, line status and speed are the port's; the rest is kept.
struct UHCIPortStatus: OptionSet, USBRootPortStatus, Codable {
  let rawValue: UInt16
  static let connected = Self(rawValue: 1 << 0)
  static let connectChange = Self(rawValue: 1 << 1)
  static let enabled = Self(rawValue: 1 << 2)
  static let enableChange = Self(rawValue: 1 << 3)
  static let dataPlus = Self(rawValue: 1 << 4)
  static let dataMinus = Self(rawValue: 1 << 5)
  static let resume = Self(rawValue: 1 << 6)
  static let alwaysOne = Self(rawValue: 1 << 7)
  static let lowSpeed = Self(rawValue: 1 << 8)
  static let reset = Self(rawValue: 1 << 9)
  static let suspended = Self(rawValue: 1 << 12)
  static let clearOnWrite: Self = [.connectChange, .enableChange]
  static let writable: Self = [.enabled, .resume, .reset, .suspended]
  /// What is kept of it.
  static let kept: Self = [.connectChange, .enableChange, .enabled, .resume, .reset, .suspended]
}
