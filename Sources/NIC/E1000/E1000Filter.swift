// SPDX-License-Identifier: GPL-2.0-or-later

import Network

// Which frames are let in (section 3.2.1 "Packet Address Filtering").

extension E1000 {
  /// How a frame passed the filter.
  enum Passage {
    case refused
    case exact
    /// By the hash of its group address.
    case inexact
  }

  /// Looks at a frame of at least 14 bytes. `tag` is the VLAN tag, if it has one.
  func passage(of frame: UnsafePointer<UInt8>, tag: UInt16?) -> Passage {
    let rctl = receiveControl
    if let tag, rctl.contains(.vlanFilter) {
      let number = Int(tag & 0xFFF)
      guard registers[E1000Register.vfta >> 2 + number >> 5] >> UInt32(number & 31) & 1 != 0 else {
        return .refused
      }
      if rctl.contains(.canonicalFormFilter),
        (tag & 1 << 12 != 0) != rctl.contains(.canonicalForm)
      {
        return .refused
      }
    }
    let isGroup = frame[0] & 1 != 0
    let low =
      UInt32(frame[0]) | UInt32(frame[1]) << 8 | UInt32(frame[2]) << 16 | UInt32(frame[3]) << 24
    let high = UInt32(frame[4]) | UInt32(frame[5]) << 8
    if isGroup {
      if rctl.contains(.multicastPromiscuous) { return .exact }
      if low == 0xFFFF_FFFF && high == 0xFFFF { if rctl.contains(.broadcastAccept) { return .exact } }
    } else if rctl.contains(.unicastPromiscuous) {
      return .exact
    }
    for index in 0..<E1000ReceiveAddress.count {
      let upper = registers[E1000Register.rah >> 2 + index * 2]
      if upper & (E1000ReceiveAddress.valid | E1000ReceiveAddress.selectMask) == E1000ReceiveAddress.valid,
        upper & 0xFFFF == high, registers[E1000Register.ral >> 2 + index * 2] == low
      {
        return .exact
      }
    }
    guard isGroup else { return .refused }
    let hash = Int(high >> rctl.multicastShift & 0xFFF)
    return registers[E1000Register.mta >> 2 + hash >> 5] >> UInt32(hash & 31) & 1 != 0 ? .inexact : .refused
  }

  /// The filter as monitors show it. Groups are known by their hash alone.
  public var receiveFilter: ReceiveFilter {
    let rctl = receiveControl
    var filter = ReceiveFilter(address: ownAddress)
    let isEnabled = rctl.contains(.enable)
    filter.isPromiscuous =
      isEnabled && rctl.contains(.unicastPromiscuous) && rctl.contains(.multicastPromiscuous)
    filter.broadcastAllowed = isEnabled && rctl.contains(.broadcastAccept)
    filter.unicast = !isEnabled ? .none : rctl.contains(.unicastPromiscuous) ? .all : .normal
    filter.multicast = !isEnabled ? .none : rctl.contains(.multicastPromiscuous) ? .all : .normal
    filter.multicastOverflow = (0..<128).contains { registers[E1000Register.mta >> 2 + $0] != 0 }
    for index in 1..<E1000ReceiveAddress.count {
      guard registers[E1000Register.rah >> 2 + index * 2] & E1000ReceiveAddress.valid != 0 else { continue }
      let address = receiveAddress(index)
      if address.isGroup {
        filter.multicastTable.append(address)
      } else {
        filter.unicastTable.append(address)
      }
    }
    filter.vlan = rctl.contains(.vlanFilter) ? .normal : .all
    if rctl.contains(.vlanFilter) {
      filter.vlanTable = (0..<4096).filter {
        registers[E1000Register.vfta >> 2 + $0 >> 5] >> UInt32($0 & 31) & 1 != 0
      }.map { UInt16($0) }
    }
    return filter
  }

  /// The address the card has now: the first of its receive addresses.
  var ownAddress: MACAddress { receiveAddress(0) }

  private func receiveAddress(_ index: Int) -> MACAddress {
    let low = registers[E1000Register.ral >> 2 + index * 2]
    let high = registers[E1000Register.rah >> 2 + index * 2]
    return MACAddress(
      (0..<6).map { UInt8(truncatingIfNeeded: $0 < 4 ? low >> ($0 * 8) : high >> (($0 - 4) * 8)) })
  }
}
