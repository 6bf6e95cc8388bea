// SPDX-License-Identifier: GPL-2.0-or-later

/// Register offsets of a 16550A (National Semiconductor PC16550D data sheet, table II).
enum UARTOffset {
  /// Receive buffer, transmit holding, or with DLAB the divisor's low byte.
  static let data = 0
  /// Interrupt enable, or with DLAB the divisor's high byte.
  static let interruptEnable = 1
  /// Read: interrupt identification. Written: FIFO control.
  static let interruptIdentification = 2
  static let lineControl = 3
  static let modemControl = 4
  static let lineStatus = 5
  static let modemStatus = 6
  static let scratch = 7
}

/// Interrupt enable (8.6).
enum UARTInterruptEnable {
  static let received: UInt8 = 1 << 0
  static let transmitterEmpty: UInt8 = 1 << 1
  static let lineStatus: UInt8 = 1 << 2
  static let modemStatus: UInt8 = 1 << 3
}

/// Interrupt identification (8.5), by falling priority.
enum UARTInterruptIdentification {
  static let lineStatus: UInt8 = 0x06
  static let received: UInt8 = 0x04
  static let timeout: UInt8 = 0x0C
  static let transmitterEmpty: UInt8 = 0x02
  static let modemStatus: UInt8 = 0x00
  static let none: UInt8 = 0x01
  static let fifosEnabled: UInt8 = 0xC0
}

/// FIFO control (8.4).
enum UARTFIFOControl {
  static let enable: UInt8 = 1 << 0
  static let clearReceiver: UInt8 = 1 << 1
  static let clearTransmitter: UInt8 = 1 << 2
  /// The receiver's trigger level: 1, 4, 8 or 14 bytes.
  static let trigger: UInt8 = 3 << 6
}

/// Line control (8.1).
enum UARTLineControl {
  /// Five to eight data bits.
  static let wordLength: UInt8 = 3
  static let twoStopBits: UInt8 = 1 << 2
  static let parity: UInt8 = 1 << 3
  static let divisorLatch: UInt8 = 1 << 7
}

/// Modem control (8.7).
enum UARTModemControl {
  static let dtr: UInt8 = 1 << 0
  static let rts: UInt8 = 1 << 1
  static let out1: UInt8 = 1 << 2
  static let out2: UInt8 = 1 << 3
  static let loopback: UInt8 = 1 << 4
}

/// Line status (8.3).
enum UARTLineStatus {
  static let dataReady: UInt8 = 1 << 0
  static let overrun: UInt8 = 1 << 1
  static let breakInterrupt: UInt8 = 1 << 4
  static let transmitHoldingEmpty: UInt8 = 1 << 5
  static let transmitterEmpty: UInt8 = 1 << 6
  /// What raises the line status interrupt.
  static let errors: UInt8 = 0x1E
}

/// Modem status (8.8): the low four bits tell changes of the high four.
enum UARTModemStatus {
  static let cts: UInt8 = 1 << 4
  static let dsr: UInt8 = 1 << 5
  static let ri: UInt8 = 1 << 6
  static let dcd: UInt8 = 1 << 7
  static let trailingEdgeRI: UInt8 = 1 << 2
}
