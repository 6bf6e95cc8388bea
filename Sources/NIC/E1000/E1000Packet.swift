// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

/// A packet to be sent: what its descriptors say, and its bytes as pieces of guest memory in
/// `E1000Buffers.pieces`.
struct E1000Packet {
  /// How many descriptors it takes.
  var descriptorCount = 0
  /// Only a context was set.
  var isContext = false
  var byteCount = 0
  var pieceCount = 0
  /// All bytes are in `E1000Buffers.linear`.
  var isLinear = false
  /// More than can be sent; the bytes gathered are not all.
  var isTooLong = false
  var hasData = false

  var isSegmented = false
  var insertsIPChecksum = false
  var insertsTCPUDPChecksum = false
  /// Where a legacy descriptor wants a checksum.
  var insertsLegacyChecksum = false
  var legacyStart = 0
  var legacyOffset = 0
  var insertsFCS = false
  var tag: UInt16?

  /// Descriptors before the last want their status.
  var reportsEarly = false
  var reportsAtEnd = false
  var delaysInterrupt = false
  /// The last descriptor's second half.
  var lastUpper: UInt32 = 0
}

extension E1000 {
  /// The ring of transmit descriptors as the registers have it.
  var transmitBase: UInt64 {
    UInt64(registers[E1000Register.tdbah >> 2]) << 32 | UInt64(registers[E1000Register.tdbal >> 2])
  }

