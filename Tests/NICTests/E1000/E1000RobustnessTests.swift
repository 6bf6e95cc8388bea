// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Glibc
import GuestMemory
import Network
import PCI
import TestSupport
import Testing

@testable import NIC

/// A cable that only counts, without touching the heap.
private final class CountingPort: PacketPort {
  weak var receiver: (any PacketReceiver)?
  var isLinkUp: Bool { true }
  var offloads: PacketOffloads { [] }
  var count = 0
  func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    count += 1
    return true
  }
  func receiverBecameReady() {}
}

@Suite struct E1000RobustnessTests {
  /// Frames go out and come in without a heap allocation.
  @Test func allocatesNothing() throws {
    let driver = try E1000Driver()
    let port = CountingPort()
    let card = E1000(
      memory: driver.board.memory.memory, port: port, address: E1000Driver.address, clock: driver.board.clock,
      optionROM: nil)
    driver.board.writeConfiguration(E1000Driver.place, 0x04, 0)
    driver.board.pci.plug(card, at: PCIAddress(4, 0))
    driver.board.writeConfiguration(PCIAddress(4, 0), 0x10, UInt32(E1000Driver.window))
    driver.board.writeConfiguration(PCIAddress(4, 0), 0x04, 0x7)
    driver.setUp(rctl: 0x8002)
    driver.write(0x3820, 8)
    driver.write(0xC4, 200)
    let plain = driver.place(Frame.plain(count: 1514))
    let long = driver.place(Frame.ip4(payload: [UInt8](repeating: 5, count: 4000)))
    let incoming = Frame.ip4(payload: [UInt8](repeating: 9, count: 1400))
    var tail = 0
    func queue(_ first: UInt64, _ lower: UInt32, _ upper: UInt32) {
      driver.store(first, at: driver.transmitRing + tail * 16)
      driver.store(lower, at: driver.transmitRing + tail * 16 + 8)
      driver.store(upper, at: driver.transmitRing + tail * 16 + 12)
      tail = (tail + 1) % 64
    }
    func frames() {
      for round in 0..<1000 {
        // A plain frame, a context, and a long segment.
        queue(plain, 1514 | 0x0B00_0000, 0)
        queue(0x0000_3222_0021_180E, 0x2700_0000, 0x05B4_3600)
        queue(long, 4054 | 0x2F10_0000, 0x300)
        driver.write(0x3818, UInt32(tail))
        incoming.withUnsafeBytes { _ = card.receive($0) }
        driver.write(0x2818, UInt32((round + 63) % 64))
        if driver.isInterrupted { _ = driver.read(0xC0) }
        driver.board.clock.advance(by: 10_000)
      }
    }
    frames()
    port.count = 0
    #expect(countingAllocations(frames) == 0)
    #expect(port.count == 4000)
  }

