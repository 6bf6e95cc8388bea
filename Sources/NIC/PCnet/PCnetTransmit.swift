// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// The transmit ring ("Transmit Descriptor Table Entry").

extension PCnet {
  /// How many bytes a run may send, with an allowance for each frame, before the machine's lock is given back.
  private static let workLimit = 4 << 20
  private static let workPerFrame = 512

  func descriptor(_ base: GuestAddress, _ index: Int) -> PCnetDescriptor {
    let address = base + index &* style.descriptorByteCount
    if style.is32Bit {
      return PCnetDescriptor(
        address: GuestAddress(memory.load(address + style.addressOffset, as: UInt32.self) ?? 0),
        status: memory.load(address + 4, as: UInt32.self) ?? 0)
    }
    let low = memory.load(address, as: UInt32.self) ?? 0
    let count = memory.load(address + 4, as: UInt16.self) ?? 0
    let upper = UInt32(csr[PCnetCSR.initializationAddressHigh] & 0xFF00) << 16
    return PCnetDescriptor(
      address: GuestAddress(low & 0xFF_FFFF | upper), status: low & 0xFF00_0000 | UInt32(count))
  }

  /// Writes a descriptor's status back.
  func storeStatus(_ status: UInt32, _ base: GuestAddress, _ index: Int) {
    let address = base + index &* style.descriptorByteCount
    if style.is32Bit {
      memory.store(status, at: address + 4)
    } else {
      memory.store(UInt8(truncatingIfNeeded: status >> 24), at: address + 3)
    }
  }

  /// Sends the frames that are in the ring, at most once around it.
  func transmit() {
    guard status.contains(.transmitOn), !isTransmitting, !isPortFull else { return }
    let ringCount = ringCount(PCnetCSR.transmitLength)
    let base = ringBase(PCnetCSR.transmitBase)
    var left = ringCount
    var work = Self.workLimit
    var hasSent = false
    isTransmitting = true
    while left > 0 {
      if transmitIndex >= ringCount { transmitIndex = 0 }
      let first = descriptor(base, transmitIndex)
      guard first.isOwn else { break }
      guard work > 0 else {
        pollTimer.arm(at: clock.now)
        break
      }
      guard first.status & PCnetDescriptorBits.start != 0 else {
        // In the middle of a packet whose start is lost.
        storeStatus(first.status & ~PCnetDescriptorBits.own, base, transmitIndex)
        transmitIndex &+= 1
        left &-= 1
        continue
      }
      guard let packet = gather(base, ringCount: ringCount, limit: left), hand(packet) else { break }
      release(packet, base, ringCount: ringCount)
      left &-= packet.descriptorCount
      work &-= packet.byteCount &+ Self.workPerFrame
      hasSent = true
    }
    isTransmitting = false
    if hasSent {
      updateInterrupt()
      port.endOfBatch()
    }
  }

  private struct Packet {
    var descriptorCount = 0
    var byteCount = 0
    var isTooLong = false
    var lastStatus: UInt32 = 0
    var firstStatus: UInt32 = 0
  }

  /// Copies the packet at the ring's present place into `frame`.
  /// - Returns: nil if its end is not there yet.
  private func gather(_ base: GuestAddress, ringCount: Int, limit: Int) -> Packet? {
    var packet = Packet()
    var index = transmitIndex
    while packet.descriptorCount < limit {
      let descriptor = descriptor(base, index)
      guard descriptor.isOwn else { return nil }
      if packet.descriptorCount == 0 { packet.firstStatus = descriptor.status }
      packet.descriptorCount &+= 1
      index = index &+ 1 >= ringCount ? 0 : index &+ 1
      let count = descriptor.byteCount
      if packet.isTooLong || count > Self.frameByteCount &- packet.byteCount {
        packet.isTooLong = true
      } else {
        let bytes = UnsafeMutableRawBufferPointer(start: frame + packet.byteCount, count: count)
        // Where there is no memory, nothing that could be sent comes.
        if !memory.read(descriptor.address, into: bytes) {
          memset(frame + packet.byteCount, 0, count)
        }
        packet.byteCount &+= count
      }
      packet.lastStatus = descriptor.status
      if descriptor.status & PCnetDescriptorBits.end != 0 { return packet }
    }
    // A ring without an end is thrown away.
    packet.isTooLong = true
    return packet.descriptorCount >= ringCount ? packet : nil
  }

  /// - Returns: false if the port is full.
  private func hand(_ packet: Packet) -> Bool {
    guard !packet.isTooLong else { return true }
    var count = packet.byteCount
    // Without a frame check sequence of the card's the guest has put one behind.
    if mode.contains(.disableTransmitFCS), packet.firstStatus & PCnetDescriptorBits.addFCS == 0 {
      count = max(count &- 4, 0)
    }
    if csr[PCnetCSR.features] & PCnetFeatures.padTransmit != 0, count < 60 {
      memset(frame + count, 0, 60 &- count)
      count = 60
    }
    guard count >= 14 else { return true }
    if mode.contains(.loopback) {
      _ = accept(UnsafeRawBufferPointer(start: frame, count: count))
      return true
    }
    var piece = iovec(iov_base: frame, iov_len: count)
    let isTaken = withUnsafePointer(to: &piece) {
      port.send(UnsafeBufferPointer(start: $0, count: 1), .none)
    }
    if !isTaken { isPortFull = true }
    return isTaken
  }

  /// Gives a packet's descriptors back.
  private func release(_ packet: Packet, _ base: GuestAddress, ringCount: Int) {
    for _ in 0..<packet.descriptorCount {
      let status =
        descriptor(base, transmitIndex).status & ~PCnetDescriptorBits.own & ~PCnetDescriptorBits.error
      storeStatus(status, base, transmitIndex)
      transmitIndex = transmitIndex &+ 1 >= ringCount ? 0 : transmitIndex &+ 1
    }
    csr[PCnetCSR.features] |= PCnetFeatures.transmitStarted
    let extended = csr[PCnetCSR.extended]
    if extended & PCnetExtended.noInterruptWhenSent != 0 { return }
    if extended & PCnetExtended.lastTransmitInterrupt != 0,
      packet.lastStatus & PCnetDescriptorBits.interrupt == 0
    {
      return
    }
    csr[PCnetCSR.status] |= PCnetStatus.transmitInterrupt.rawValue
  }
}
