// SPDX-License-Identifier: GPL-2.0-or-later

/// The SMBus host controller with nobody on the bus: each transaction ends with "device error", as it does when no
/// device acknowledges its address (PIIX4 data sheet, section 7.3).
struct SMBusHost: Codable, Equatable, Sendable {
  /// The number of ports.
  static let portCount = 16

  private enum Offset {
    static let hostStatus = 0x00
    static let slaveStatus = 0x01
    static let hostControl = 0x02
    static let blockData = 0x07
  }
  /// SMBHSTSTS: host busy, interrupt, device error, bus collision, failed.
  private static let deviceError: UInt8 = 1 << 2
  private static let hostStatusBits: UInt8 = 0x1E
  /// SMBHSTCNT: START reads as zero, as does KILL once it is done.
  private static let start: UInt8 = 1 << 6
  private static let kill: UInt8 = 1 << 1
  private static let failed: UInt8 = 1 << 4
  private static let hostControlBits: UInt8 = 0x1D
  /// SMBHSTCMD, SMBHSTADD, SMBHSTDAT0 and 1, the slave's registers: they keep what is written.
  private static let plain = 0x03..<0x10

  private var status: UInt8 = 0
  private var control: UInt8 = 0
  private var registers = [UInt8](repeating: 0, count: plain.count)

  /// Whether a state that was read in has the right shape.
  var isValid: Bool { registers.count == Self.plain.count }

  func read(_ offset: Int) -> UInt8 {
    switch offset {
    case Offset.hostStatus: status
    case Offset.hostControl: control
    // The block buffer is empty: nothing was ever received.
    case Offset.slaveStatus, Offset.blockData: 0
    case Self.plain: registers[offset - Self.plain.lowerBound]
    default: 0
    }
  }

  mutating func write(_ offset: Int, _ value: UInt8) {
    switch offset {
    case Offset.hostStatus: status &= ~(value & Self.hostStatusBits)
    case Offset.slaveStatus, Offset.blockData: break
    case Offset.hostControl:
      control = value & Self.hostControlBits
      if value & Self.kill != 0 {
        status |= Self.failed
      } else if value & Self.start != 0 {
        status |= Self.deviceError
      }
    case Self.plain: registers[offset - Self.plain.lowerBound] = value
    default: break
    }
  }
}
