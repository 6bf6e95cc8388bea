// SPDX-License-Identifier: GPL-2.0-or-later

/// Why a device of the host cannot be had.
public struct HostUSBError: Error, Equatable, CustomStringConvertible, Sendable {
  /// A sentence for people.
  public let description: String
  init(_ description: String) { self.description = description }
}
