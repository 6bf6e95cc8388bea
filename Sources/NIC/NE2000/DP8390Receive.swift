// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Network

// The receive ring (DP8390D data sheet, section 7) and the address filter (section 6.2).

extension DP8390 {
  private static let pageByteCount = 256
  private static let headerByteCount = 4

  /// Takes a frame from the cable.
  /// - Returns: false if the ring has no room for it now.
  func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard !isPaused else {
      hasRefusedFrame = true
      return false
    }
    guard !command.contains(.stop), !isLoopback, frame.count >= 14, let base = frame.baseAddress else {
      return true
    }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    guard accepts(bytes) else { return true }
    guard !receiveConfiguration.contains(.monitor) else {
      countMissed()
      return true
    }
    let padding = max(FrameTrailer.leastByteCount &- frame.count, 0)
    let count = frame.count &+ padding &+ FrameTrailer.fcsByteCount
    let pages = (Self.headerByteCount &+ count &+ Self.pageByteCount &- 1) / Self.pageByteCount
    let ringPages = Int(pageStop) &- Int(pageStart)
    guard pages < ringPages, count <= 0xFFFF else {
      countMissed()
      return true
    }
    guard pages < freePages(ringPages) else {
      hasRefusedFrame = true
      callDriverAgain()
      return false
    }
    store(frame, padding: padding, count: count, isGroup: bytes[0] & 1 != 0)
    raise(.received)
    return true
  }

  /// The pages from the one to be written up to the boundary; the last of them stays free.
  private func freePages(_ ringPages: Int) -> Int {
    let distance = Int(boundary) &- Int(current)
    return distance > 0 ? distance : ringPages &+ distance
  }

  private func accepts(_ frame: UnsafePointer<UInt8>) -> Bool {
    let destination = Self.address(frame)
    if destination == 0xFFFF_FFFF_FFFF { return receiveConfiguration.contains(.acceptBroadcast) }
    if frame[0] & 1 != 0 {
      guard receiveConfiguration.contains(.acceptMulticast) else { return false }
      let hash = EthernetCRC.groupHash(UnsafeRawBufferPointer(start: frame, count: 6))
      return groups >> UInt64(hash) & 1 != 0
    }
    return receiveConfiguration.contains(.promiscuous) || destination == physicalAddress
  }

  /// Six bytes with the first in the lowest bits.
  private static func address(_ bytes: UnsafePointer<UInt8>) -> UInt64 {
    UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self) & 0xFFFF_FFFF_FFFF
  }

  private func store(_ frame: UnsafeRawBufferPointer, padding: Int, count: Int, isGroup: Bool) {
    let status = DP8390ReceiveStatus.intact | (isGroup ? DP8390ReceiveStatus.group : 0)
    let header = Int(current) &* Self.pageByteCount
    var place = header &+ Self.headerByteCount
    put(frame, at: &place)
    put(trailer.make(for: frame, padding: padding), at: &place)
    // The next frame begins on a page of its own.
    if place % Self.pageByteCount != 0 { place = (place / Self.pageByteCount &+ 1) &* Self.pageByteCount }
    current = page(of: place)
    memory[header] = status
    memory[header &+ 1] = current
    memory[header &+ 2] = UInt8(truncatingIfNeeded: count)
    memory[header &+ 3] = UInt8(truncatingIfNeeded: count >> 8)
    receiveStatus = status
  }

  /// The page of an address that may lie right behind a page of the ring.
  private func page(of address: Int) -> UInt8 {
    let page = UInt8(truncatingIfNeeded: address / Self.pageByteCount)
    return page == pageStop ? pageStart : page
  }

  /// Writes bytes from `place` on, round the ring.
  private func put(_ bytes: UnsafeRawBufferPointer, at place: inout Int) {
    var done = 0
    while done < bytes.count {
      if place % Self.pageByteCount == 0 { place = Int(page(of: place)) &* Self.pageByteCount }
      let part = min(Self.pageByteCount &- place % Self.pageByteCount, bytes.count &- done)
      if let base = bytes.baseAddress, let target = memory.bytes(at: place, count: part)?.baseAddress {
        memcpy(target, base + done, part)
      }
      place &+= part
      done &+= part
    }
  }

  /// The filter as monitors show it. Groups are known by their hash alone.
  var receiveFilter: ReceiveFilter {
    var filter = ReceiveFilter(
      address: MACAddress((0..<6).map { UInt8(truncatingIfNeeded: physicalAddress >> ($0 * 8)) }))
    let isStarted = !command.contains(.stop)
    let configuration = receiveConfiguration
    filter.broadcastAllowed = isStarted && configuration.contains(.acceptBroadcast)
    filter.unicast = !isStarted ? .none : configuration.contains(.promiscuous) ? .all : .normal
    filter.multicast =
      !isStarted || !configuration.contains(.acceptMulticast) ? .none : groups == .max ? .all : .normal
    filter.isPromiscuous = filter.unicast == .all && filter.multicast == .all
    filter.multicastOverflow = groups != 0
    return filter
  }
}
