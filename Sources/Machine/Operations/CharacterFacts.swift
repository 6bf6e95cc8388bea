// SPDX-License-Identifier: GPL-2.0-or-later

/// The host's ends of serial lines, consoles and monitors.
extension Machine {
  /// A character device.
  public struct CharacterDeviceFacts: Sendable, Equatable {
    public let label: String
    /// As the option had it.
    public let description: String
  }

  /// The character devices that the configuration names.
  public var characterDevices: [CharacterDeviceFacts] {
    var devices: [CharacterDeviceFacts] = []
    for (index, text) in configuration.serials.enumerated() {
      if let text { devices.append(.init(label: "serial\(index)", description: text)) }
    }
    if let text = configuration.parallel { devices.append(.init(label: "parallel0", description: text)) }
    for (index, console) in configuration.debugConsoles.enumerated() {
      devices.append(.init(label: "debugcon\(index)", description: console.port))
    }
    devices += configuration.monitors.map { .init(label: $0.label, description: $0.port) }
    return devices
  }
}
