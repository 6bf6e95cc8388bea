// SPDX-License-Identifier: GPL-2.0-or-later

/// How a class or vendor request ended.
public enum USBControlResult: Sendable {
  /// Done; of an IN request, so many bytes of data.
  case success(Int)
  /// Refused.
  case stall
  /// The device answers later, by ``USBDevice/completeControl(_:)``; until then the data or status stage gets NAK.
  case pending
}

/// What every device keeps: a part of its subclass's saved state.
public struct USBDeviceCore: Codable, Equatable, Sendable {
  /// The longest data stage of a control request, in bytes; longer ones are refused.
  static let controlByteCount = 4096
  /// Interfaces with alternate settings are numbered up to this.
  static let interfaceCount = 32

  /// Where a control transfer is (USB 2.0 section 8.5.3).
  public enum ControlStage: UInt8, Codable, Sendable {
    case idle
    /// The data goes to the host.
    case dataIn
    /// The data comes from the host.
    case dataOut
    /// The host reads the status: the request is done then.
    case statusIn
    /// The host acknowledges the data.
    case statusOut
    /// The request was refused: all tokens but SETUP are answered with STALL.
    case stalled
  }

  /// Its address; 0 after a reset.
  public internal(set) var address: UInt8 = 0
  /// bConfigurationValue of the present configuration; 0 for none.
  public internal(set) var configuration: UInt8 = 0
  /// The alternate settings other than 0, by interface.
  var alternates: [UInt8: UInt8] = [:]
  /// DEVICE_REMOTE_WAKEUP: the driver lets it wake the bus.
  public internal(set) var mayWakeUp = false
  public internal(set) var isSuspended = false
  private var haltedIn: UInt16 = 0
  private var haltedOut: UInt16 = 0

  var stage = ControlStage.idle
  var request = USBRequest(packet: 0)
  /// The data stage's length, and how much of it was moved.
  var controlCount = 0
  var controlPosition = 0
  /// The device has not answered yet.
  var isAnswerPending = false
  /// The data, in a saved state.
  var controlData: [UInt8] = []

  /// The alternate setting of an interface.
  public func alternate(_ interface: UInt8) -> UInt8 { alternates[interface] ?? 0 }

  /// Whether an endpoint answers STALL until it is cleared.
  public func isHalted(_ endpoint: USBEndpointAddress) -> Bool {
    (endpoint.isIn ? haltedIn : haltedOut) >> UInt16(endpoint.number) & 1 != 0
  }

  mutating func setHalted(_ endpoint: USBEndpointAddress, _ isHalted: Bool) {
    let bit: UInt16 = 1 << UInt16(endpoint.number)
    if endpoint.isIn {
      haltedIn = isHalted ? haltedIn | bit : haltedIn & ~bit
    } else {
      haltedOut = isHalted ? haltedOut | bit : haltedOut & ~bit
    }
  }

  mutating func clearEndpoints() { (haltedIn, haltedOut, alternates) = (0, 0, [:]) }

  /// Whether a saved state can be one of ours.
  var isValid: Bool {
    address < 128 && (0...Self.controlByteCount).contains(controlCount)
      && (0...controlCount).contains(controlPosition)
      && controlData.count == controlCount && alternates.count <= Self.interfaceCount
  }
}
