// SPDX-License-Identifier: GPL-2.0-or-later

/// Operation codes (SPC-3, SBC-2, MMC-4).
public enum SCSIOperation {
  public static let testUnitReady: UInt8 = 0x00
  public static let requestSense: UInt8 = 0x03
  public static let formatUnit: UInt8 = 0x04
  public static let read6: UInt8 = 0x08
  public static let write6: UInt8 = 0x0A
  public static let inquiry: UInt8 = 0x12
  public static let modeSelect6: UInt8 = 0x15
  public static let modeSense6: UInt8 = 0x1A
  public static let startStopUnit: UInt8 = 0x1B
  public static let sendDiagnostic: UInt8 = 0x1D
  public static let preventAllowMediumRemoval: UInt8 = 0x1E
  public static let readFormatCapacities: UInt8 = 0x23
  public static let readCapacity10: UInt8 = 0x25
  public static let read10: UInt8 = 0x28
  public static let write10: UInt8 = 0x2A
  public static let seek10: UInt8 = 0x2B
  public static let verify10: UInt8 = 0x2F
  public static let synchronizeCache10: UInt8 = 0x35
  public static let unmap: UInt8 = 0x42
  public static let readTOC: UInt8 = 0x43
  public static let getConfiguration: UInt8 = 0x46
  public static let getEventStatus: UInt8 = 0x4A
  public static let readDiscInformation: UInt8 = 0x51
  public static let modeSense10: UInt8 = 0x5A
  public static let read16: UInt8 = 0x88
  public static let write16: UInt8 = 0x8A
  public static let verify16: UInt8 = 0x8F
  public static let synchronizeCache16: UInt8 = 0x91
  public static let serviceActionIn16: UInt8 = 0x9E
  public static let reportLUNs: UInt8 = 0xA0
  public static let read12: UInt8 = 0xA8
  public static let write12: UInt8 = 0xAA
  public static let readDVDStructure: UInt8 = 0xAD
  public static let setCDSpeed: UInt8 = 0xBB
  public static let mechanismStatus: UInt8 = 0xBD
  public static let readCD: UInt8 = 0xBE
  /// The service action of SERVICE ACTION IN(16) that is READ CAPACITY(16).
  public static let readCapacity16: UInt8 = 0x10
}
