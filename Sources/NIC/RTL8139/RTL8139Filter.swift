// SPDX-License-Identifier: GPL-2.0-or-later

import Network

// Which frames are let in (RTL8139C+ data sheet, section 5.11 "RCR").

extension RTL8139 {
  /// How a frame passed the filter.
  enum Passage {
    case refused
    /// To a single address, but not the card's.
    case other
    case own
    case multicast
    case broadcast
  }

  /// Looks at a frame of at least 14 bytes.
  func passage(of frame: UnsafePointer<UInt8>) -> Passage {
    let rcr = receiveConfiguration
    let destination = UnsafeRawPointer(frame).loadUnaligned(as: UInt64.self) & 0xFFFF_FFFF_FFFF
    if destination == 0xFFFF_FFFF_FFFF { return rcr.contains(.broadcast) ? .broadcast : .refused }
    if frame[0] & 1 != 0 {
      guard rcr.contains(.multicast) else { return .refused }
      let hash = EthernetCRC.groupHash(UnsafeRawBufferPointer(start: frame, count: 6))
      return wideRegister(RTL8139Register.mar0) >> UInt64(hash) & 1 != 0 ? .multicast : .refused
    }
    if destination == ownAddressBits {
      return rcr.contains(.ownAddress) || rcr.contains(.allUnicast) ? .own : .refused
    }
    return rcr.contains(.allUnicast) ? .other : .refused
  }

  /// The first byte in the lowest bits.
  private var ownAddressBits: UInt64 { wideRegister(RTL8139Register.idr0) & 0xFFFF_FFFF_FFFF }

  /// The filter as monitors show it. Groups are known by their hash alone.
  public var receiveFilter: ReceiveFilter {
    let own = ownAddressBits
    var filter = ReceiveFilter(
      address: MACAddress((0..<6).map { UInt8(truncatingIfNeeded: own >> ($0 * 8)) }))
    let rcr = receiveConfiguration
    let groups = wideRegister(RTL8139Register.mar0)
    let isEnabled = chipCommand & RTL8139Command.receive != 0
    filter.broadcastAllowed = isEnabled && rcr.contains(.broadcast)
    filter.unicast =
      !isEnabled ? .none : rcr.contains(.allUnicast) ? .all : rcr.contains(.ownAddress) ? .normal : .none
    filter.multicast = !isEnabled || !rcr.contains(.multicast) ? .none : groups == .max ? .all : .normal
    filter.isPromiscuous = filter.unicast == .all && filter.multicast == .all
    filter.multicastOverflow = groups != 0
    return filter
  }
}
