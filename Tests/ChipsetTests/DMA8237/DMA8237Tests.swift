// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing

@testable import Chipset

/// The DMA controllers, programmed as drivers do, with a device at the other end.
@Suite struct DMA8237Tests {
  let board: TestBoard
  let dma: DMA8237

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    dma = DMA8237(memory: board.memory.memory)
    dma.map(in: board.ports)
  }

  private static let pagePorts: [UInt16] = [0x87, 0x83, 0x81, 0x82, 0x8F, 0x8B, 0x89, 0x8A]

  /// Programs a channel: `address` in bytes, `units` transfers, `mode` without the channel.
  private func program(_ number: Int, address: Int, units: Int, mode: UInt8) {
    let (base, step): (UInt16, UInt16) = number < 4 ? (0, 1) : (0xC0, 2)
    let channel = UInt16(number & 3)
    let offset = number < 4 ? address & 0xFFFF : address >> 1 & 0xFFFF
    board.outb(base + 0xA * step, UInt8(channel) | 4)
    board.outb(base + 0xC * step, 0)
    board.outb(base + 0xB * step, UInt8(channel) | mode)
    for value in [offset, offset >> 8] {
      board.outb(base + channel * 2 * step, UInt8(truncatingIfNeeded: value))
    }
    for value in [units - 1, (units - 1) >> 8] {
      board.outb(base + (channel * 2 + 1) * step, UInt8(truncatingIfNeeded: value))
    }
    board.outb(Self.pagePorts[number], UInt8(truncatingIfNeeded: address >> 16))
    board.outb(base + 0xA * step, UInt8(channel))
  }

  private func send(_ bytes: [UInt8], on number: Int) throws -> Int {
    let channel = try #require(dma.channel(number))
    return bytes.withUnsafeBytes { channel.write($0) }
  }

  private func fetch(_ count: Int, on number: Int) throws -> [UInt8] {
    let channel = try #require(dma.channel(number))
    var bytes = [UInt8](repeating: 0xEE, count: count)
    let moved = bytes.withUnsafeMutableBytes { channel.read(into: $0) }
    return Array(bytes.prefix(moved))
  }

  private func ram(_ address: Int, _ count: Int) -> [UInt8] {
    Array(board.ram.allBytes[address..<address + count])
  }

  // MARK: Registers

  @Test func theFlipFlopAlternatesBytes() {
    board.outb(0x0C, 0)
    board.outb(0x04, 0x34)
    board.outb(0x04, 0x12)
    board.outb(0x05, 0xFF)
    board.outb(0x05, 0x03)
    #expect([board.inb(0x04), board.inb(0x04)] == [0x34, 0x12])
    #expect(board.inb(0x05) == 0xFF)
    board.outb(0x0C, 0)
    #expect(board.inb(0x05) == 0xFF)
    // The second controller has a flip-flop of its own, and two ports for each register.
    #expect([board.inb(0xC4), board.inb(0xC5)] == [0, 0])
    #expect(board.inb(0x05) == 0x03)
  }

  @Test func masksAreSetOneByOneAndTogether() {
    #expect(board.inb(0x0F) & 15 == 15)
    board.outb(0x0A, 2)
    #expect(board.inb(0x0F) & 15 == 0b1011)
    board.outb(0x0E, 0)
    #expect(board.inb(0x0F) & 15 == 0)
    board.outb(0x0F, 0xF5)
    #expect(board.inb(0x0F) & 15 == 5)
    board.outb(0x0D, 0)
    #expect(board.inb(0x0F) & 15 == 15)
    #expect(board.inb(0xDE) & 15 == 15)
    board.outb(0xD4, 1)
    #expect(board.inb(0xDE) & 15 == 0b1101)
  }

  @Test func pagePortsKeepWhatIsWritten() {
    for port in UInt16(0x80)...0x8F { board.outb(port, UInt8(truncatingIfNeeded: port &* 3)) }
    for port in UInt16(0x80)...0x8F { #expect(board.inb(port) == UInt8(truncatingIfNeeded: port &* 3)) }
  }

  @Test func softwareRequestsShowInTheStatusAndOverrideTheMask() throws {
    program(1, address: 0x2000, units: 4, mode: 0x44)
    board.outb(0x0A, 5)
    #expect(try send([1, 2], on: 1) == 0)
    board.outb(0x09, 5)
    #expect(board.inb(0x08) == 0x20)
    #expect(try send([1, 2, 3, 4], on: 1) == 4)
    // Terminal count takes the request back; reading the status clears the mark.
    #expect(board.inb(0x08) == 0x02)
    #expect(board.inb(0x08) == 0)
    board.outb(0x09, 6)
    board.outb(0x09, 2)
    #expect(board.inb(0x08) == 0)
  }

  // MARK: Transfers

  @Test func bytesGoToMemoryUntilTerminalCount() throws {
    program(2, address: 0x1_2345, units: 6, mode: 0x44)
    let channel = try #require(dma.channel(2))
    #expect(channel.isReady && channel.remainingByteCount == 6)
    #expect(try send([1, 2, 3, 4], on: 2) == 4)
    #expect(board.inb(0x08) & 0x0F == 0)
    #expect(try send([5, 6, 7, 8], on: 2) == 2)
    #expect(ram(0x1_2345, 7) == [1, 2, 3, 4, 5, 6, 0])
    // The channel is masked, its count has run through zero.
    #expect(!channel.isReady)
    #expect(board.inb(0x08) & 0x0F == 4)
    #expect(board.inb(0x0F) & 4 != 0)
    board.outb(0x0C, 0)
    #expect([board.inb(0x05), board.inb(0x05)] == [0xFF, 0xFF])
    #expect([board.inb(0x04), board.inb(0x04)] == [0x4B, 0x23])
  }

  @Test func bytesComeFromMemory() throws {
    for index in 0..<8 { board.ram.allBytes[0x5000 + index] = UInt8(index + 1) }
    program(3, address: 0x5000, units: 8, mode: 0x48)
    #expect(try fetch(5, on: 3) == [1, 2, 3, 4, 5])
    #expect(try fetch(5, on: 3) == [6, 7, 8])
  }

  @Test func wordChannelsCountWords() throws {
    program(5, address: 0x3_0010, units: 3, mode: 0x44)
    #expect(dma.channel(5)?.remainingByteCount == 6)
    #expect(try send([1, 2, 3], on: 5) == 2)
    #expect(try send([3, 4, 5, 6, 7, 8], on: 5) == 4)
    #expect(ram(0x3_0010, 7) == [1, 2, 3, 4, 5, 6, 0])
    #expect(board.inb(0xD0) == 0x02)
  }

  @Test func addressesWrapInsideThePage() throws {
    program(0, address: 0x1_FFFE, units: 4, mode: 0x44)
    #expect(try send([1, 2, 3, 4], on: 0) == 4)
    #expect(ram(0x1_FFFE, 2) == [1, 2] && ram(0x1_0000, 2) == [3, 4] && ram(0x2_0000, 2) == [0, 0])
    // Words wrap inside 128 KiB, and the page's lowest bit means nothing.
    program(6, address: 0x5_FFFE, units: 2, mode: 0x44)
    #expect(try send([5, 6, 7, 8], on: 6) == 4)
    #expect(ram(0x5_FFFE, 2) == [5, 6] && ram(0x4_0000, 2) == [7, 8] && ram(0x6_0000, 2) == [0, 0])
  }

  @Test func decrementingChannelsGoDown() throws {
    program(1, address: 0x3002, units: 4, mode: 0x64)
    #expect(try send([1, 2, 3, 4], on: 1) == 4)
    #expect(ram(0x2FFF, 4) == [4, 3, 2, 1])
  }

  @Test func autoInitializeStartsOver() throws {
    program(1, address: 0x4000, units: 4, mode: 0x54)
    #expect(try send([1, 2, 3, 4, 5, 6], on: 1) == 4)
    #expect(board.inb(0x08) & 0x0F == 2)
    #expect(dma.channel(1)?.isReady == true && dma.channel(1)?.remainingByteCount == 4)
    #expect(try send([5, 6], on: 1) == 2)
    #expect(ram(0x4000, 5) == [5, 6, 3, 4, 0])
  }

  @Test func verifyCountsAndTheOtherDirectionMovesNothing() throws {
    program(2, address: 0x6000, units: 4, mode: 0x40)
    #expect(try send([1, 2], on: 2) == 2)
    #expect(try fetch(2, on: 2) == [0xEE, 0xEE])
    #expect(ram(0x6000, 4) == [0, 0, 0, 0] && board.inb(0x08) & 4 != 0)
    program(2, address: 0x6000, units: 4, mode: 0x48)
    #expect(try send([1, 2], on: 2) == 0)
    program(2, address: 0x6000, units: 4, mode: 0xC4)
    #expect(try send([1, 2], on: 2) == 0)
  }

  @Test func addressesWithoutRAMReadAllOnes() throws {
    program(3, address: 0xFF_0000, units: 4, mode: 0x48)
    #expect(try fetch(4, on: 3) == [0xFF, 0xFF, 0xFF, 0xFF])
    program(3, address: 0xFF_0000, units: 4, mode: 0x44)
    #expect(try send([1, 2, 3, 4], on: 3) == 4)
  }

  @Test func aWaitingDeviceIsCalledWhenTheGuestUnmasks() throws {
    var calls = 0
    let channel = try #require(dma.channel(2) { calls += 1 })
    board.outb(0x0A, 2)
    #expect(calls == 0)
    board.outb(0x0A, 6)
    channel.setRequest(true)
    #expect(board.inb(0x08) == 0x40)
    board.outb(0x08, 4)
    board.outb(0x0A, 2)
    #expect(calls == 0 && !channel.isReady)
    board.outb(0x08, 0)
    #expect(calls == 1)
    channel.setRequest(false)
    board.outb(0x0A, 2)
    #expect(calls == 1 && board.inb(0x08) == 0)
  }

  @Test func channelFourIsTheCascade() {
    #expect(dma.channel(4) == nil)
    #expect(dma.channel(8) == nil)
    #expect(dma.channel(-1) == nil)
  }

  @Test func registerAccessesAllocateNothing() {
    // The first access builds what the language runtime builds once.
    _ = board.inb(0x08)
    board.outb(0x0C, 0)
    let count = countingAllocations {
      for index in 0..<1000 {
        board.outb(0x80, UInt8(truncatingIfNeeded: index))
        board.outb(0x0C, 0)
        board.outb(0x04, 1)
        _ = board.inb(0x04)
        _ = board.inb(0x08)
      }
    }
    #expect(count == 0)
  }

  // MARK: State

  @Test func aRestoredControllerRunsOnEqually() throws {
    program(1, address: 0x4000, units: 8, mode: 0x54)
    program(7, address: 0x8000, units: 4, mode: 0x44)
    #expect(try send([1, 2, 3], on: 1) == 3)
    board.outb(0x02, 0x77)
    let other = DMA8237(memory: board.memory.memory)
    try transplant(from: dma, to: other)
    #expect(other.save() == dma.save())
    let ports = PortSpace()
    other.map(in: ports)
    #expect(ports.read(0x03, .byte) == UInt64(board.inb(0x03)))
    #expect(ports.read(0x8A, .byte) == UInt64(board.inb(0x8A)))
    let channel = try #require(other.channel(1))
    #expect(channel.remainingByteCount == dma.channel(1)?.remainingByteCount)
    #expect([9, 9].withUnsafeBytes { channel.write($0) } == 5)
  }

  @Test func oddStatesAreRefusedOrTrimmed() throws {
    var state = dma.save()
    state.pages.removeLast()
    #expect(throws: RestoreError.self) { try dma.restore(state) }
    state = dma.save()
    state.controllers[0].mask = 0xFF
    state.channels[0].mode = 0xFF
    try dma.restore(state)
    #expect(dma.save().controllers[0].mask == 15 && dma.save().channels[0].mode == 0xFC)
  }

  @Test func resetMasksEverything() {
    board.outb(0x0F, 0)
    board.outb(0x87, 5)
    dma.reset()
    #expect(board.inb(0x0F) & 15 == 15 && board.inb(0x87) == 0)
  }

  // MARK: Hostile guests

  @Test(arguments: [1, 2, 3] as [UInt64])
  func randomAccessesAndTransfersNeitherTrapNorHang(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    var bytes = [UInt8](repeating: 1, count: 0x30000)
    for _ in 0..<3000 {
      let value = generator.next()
      let base: [UInt16] = [0, 0x80, 0xC0]
      let port = base[Int(value % 3)] + UInt16(value >> 8 & 31)
      switch value >> 16 & 7 {
      case 0: _ = board.inb(port)
      case 1: _ = board.inl(port)
      case 2, 3, 4: board.outb(port, UInt8(truncatingIfNeeded: value >> 32))
      case 5: board.outw(port, UInt16(truncatingIfNeeded: value >> 32))
      default:
        guard let channel = dma.channel(Int(value >> 24 & 7)) else { continue }
        let count = Int(value >> 40 & 0x3FF) * (value >> 60 == 0 ? 0x80 : 1)
        let moved = bytes.withUnsafeMutableBytes { buffer in
          let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
          return value >> 20 & 1 == 0 ? channel.read(into: part) : channel.write(UnsafeRawBufferPointer(part))
        }
        #expect(moved <= count)
      }
    }
  }
}
