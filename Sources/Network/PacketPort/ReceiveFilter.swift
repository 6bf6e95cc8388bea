// SPDX-License-Identifier: GPL-2.0-or-later

/// Which frames a card lets in, as monitors show it.
public struct ReceiveFilter: Equatable, Sendable {
  /// Which of a kind of frames.
  public enum Admission: String, Sendable {
    case none
    case normal
    case all
  }
  /// The card's own address.
  public var address: MACAddress
  /// Whether every frame is let in.
  public var isPromiscuous = false
  /// Whether broadcasts are let in.
  public var broadcastAllowed = true
  /// Frames to other single addresses: `normal` lets in the card's own.
  public var unicast = Admission.normal
  /// Frames to groups: `normal` lets in those of the table.
  public var multicast = Admission.normal
  /// Whether more groups are wanted than the table holds, so that it is a hash.
  public var multicastOverflow = false
  /// Addresses besides the card's own.
  public var unicastTable: [MACAddress] = []
  /// Groups by address, where the card knows them.
  public var multicastTable: [MACAddress] = []
  /// Which VLANs: `normal` lets in those of the table.
  public var vlan = Admission.all
  /// The VLANs let in.
  public var vlanTable: [UInt16] = []

  /// The filter of a card with that address and nothing special.
  public init(address: MACAddress) { self.address = address }
}