  /// Registers, rings and frames at random.
  @Test(arguments: [1, 0xE1000, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) throws {
    let driver = try E1000Driver()
    var random = SeededGenerator(seed: seed)
    let registers = E1000RegisterMap.kept + [0xC8, 0xD8, 0x08]
    let hot = [0x3818, 0x2818, 0x100, 0x400, 0x3810, 0x2810, 0x00, 0x20, 0x10, 0xC0, 0x3808, 0x2808, 0xC4]
    driver.cable.room = 50
    for round in 0..<2000 {
      if round % 200 == 0 {
        driver.cable.clear()
        driver.setUp(transmitCount: 64, receiveCount: 16)
      }
      let value = UInt32(truncatingIfNeeded: random.next())
      switch UInt8.random(in: 0..<16, using: &random) {
      case 0...2:
        // Descriptors: any, and ones that make some sense.
        let address = driver.transmitRing + Int.random(in: 0..<64, using: &random) * 16
        driver.store(random.next() & (Bool.random(using: &random) ? .max : 0xFF_FFFF), at: address)
        driver.store(value & 0xEF1F_1FFF, at: address + 8)
        driver.store(UInt32(truncatingIfNeeded: random.next()) | 0x100 << 16, at: address + 12)
      case 3:
        let address = driver.receiveRing + Int.random(in: 0..<16, using: &random) * 16
        driver.store(random.next() & (Bool.random(using: &random) ? .max : 0xFF_FFFF), at: address)
      case 4...5:
        let count = Int.random(in: 0..<(value & 7 == 0 ? 20000 : 1600), using: &random)
        if driver.cable.waiting.count < 4 {
          driver.cable.deliver(
            count < 14 ? [UInt8](repeating: 1, count: count) : Frame.plain(to: Frame.broadcast, count: count))
        }
      case 6: driver.board.clock.advance(by: UInt64(value & 0xFFFFF))
      case 7:
        driver.cable.room = Int(value & 63)
        driver.card.packetPortBecameReady()
      case 8...11:
        driver.write(hot.randomElement(using: &random) ?? 0, value & (value >> 31 == 0 ? .max : 0x3F))
      case 12:
        let width: AccessWidth = [.byte, .word, .dword, .qword].randomElement(using: &random) ?? .byte
        let address = GuestAddress(E1000Driver.window + UInt64(value & 0x1FFFF))
        driver.board.memory.write(address, random.next(), width)
        _ = driver.board.memory.read(address, width)
      case 13:
        if value & 15 == 0 { driver.cable.isLinkUp.toggle() }
        driver.board.outl(0xC000, value & 0x1FFFF)
        driver.board.outl(0xC004, value)
      default:
        let offset = registers.randomElement(using: &random) ?? 0
        driver.write(offset, value)
        _ = driver.read(offset)
      }
    }
    _ = driver.card.receiveFilter
  }

  /// A card in the middle of its work goes on elsewhere.
  @Test func stateRoundTrip() throws {
    let source = try E1000Driver()
    source.setUp(receiveCount: 8)
    source.write(0x5200, 0x1234)
    source.write(0xC4, 500)
    source.write(0x3820, 50)
    source.cable.room = 3
    for seed in 0..<6 {
      source.queueLegacy(Frame.plain(to: Frame.other, seed: UInt8(seed)), command: 0x8B00_0000)
    }
    source.kick()
    for seed in 0..<9 { source.cable.deliver(Frame.plain(seed: UInt8(seed))) }
    source.write(0x10, 0x42)
    source.write(0x10, 0x47)
    source.writePHY(0, 0x1340)
    source.card.pause()
    #expect(!source.card.receive(UnsafeRawBufferPointer(start: nil, count: 0)))

    let target = try E1000Driver()
    target.tail = source.tail
    try transplant(from: source.card, to: target.card)
    #expect(target.card.save() == source.card.save())
    target.board.ram.allBytes.copyMemory(from: UnsafeRawBufferPointer(source.board.ram.allBytes))

    for driver in [source, target] {
      driver.cable.room = nil
      driver.cable.clear()
      driver.card.run()
      if driver === source { driver.card.packetPortBecameReady() }
      driver.board.clock.advance(by: 100_000_000)
      driver.write(0x2818, 2)
    }
    #expect(source.cable.sent == target.cable.sent)
    // Lost: negotiation takes the link down.
    #expect(source.read(0x3810) == 6 && target.read(0x3810) == 6)
    #expect(source.read(0x08) == target.read(0x08) && target.read(0x08) & 2 != 0)
    #expect(source.read(0xC0) == target.read(0xC0))
    let configuration = { (driver: E1000Driver) in driver.board.readConfiguration(E1000Driver.place, 0x04) }
    #expect(configuration(source) == configuration(target))
    for driver in [source, target] {
      driver.queueLegacy(Frame.plain())
    }
    for driver in [source, target] { driver.kick() }
    #expect(source.cable.sent.last == Frame.plain() && target.cable.sent.last == Frame.plain())
    #expect(target.isInterrupted == source.isInterrupted)
  }

  @Test func refusesBadStates() throws {
    let driver = try E1000Driver()
    let good = driver.card.save()
    var bad = good
    bad.registers.removeLast()
    #expect(throws: RestoreError.self) { try driver.card.restore(bad) }
    bad = good
    bad.partsSent = -1
    #expect(throws: RestoreError.self) { try driver.card.restore(bad) }
    bad = good
    bad.registers = bad.registers.map { _ in .max }
    try driver.card.restore(bad)
    driver.setUp()
    driver.cable.deliver(Frame.plain(to: Frame.broadcast))
    #expect(driver.received(0).length == 100)
  }
}
