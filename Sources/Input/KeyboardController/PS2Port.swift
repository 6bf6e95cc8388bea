// SPDX-License-Identifier: GPL-2.0-or-later

/// A device on a PS/2 port: bytes from the controller, and bytes to it when it asks.
protocol PS2Device: AnyObject {
  /// The controller sends a byte.
  func receive(_ byte: UInt8)
  /// The next byte for the controller, taken out of the device.
  func nextByte() -> UInt8?
  /// Called when there is something to take.
  var onOutput: () -> Void { get set }
}
