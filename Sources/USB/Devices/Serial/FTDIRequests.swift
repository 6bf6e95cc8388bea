// SPDX-License-Identifier: GPL-2.0-or-later

/// Vendor requests of FTDI's FT232BM, as its drivers use them; FTDI publishes no list.
enum FTDIRequest {
  /// wValue 0 resets, 1 empties what goes to the host, 2 what comes from it.
  static let reset: UInt8 = 0
  static let setModemControl: UInt8 = 1
  static let setFlowControl: UInt8 = 2
  static let setBaudRate: UInt8 = 3
  static let setData: UInt8 = 4
  static let getModemStatus: UInt8 = 5
  static let setEventCharacter: UInt8 = 6
  static let setErrorCharacter: UInt8 = 7
  static let setLatencyTimer: UInt8 = 9
  static let getLatencyTimer: UInt8 = 10
}

/// The two bytes before each packet's data: the modem's lines, and the line's status as a 16550 has it.
enum FTDIStatus {
  /// Always set.
  static let reserved: UInt8 = 0x01
  static let clearToSend: UInt8 = 0x10
  static let dataSetReady: UInt8 = 0x20
  static let carrierDetect: UInt8 = 0x80
  /// The transmitter's holding and shift registers are empty.
  static let transmitterEmpty: UInt8 = 0x60
  static let breakInterrupt: UInt8 = 0x10
}
