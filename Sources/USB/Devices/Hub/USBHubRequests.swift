// SPDX-License-Identifier: GPL-2.0-or-later

/// The hub descriptor's type (USB 2.0 section 11.23.2).
enum USBHubDescriptor {
  static let type: UInt8 = 0x29
}

/// Feature selectors of hubs and ports (USB 2.0 table 11-17).
enum USBHubFeature {
  static let changeLocalPower: UInt16 = 0
  static let changeOverCurrent: UInt16 = 1
  static let portEnable: UInt16 = 1
  static let portSuspend: UInt16 = 2
  static let portReset: UInt16 = 4
  static let portPower: UInt16 = 8
  static let changeConnection: UInt16 = 16
  static let changeReset: UInt16 = 20
}

/// A port's status and its changes (USB 2.0 tables 11-21 and 11-22); a change has the bit of what changed.
struct USBHubPortStatus: OptionSet, Codable, Sendable {
  let rawValue: UInt16
  static let connection = USBHubPortStatus(rawValue: 1 << 0)
  static let enable = USBHubPortStatus(rawValue: 1 << 1)
  static let suspend = USBHubPortStatus(rawValue: 1 << 2)
  static let overCurrent = USBHubPortStatus(rawValue: 1 << 3)
  static let reset = USBHubPortStatus(rawValue: 1 << 4)
  static let power = USBHubPortStatus(rawValue: 1 << 8)
  static let lowSpeed = USBHubPortStatus(rawValue: 1 << 9)
}
