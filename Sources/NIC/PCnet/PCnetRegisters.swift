// SPDX-License-Identifier: GPL-2.0-or-later

/// Offsets in the window of 32 ports or bytes (AMD Am79C970A data sheet, "I/O Resources"): the address PROM, then
/// registers that are two bytes apart in word mode (WIO) and four in double word mode (DWIO).
enum PCnetPort {
  static let byteCount: UInt64 = 32
  static let promByteCount = 16
}

/// What the places behind the PROM are: RDP, RAP, RESET, BDP.
enum PCnetPlace: Int {
  case data = 0
  case address = 1
  case reset = 2
  case busData = 3
}

/// Numbers of control and status registers ("Control and Status Registers").
enum PCnetCSR {
  static let status = 0
  static let initializationAddressLow = 1
  static let initializationAddressHigh = 2
  static let masks = 3
  static let features = 4
  static let extended = 5
  static let ringLengths = 6
  static let groupFilter = 8
  static let physicalAddress = 12
  static let mode = 15
  static let receiveBase = 24
  static let transmitBase = 30
  static let pollingInterval = 47
  static let softwareStyle = 58
  static let receiveCounter = 72
  static let transmitCounter = 74
  static let receiveLength = 76
  static let transmitLength = 78
  static let burst = 80
  static let chipIDLow = 88
  static let chipIDHigh = 89
  static let busTimeout = 100
  static let missedFrames = 112
  static let count = 128
}

/// CSR0.
struct PCnetStatus: OptionSet {
  let rawValue: UInt16
  static let initialize = PCnetStatus(rawValue: 1 << 0)
  static let start = PCnetStatus(rawValue: 1 << 1)
  static let stop = PCnetStatus(rawValue: 1 << 2)
  static let transmitDemand = PCnetStatus(rawValue: 1 << 3)
  static let transmitOn = PCnetStatus(rawValue: 1 << 4)
  static let receiveOn = PCnetStatus(rawValue: 1 << 5)
  static let interruptEnable = PCnetStatus(rawValue: 1 << 6)
  static let interrupt = PCnetStatus(rawValue: 1 << 7)
  static let initializationDone = PCnetStatus(rawValue: 1 << 8)
  static let transmitInterrupt = PCnetStatus(rawValue: 1 << 9)
  static let receiveInterrupt = PCnetStatus(rawValue: 1 << 10)
  static let memoryError = PCnetStatus(rawValue: 1 << 11)
  static let missedFrame = PCnetStatus(rawValue: 1 << 12)
  static let error = PCnetStatus(rawValue: 1 << 15)
  /// Cleared by writing ones.
  static let clearedByOnes: UInt16 = 0x7F00
  /// What interrupts, unless CSR3 masks it.
  static let interrupts: UInt16 = 0x5F00
  /// What ERR sums up.
  static let errors: UInt16 = 0x7800
}

/// CSR3.
enum PCnetMasks {
  static let writable: UInt16 = 0x5F7C
}

/// CSR4: each interrupt's bit is right above its mask.
enum PCnetFeatures {
  static let userInterrupt: UInt16 = 1 << 6
  static let userCommand: UInt16 = 1 << 7
  static let transmitStarted: UInt16 = 1 << 3
  static let missedOverflow: UInt16 = 1 << 9
  static let stripPadding: UInt16 = 1 << 10
  static let padTransmit: UInt16 = 1 << 11
  static let disablePolling: UInt16 = 1 << 12
  /// Cleared by writing ones.
  static let clearedByOnes: UInt16 = 0x026A
  static let masks: UInt16 = 0x0115
  static let writable: UInt16 = 0xFD95
  static let atReset: UInt16 = 0x0115
}

/// CSR5.
enum PCnetExtended {
  static let suspend: UInt16 = 1 << 0
  /// LTINTEN: only descriptors with LTINT interrupt.
  static let lastTransmitInterrupt: UInt16 = 1 << 14
  /// TOKINTD: frames that were sent well do not interrupt.
  static let noInterruptWhenSent: UInt16 = 1 << 15
  static let clearedByOnes: UInt16 = 0x0A90
  static let writable: UInt16 = 0xC54F
}

/// CSR15.
struct PCnetMode: OptionSet {
  let rawValue: UInt16
  static let disableReceiver = PCnetMode(rawValue: 1 << 0)
  static let disableTransmitter = PCnetMode(rawValue: 1 << 1)
  static let loopback = PCnetMode(rawValue: 1 << 2)
  static let disableTransmitFCS = PCnetMode(rawValue: 1 << 3)
  static let disablePhysicalAddress = PCnetMode(rawValue: 1 << 13)
  static let disableBroadcast = PCnetMode(rawValue: 1 << 14)
  static let promiscuous = PCnetMode(rawValue: 1 << 15)
}

/// Numbers of bus configuration registers.
enum PCnetBCR {
  static let masterRead = 0
  static let masterWrite = 1
  static let miscellaneous = 2
  /// LNKST, which shows the link.
  static let link = 4
  static let led3 = 7
  static let fullDuplex = 9
  static let burstControl = 18
  static let eeprom = 19
  static let softwareStyle = 20
  static let interruptControl = 21
  static let latency = 22
  static let count = 32

  static let resetValues: [Int: UInt16] = [
    masterRead: 5, masterWrite: 5, miscellaneous: 2, link: 0xC0, 5: 0x84, 6: 0x88, led3: 0x90,
    burstControl: 0x9001, eeprom: 2, softwareStyle: 0x0200, latency: 0xFF06,
  ]
  static let writable: [Int: UInt16] = [
    miscellaneous: 0x7BFF, link: 0x7FFF, 5: 0x7FFF, 6: 0x7FFF, led3: 0x7FFF, fullDuplex: 3, 16: 0xFFE0,
    burstControl: 0xFFFF, eeprom: 0x4000, interruptControl: 0xFF, latency: 0xFFFF,
  ]
  /// The link's bit among those a LED can show, and what shows that the LED is on.
  static let linkSource: UInt16 = 1 << 6
  static let ledOn: UInt16 = 1 << 15
}

/// The PCI identity ("PCI Configuration Registers"); the chip ID is PCnet-PCI II's.
enum PCnetIdentity {
  static let vendor: UInt16 = 0x1022
  static let device: UInt16 = 0x2000
  static let revision: UInt8 = 0x10
  static let chipID: UInt32 = 0x0262_1003
}
