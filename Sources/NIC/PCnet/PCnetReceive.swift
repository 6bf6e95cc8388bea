// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The receive ring ("Receive Descriptor Table Entry") and what is let into it ("Address Matching").

extension PCnet {
  private static let leastByteCount = 60
  private static let longestByteCount = 4096

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard !isPaused, !isTransmitting else {
      hasRefusedFrame = true
      return false
    }
    guard port.isLinkUp, !mode.contains(.loopback) else { return true }
    guard accept(frame) else {
      hasRefusedFrame = true
      // The guest gives buffers without telling.
      if !pollTimer.isArmed { pollTimer.arm(at: clock.now &+ 1_600_000) }
      return false
    }
    return true
  }

  /// Takes a frame.
  /// - Returns: false if there is no room for it.
  func accept(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard isRunning, status.contains(.receiveOn), frame.count >= 14,
      frame.count <= Self.longestByteCount &- 4,
      let match = match(frame)
    else { return true }
    let ringCount = ringCount(PCnetCSR.receiveLength)
    let base = ringBase(PCnetCSR.receiveBase)
    if receiveIndex >= ringCount { receiveIndex = 0 }

    let padding = max(Self.leastByteCount &- frame.count, 0)
    var total = frame.count &+ padding &+ 4
    var trailer = (UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    let type = Int(frame[12]) << 8 | Int(frame[13])
    if csr[PCnetCSR.features] & PCnetFeatures.stripPadding != 0, type < 46 {
      total = min(14 &+ type, frame.count)
    }

    // Enough buffers in a row?
    var needed = 0
    var room = 0
    var index = receiveIndex
    while room < total {
      guard needed < ringCount else {
        // Never.
        csr[PCnetCSR.missedFrames] &+= 1
        raise(.missedFrame)
        return true
      }
      let descriptor = descriptor(base, index)
      guard descriptor.isOwn else { return false }
      room &+= descriptor.byteCount
      needed &+= 1
      index = index &+ 1 >= ringCount ? 0 : index &+ 1
    }

    withUnsafeMutableBytes(of: &trailer) { trailer in
      if total > frame.count &+ padding { putFCS(of: frame, padding: padding, into: trailer) }
      store(
        frame, UnsafeRawBufferPointer(rebasing: trailer[..<max(total &- frame.count, 0)]), total: total, base,
        ringCount: ringCount, match: match)
    }
    raise(.receiveInterrupt)
    return true
  }

  private func putFCS(
    of frame: UnsafeRawBufferPointer, padding: Int, into trailer: UnsafeMutableRawBufferPointer
  ) {
    if padding == 0 {
      trailer.storeBytes(of: EthernetCRC.checksum(frame), as: UInt32.self)
      return
    }
    withUnsafeTemporaryAllocation(byteCount: Self.leastByteCount, alignment: 8) { bytes in
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      bytes.copyMemory(from: frame)
      trailer.storeBytes(
        of: EthernetCRC.checksum(UnsafeRawBufferPointer(bytes)), toByteOffset: padding, as: UInt32.self)
    }
  }

  private func store(
    _ frame: UnsafeRawBufferPointer, _ trailer: UnsafeRawBufferPointer, total: Int, _ base: GuestAddress,
    ringCount: Int, match: UInt32
  ) {
    var done = 0
    while done < total {
      let descriptor = descriptor(base, receiveIndex)
      let count = min(descriptor.byteCount, total &- done)
      let fromFrame = max(min(frame.count &- done, count), 0)
      if fromFrame > 0 {
        memory.write(
          descriptor.address, from: UnsafeRawBufferPointer(rebasing: frame[done..<(done &+ fromFrame)]))
      }
      if count > fromFrame {
        let start = done &+ fromFrame &- frame.count
        memory.write(
          descriptor.address + fromFrame,
          from: UnsafeRawBufferPointer(rebasing: trailer[start..<(start &+ count &- fromFrame)]))
      }
      var status = descriptor.status & 0xFFFF
      if !style.is32Bit { status |= descriptor.status & 0x00FF_0000 }
      if done == 0 { status |= PCnetDescriptorBits.start }
      done &+= count
      if done == total {
        status |= PCnetDescriptorBits.end | (style.is32Bit ? match : 0)
        let address = base + (receiveIndex &* style.descriptorByteCount)
        if style.is32Bit {
          memory.store(UInt32(truncatingIfNeeded: total), at: address + style.messageOffset)
        } else {
          memory.store(UInt16(truncatingIfNeeded: total), at: address + 6)
        }
      }
      storeStatus(status, base, receiveIndex)
      receiveIndex = receiveIndex &+ 1 >= ringCount ? 0 : receiveIndex &+ 1
    }
  }

  /// Why a frame of at least 14 bytes is let in, as bits of a receive descriptor; nil if it is not.
  private func match(_ frame: UnsafeRawBufferPointer) -> UInt32? {
    let destination = UnsafeRawBufferPointer(rebasing: frame[..<6])
    var isBroadcast = true
    var isOwn = true
    for index in 0..<6 {
      let own = UInt8(truncatingIfNeeded: csr[PCnetCSR.physicalAddress + index / 2] >> UInt16(index % 2 * 8))
      if destination[index] != own { isOwn = false }
      if destination[index] != 0xFF { isBroadcast = false }
    }
    if isBroadcast, !mode.contains(.disableBroadcast) { return PCnetDescriptorBits.broadcastMatch }
    if isOwn, !mode.contains(.disablePhysicalAddress) { return PCnetDescriptorBits.physicalMatch }
    if destination[0] & 1 != 0, !isBroadcast {
      // The six upper bits of the register before its complement.
      let hash = Int(~EthernetCRC.checksum(destination) >> 26)
      if csr[PCnetCSR.groupFilter + hash >> 4] >> UInt16(hash & 15) & 1 != 0 {
        return PCnetDescriptorBits.groupMatch
      }
    }
    return mode.contains(.promiscuous) ? 0 : nil
  }

  public var receiveFilter: ReceiveFilter {
    let isOn = status.contains(.receiveOn)
    var filter = ReceiveFilter(
      address: MACAddress(
        (0..<6).map {
          UInt8(truncatingIfNeeded: csr[PCnetCSR.physicalAddress + $0 / 2] >> UInt16($0 % 2 * 8))
        }))
    filter.isPromiscuous = isOn && mode.contains(.promiscuous)
    filter.broadcastAllowed = isOn && !mode.contains(.disableBroadcast)
    filter.unicast = !isOn ? .none : filter.isPromiscuous ? .all : .normal
    filter.multicast = !isOn ? .none : filter.isPromiscuous ? .all : .normal
    filter.multicastOverflow = (0..<4).contains { csr[PCnetCSR.groupFilter + $0] != 0 }
    return filter
  }
}