  private func transmitDescriptor(_ index: Int) -> E1000TransmitDescriptor {
    let address = GuestAddress(transmitBase) + index &* E1000TransmitDescriptor.byteCount
    if let bytes = memory.hostBytes(at: address, count: E1000TransmitDescriptor.byteCount, for: .read),
      let base = bytes.baseAddress, bytes.count == E1000TransmitDescriptor.byteCount
    {
      return E1000TransmitDescriptor(
        first: base.loadUnaligned(as: UInt64.self),
        lower: base.loadUnaligned(fromByteOffset: 8, as: UInt32.self),
        upper: base.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    }
    return E1000TransmitDescriptor(first: 0, lower: 0, upper: 0)
  }

  /// Gathers the packet, or the context, at `head`.
  /// - Returns: whether its end is in the ring before `tail` and within `limit` descriptors.
  func gather(_ packet: inout E1000Packet, from head: Int, to tail: Int, ringCount: Int, limit: Int) -> Bool {
    var index = head
    while index != tail, packet.descriptorCount < limit {
      let descriptor = transmitDescriptor(index)
      packet.descriptorCount &+= 1
      index = index &+ 1 >= ringCount ? 0 : index &+ 1
      switch descriptor.kind {
      case .context:
        setContext(descriptor)
        if !packet.hasData {
          packet.isContext = true
          packet.reportsAtEnd = descriptor.reportsStatus
          packet.delaysInterrupt = descriptor.delaysInterrupt
          packet.lastUpper = descriptor.upper
          return true
        }
      case .legacy: addLegacy(descriptor, to: &packet)
      case .data: addData(descriptor, to: &packet)
      case .unknown: break
      }
      if descriptor.kind != .context, descriptor.isEndOfPacket {
        packet.insertsFCS = descriptor.insertsFCS
        packet.reportsAtEnd = descriptor.reportsStatus
        packet.delaysInterrupt = descriptor.delaysInterrupt
        packet.lastUpper = descriptor.upper
        return true
      }
      if descriptor.reportsStatus { packet.reportsEarly = true }
    }
    // A whole ring without an end of a packet is thrown away, lest it be looked at for ever.
    packet.isTooLong = packet.descriptorCount >= ringCount
    return packet.isTooLong
  }

  private func setContext(_ descriptor: E1000TransmitDescriptor) {
    let context = E1000TransmitContext(descriptor)
    if descriptor.isSegmented { segmentationContext = context } else { checksumContext = context }
  }

  private func addLegacy(_ descriptor: E1000TransmitDescriptor, to packet: inout E1000Packet) {
    if !packet.hasData {
      packet.hasData = true
      packet.insertsLegacyChecksum = descriptor.insertsChecksum
      packet.legacyStart = descriptor.legacyChecksumStart
      packet.legacyOffset = descriptor.legacyChecksumOffset
    }
    if descriptor.insertsVLAN { packet.tag = descriptor.special }
    add(GuestAddress(descriptor.first), descriptor.legacyLength, to: &packet)
  }

  private func addData(_ descriptor: E1000TransmitDescriptor, to packet: inout E1000Packet) {
    if !packet.hasData {
      packet.hasData = true
      packet.isSegmented = descriptor.isSegmented
      packet.insertsIPChecksum = descriptor.insertsIPChecksum
      packet.insertsTCPUDPChecksum = descriptor.insertsTCPUDPChecksum
    }
    if descriptor.insertsVLAN { packet.tag = descriptor.special }
    add(GuestAddress(descriptor.first), descriptor.dataLength, to: &packet)
  }

  private func add(_ address: GuestAddress, _ count: Int, to packet: inout E1000Packet) {
    guard !packet.isTooLong, count <= PacketLimits.largestFrame &- packet.byteCount else {
      packet.isTooLong = true
      return
    }
    var done = 0
    while done < count {
      let address = address + done
      guard let bytes = memory.hostBytes(at: address, count: count &- done, for: .read),
        let base = bytes.baseAddress
      else { break }
      append(UnsafeRawPointer(base), bytes.count, to: &packet)
      done &+= bytes.count
    }
    // There is no memory, or no more: the bus gives nothing that could be sent.
    while done < count {
      let part = min(count &- done, E1000Buffers.zeroByteCount)
      append(UnsafeRawPointer(buffers.zeros), part, to: &packet)
      done &+= part
    }
  }

  private func append(_ base: UnsafeRawPointer, _ count: Int, to packet: inout E1000Packet) {
    let pieces = buffers.pieces
    if !packet.isLinear, packet.pieceCount > 0 {
      let last = pieces[packet.pieceCount &- 1]
      if let end = last.iov_base.map({ UnsafeRawPointer($0) + last.iov_len }), end == base {
        pieces[packet.pieceCount &- 1].iov_len &+= count
        packet.byteCount &+= count
        return
      }
    }
    if !packet.isLinear, packet.pieceCount == E1000Buffers.pieceLimit { makeLinear(&packet) }
    if packet.isLinear {
      memcpy(buffers.linear + packet.byteCount, base, count)
      pieces[0].iov_len &+= count
    } else {
      pieces[packet.pieceCount] = iovec(iov_base: UnsafeMutableRawPointer(mutating: base), iov_len: count)
      packet.pieceCount &+= 1
    }
    packet.byteCount &+= count
  }

  /// Copies a packet's bytes into one piece.
  func makeLinear(_ packet: inout E1000Packet) {
    guard !packet.isLinear else { return }
    copy(packet, from: 0, count: packet.byteCount, to: buffers.linear)
    buffers.pieces[0] = iovec(iov_base: buffers.linear, iov_len: packet.byteCount)
    packet.pieceCount = 1
    packet.isLinear = true
  }

  /// Calls `body` with the memory that holds the packet's bytes `start ..< start + count`, piece by piece.
  @inline(__always)
  func forEachPiece(
    of packet: E1000Packet, from start: Int, count: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void
  ) {
    var skip = start
    var left = count
    var index = 0
    while left > 0, index < packet.pieceCount {
      let piece = buffers.pieces[index]
      index &+= 1
      if skip >= piece.iov_len {
        skip &-= piece.iov_len
        continue
      }
      guard let base = piece.iov_base else { continue }
      let part = min(piece.iov_len &- skip, left)
      body(base + skip, part)
      skip = 0
      left &-= part
    }
  }

  /// Copies bytes of a packet, as many as there are.
  func copy(_ packet: E1000Packet, from start: Int, count: Int, to destination: UnsafeMutablePointer<UInt8>) {
    var done = 0
    forEachPiece(of: packet, from: start, count: count) { base, part in
      memcpy(destination + done, base, part)
      done &+= part
    }
  }
}
