// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// The SMBus host controller with nobody on the bus: each transaction ends with "no device" (PIIX4 data sheet, section
/// 7.3).
struct SMBusHost: Codable, Equatable, Sendable {
  private enum Offset {
    static let status = 0x00
    static let control = 0x02
    static let command = 0x03
    static let address = 0x04
    static let data0 = 0x05
    static let data1 = 0x06
  }
  /// SMBHSTSTS: bit 1 interrupt (done), bit 2 device error.
  private static let deviceError: UInt8 = 1 << 2
  /// SMBHSTCNT: bit 6 START.
  private static let start: UInt8 = 1 << 6

  private var status: UInt8 = 0
  private var control: UInt8 = 0
  private var registers: [UInt8] = [0, 0, 0, 0]

  mutating func read(_ offset: Int) -> UInt8 {
    switch offset {
    case Offset.status: status
    case Offset.control: control & ~Self.start
    case Offset.command...Offset.data1: registers.indices.contains(offset - 3) ? registers[offset - 3] : 0
    default: 0
    }
  }

  mutating func write(_ offset: Int, _ value: UInt8) {
    switch offset {
    case Offset.status: status &= ~value
    case Offset.control:
      control = value
      if value & Self.start != 0 { status |= Self.deviceError }
    case Offset.command...Offset.data1:
      if registers.indices.contains(offset - 3) { registers[offset - 3] = value }
    default: break
    }
  }
}
