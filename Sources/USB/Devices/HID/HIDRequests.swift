// SPDX-License-Identifier: GPL-2.0-or-later

/// Class requests (Device Class Definition for Human Interface Devices 1.11, section 7.2).
enum HIDRequest {
  static let getReport: UInt8 = 0x01
  static let getIdle: UInt8 = 0x02
  static let getProtocol: UInt8 = 0x03
  static let setReport: UInt8 = 0x09
  static let setIdle: UInt8 = 0x0A
  static let setProtocol: UInt8 = 0x0B
}

/// Descriptor types (section 7.1).
enum HIDDescriptorType {
  static let hid: UInt8 = 0x21
  static let report: UInt8 = 0x22
}

/// Report types of GET_REPORT and SET_REPORT (section 7.2.1).
enum HIDReportType {
  static let input: UInt8 = 1
  static let output: UInt8 = 2
}

/// bInterfaceSubClass and bInterfaceProtocol (sections 4.2 and 4.3).
enum HIDInterface {
  static let keyboard: (UInt8, UInt8, UInt8) = (3, 1, 1)
  static let mouse: (UInt8, UInt8, UInt8) = (3, 1, 2)
  static let other: (UInt8, UInt8, UInt8) = (3, 0, 0)
}
