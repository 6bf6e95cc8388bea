// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

// Transmission, and the four descriptors of C mode (RTL8139C+ data sheet, section 5.4 "TSD").

extension RTL8139 {
  public func packetPortBecameReady() {
    isPortFull = false
    transmit()
  }

  /// Sends what there is to be sent.
  func transmit() {
    guard chipCommand & RTL8139Command.transmit != 0, isBusMaster, !isTransmitting, !isPortFull, !isPaused
    else {
      return
    }
    isTransmitting = true
    let isWork = plusCommand.contains(.transmit) ? transmitQueues() : transmitDescriptors()
    isTransmitting = false
    if isWork { port.endOfBatch() }
  }

  /// TSD0 … TSD3, or in C+ mode DTCCR.
  func writeTransmitStatus(_ offset: Int, _ value: UInt32, _ mask: UInt32) {
    let index = offset >> 2
    guard !plusCommand.contains(.transmit) else {
      registers[index] = registers[index] & ~mask | value & mask
      return dumpStatistics()
    }
    let mask = mask & RTL8139TransmitStatus.writable
    registers[index] =
      registers[index] & ~mask & RTL8139TransmitStatus.writable
      & ~(RTL8139TransmitStatus.sent | RTL8139TransmitStatus.underrun) | value & mask
    transmit()
  }

  private func dumpStatistics() {
    let command: UInt32 = 1 << 3
    let low = registers[RTL8139Register.dtccr >> 2]
    guard low & command != 0 else { return }
    registers[RTL8139Register.dtccr >> 2] = low & ~command
    guard isBusMaster else { return }
    statistics.dump(at: GuestAddress(wideRegister(RTL8139Register.dtccr) & ~0x3F), in: memory)
  }

  /// TSAD: the four descriptors in short.
  var transmitSummary: UInt32 {
    var summary: UInt32 = 0
    for index in 0..<4 {
      let status = registers[RTL8139Register.tsd.lowerBound >> 2 + index]
      let shift = UInt32(index)
      if status & RTL8139TransmitStatus.own != 0 { summary |= 1 << shift }
      if status & RTL8139TransmitStatus.aborted != 0 { summary |= 1 << (4 + shift) }
      if status & RTL8139TransmitStatus.underrun != 0 { summary |= 1 << (8 + shift) }
      if status & RTL8139TransmitStatus.sent != 0 { summary |= 1 << (12 + shift) }
    }
    return summary
  }

  /// Sends the descriptors of C mode in their order.
  private func transmitDescriptors() -> Bool {
    var isWork = false
    for _ in 0..<4 {
      let index = RTL8139Register.tsd.lowerBound >> 2 + transmitIndex
      let status = registers[index]
      guard status & RTL8139TransmitStatus.own == 0 else { break }
      isWork = true
      pieces.removeAll()
      pieces.add(
        GuestAddress(UInt64(registers[RTL8139Register.tsad >> 2 + transmitIndex])),
        Int(status & RTL8139TransmitStatus.sizeMask), from: memory)
      guard emit(headerCount: 0, tag: nil, from: 0, count: pieces.byteCount, .none) else { break }
      registers[index] = status | RTL8139TransmitStatus.own | RTL8139TransmitStatus.sent
      transmitIndex = (transmitIndex &+ 1) & 3
      raise(.sent)
    }
    return isWork
  }

  /// Hands over a frame made of the header and of what was gathered.
  /// - Returns: false if the port is full.
  func emit(headerCount: Int, tag: UInt16?, from start: Int, count: Int, _ offload: PacketOffload) -> Bool {
    // Less than a header is no frame.
    guard headerCount &+ count >= 14 else { return true }
    let frame = pieces.frame(headerCount: headerCount, tag: tag, from: start, count: count)
    if isLoopback {
      if let looped = pieces.looped(frame), !accept(looped) { countMissed() }
    } else {
      guard port.send(frame, offload) else {
        isPortFull = true
        return false
      }
    }
    statistics.sent &+= 1
    return true
  }
}
