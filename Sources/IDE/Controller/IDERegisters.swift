// SPDX-License-Identifier: GPL-2.0-or-later

/// Offsets in the command block (ATA/ATAPI-6, section 7).
enum CommandBlock {
  static let data = 0
  /// Read: error. Written: features.
  static let error = 1
  static let sectorCount = 2
  static let lbaLow = 3
  static let lbaMid = 4
  static let lbaHigh = 5
  static let device = 6
  /// Read: status. Written: command.
  static let status = 7
}

/// The status register (ATA/ATAPI-6, section 7.15).
struct ATAStatus: OptionSet, Codable, Equatable {
  let rawValue: UInt8
  static let error = ATAStatus(rawValue: 1 << 0)
  static let dataRequest = ATAStatus(rawValue: 1 << 3)
  /// DSC, which drivers of old disks wait for; SERV to packet devices.
  static let seekComplete = ATAStatus(rawValue: 1 << 4)
  static let deviceFault = ATAStatus(rawValue: 1 << 5)
  static let ready = ATAStatus(rawValue: 1 << 6)
  static let busy = ATAStatus(rawValue: 1 << 7)
  // Sets of them have names: a literal of several would be an array on the heap wherever it is not optimized away.
  /// BSY and DRQ: a command is under way.
  static let underWay = ATAStatus(rawValue: 1 << 7 | 1 << 3)
  /// ERR and DF: the last one went wrong.
  static let failed = ATAStatus(rawValue: 1 << 5 | 1 << 0)
  /// DRDY and DSC: nothing is under way.
  static let idle = ATAStatus(rawValue: 1 << 6 | 1 << 4)
}

/// The error register (ATA/ATAPI-6, section 7.9).
enum ATAError {
  static let aborted: UInt8 = 1 << 2
  static let idNotFound: UInt8 = 1 << 4
  static let uncorrectable: UInt8 = 1 << 6
}

/// The device control register (ATA/ATAPI-6, section 7.8).
enum DeviceControl {
  static let interruptDisable: UInt8 = 1 << 1
  static let softwareReset: UInt8 = 1 << 2
  /// HOB: the previous contents of two-byte registers are read.
  static let highOrderByte: UInt8 = 1 << 7
}

/// The device register (ATA/ATAPI-6, section 7.7).
enum DeviceRegister {
  static let device1: UInt8 = 1 << 4
  static let lba: UInt8 = 1 << 6
  /// Bits that read as one in old disks.
  static let obsolete: UInt8 = 0xA0
}

/// The interrupt reason register of a packet device, in the place of the sector count (ATA/ATAPI-6, section 7.11).
enum InterruptReason {
  static let commandOrData: UInt8 = 1 << 0
  static let toHost: UInt8 = 1 << 1
}

/// Offsets in a channel's eight bus-master ports (Programming Interface for Bus Master IDE Controller 1.0, section 2).
enum BusMasterOffset {
  static let command = 0
  static let status = 2
  static let table = 4
}

/// The bus-master command register (BMIDE 1.0, section 2.1).
enum BusMasterCommand {
  static let start: UInt8 = 1 << 0
  /// The controller writes to memory: the disk is read.
  static let toMemory: UInt8 = 1 << 3
}

/// The bus-master status register (BMIDE 1.0, section 2.2).
enum BusMasterStatus {
  static let active: UInt8 = 1 << 0
  static let error: UInt8 = 1 << 1
  static let interrupt: UInt8 = 1 << 2
  static let capabilities: UInt8 = 0x60
}

/// Configuration registers of the IDE function (PIIX3 data sheet, section 2.3).
enum IDEConfiguration {
  /// IDETIM of the primary and of the secondary channel; bit 15 enables its decoding.
  static let timing = 0x40
  static let slaveTiming = 0x44
}
