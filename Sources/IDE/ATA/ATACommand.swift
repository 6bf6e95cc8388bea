// SPDX-License-Identifier: GPL-2.0-or-later

/// Command codes (ATA/ATAPI-6, section 8; ATA8-ACS for DATA SET MANAGEMENT).
enum ATACommand: UInt8 {
  case nop = 0x00
  case dataSetManagement = 0x06
  case deviceReset = 0x08
  case recalibrate = 0x10
  case readSectors = 0x20
  case readSectorsNoRetry = 0x21
  case readSectorsExt = 0x24
  case readDMAExt = 0x25
  case readNativeMaxExt = 0x27
  case readMultipleExt = 0x29
  case writeSectors = 0x30
  case writeSectorsNoRetry = 0x31
  case writeSectorsExt = 0x34
  case writeDMAExt = 0x35
  case writeMultipleExt = 0x39
  case writeDMAFUAExt = 0x3D
  case verify = 0x40
  case verifyNoRetry = 0x41
  case verifyExt = 0x42
  case seek = 0x70
  case executeDeviceDiagnostic = 0x90
  case initializeParameters = 0x91
  case standbyImmediateOld = 0x94
  case idleImmediateOld = 0x95
  case standbyOld = 0x96
  case idleOld = 0x97
  case checkPowerModeOld = 0x98
  case sleepOld = 0x99
  case packet = 0xA0
  case identifyPacketDevice = 0xA1
  case smart = 0xB0
  case readMultiple = 0xC4
  case writeMultiple = 0xC5
  case setMultiple = 0xC6
  case readDMA = 0xC8
  case readDMANoRetry = 0xC9
  case writeDMA = 0xCA
  case writeDMANoRetry = 0xCB
  case writeMultipleFUAExt = 0xCE
  case standbyImmediate = 0xE0
  case idleImmediate = 0xE1
  case standby = 0xE2
  case idle = 0xE3
  case checkPowerMode = 0xE5
  case sleep = 0xE6
  case flushCache = 0xE7
  case flushCacheExt = 0xEA
  case identifyDevice = 0xEC
  case setFeatures = 0xEF
  case securityFreezeLock = 0xF5
  case readNativeMax = 0xF8
}

/// Subcommands of SET FEATURES (ATA/ATAPI-6, section 8.46).
enum ATAFeature {
  static let enableWriteCache: UInt8 = 0x02
  static let setTransferMode: UInt8 = 0x03
  static let enableAPM: UInt8 = 0x05
  static let disableReadLookAhead: UInt8 = 0x55
  static let disableReverting: UInt8 = 0x66
  static let disableWriteCache: UInt8 = 0x82
  static let disableAPM: UInt8 = 0x85
  static let enableReadLookAhead: UInt8 = 0xAA
  static let enableReverting: UInt8 = 0xCC
}

/// Subcommands of SMART (ATA/ATAPI-6, section 8.48), and the key without which they are refused.
enum SMARTFeature {
  static let readData: UInt8 = 0xD0
  static let readThresholds: UInt8 = 0xD1
  static let attributeAutosave: UInt8 = 0xD2
  static let executeOffline: UInt8 = 0xD4
  static let readLog: UInt8 = 0xD5
  static let enable: UInt8 = 0xD8
  static let disable: UInt8 = 0xD9
  static let returnStatus: UInt8 = 0xDA
  static let keyMid: UInt16 = 0x4F
  static let keyHigh: UInt16 = 0xC2
}
