// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import TestSupport
import Testing

@testable import NIC

@Suite struct RTL8139RobustnessTests {
  /// Saved in the middle of a large send, with the ring of C+ mode in use and the timer running.
  @Test func stateMovesOver() throws {
    let driver = try RTL8139Driver()
    driver.setUpPlus()
    driver.write32(0x54, 1000)
    driver.write32(0x48, 0)
    driver.board.clock.advance(by: 10_000)
    let packet = SamplePacket.make(isTCP: true, payload: SampleFrame.make(count: 4014), flags: 0x19)
    driver.queue([packet], flags: 1 << 27 | 1000 << 16)
    driver.cable.room = 2
    driver.poll()
    driver.cable.deliver(SampleFrame.make())

    let other = try RTL8139Driver()
    let memory = driver.memory(0, 8 << 20)
    other.store(memory, at: 0)
    other.board.clock.advance(by: 10_000)
    driver.card.pause()
    other.card.pause()
    try transplant(from: driver.card, to: other.card)
    #expect(other.card.save() == driver.card.save())
    #expect(other.isInterrupted)
    for each in [driver, other] {
      each.cable.room = nil
      each.card.run()
      each.card.packetPortBecameReady()
      each.cable.deliver(SampleFrame.make(seed: 1))
      each.acknowledge()
      each.board.clock.advance(by: 20_000)
    }
    #expect(other.cable.sent == Array(driver.cable.sent[2...]) && other.cable.sent.count == 3)
    #expect(driver.interruptStatus == 0x4000 && other.interruptStatus == 0x4000)
    #expect(other.memory(0x42000, 64) == driver.memory(0x42000, 64))
    #expect(other.card.save() == driver.card.save())
  }

  @Test func ringMovesOver() throws {
    let driver = try RTL8139Driver()
    driver.setUp(rcr: 0xE70A)
    for seed in 0..<8 { driver.cable.deliver(SampleFrame.make(count: 1514, seed: UInt8(seed))) }
    driver.send(SampleFrame.make())
    let other = try RTL8139Driver()
    other.setUp(rcr: 0xE70A)
    other.store(driver.memory(driver.ring, 0x10000), at: driver.ring)
    try transplant(from: driver.card, to: other.card)
    #expect(other.card.save() == driver.card.save())
    for each in [driver, other] {
      var taken = 0
      while taken < 5, let frame = each.takeFrame(wraps: true) {
        #expect(frame.bytes == SampleFrame.onCable(SampleFrame.make(count: 1514, seed: UInt8(taken))))
        taken += 1
      }
      #expect(taken == 5)
      each.store(SampleFrame.make(seed: 3), at: 0x80000 + 2048)
      each.write32(0x14, 100)
      #expect(each.cable.sent.last == SampleFrame.make(seed: 3))
    }
  }

  @Test func refusesWrongStates() throws {
    let driver = try RTL8139Driver()
    func refuses(_ change: (inout RTL8139.State) -> Void) -> Bool {
      var state = driver.card.save()
      change(&state)
      do { try driver.card.restore(state) } catch { return true }
      return false
    }
    #expect(refuses { $0.registers.removeLast() })
    #expect(refuses { $0.receiveIndex = 64 })
    #expect(refuses { $0.normalQueue.index = -1 })
    #expect(refuses { $0.highQueue.partsSent = .max })
    #expect(
      !refuses {
        $0.writeOffset = .max
        $0.readOffset = .min
        $0.transmitIndex = .max
        $0.timerBase = .max
      })
    driver.write32(0x54, 5)
    driver.cable.deliver(SampleFrame.make())
  }

  @Test func allocatesNothing() throws {
    let port = SilentPort()
    let driver = try RTL8139Driver(port: port)
    let incoming = SampleFrame.make(count: 1514)
    driver.setUp()
    driver.store(SampleFrame.make(count: 1514), at: 0x80000)
    func ringFrames() {
      for round in 0..<1000 {
        driver.write32(UInt16(0x10 + round % 4 * 4), 1514)
        incoming.withUnsafeBytes { _ = driver.card.receive($0) }
        driver.write16(0x38, driver.read16(0x3A) &- 16)
        driver.write16(0x3E, 0xFFFF)
      }
    }
    ringFrames()
    port.count = 0
    #expect(countingAllocations(ringFrames) == 0)
    #expect(port.count == 1000)

    driver.setUpPlus()
    let packet = SamplePacket.make(isTCP: true, payload: SampleFrame.make(count: 4000), flags: 0x19)
    let address = UInt64(driver.place(packet))
    var index = 0
    func plusFrames() {
      for _ in 0..<1000 {
        // A large send in two descriptors, every other with a tag.
        for part in 0..<2 {
          let place = driver.transmitRing + index * 16
          driver.store(UInt32(index & 2 == 0 ? 0x2_0100 : 0), at: place + 4)
          driver.store(address &+ UInt64(part * 2000), at: place + 8)
          let command: UInt32 = 0x8000_0000 | 1 << 27 | 1460 << 16 | (part == 0 ? 0x2000_07D0 : 0x1000_0806)
          driver.store(index == 63 ? command | 0x4000_0000 : command, at: place)
          index = (index + 1) % 64
        }
        driver.write8(0xD9, 0x40)
        incoming.withUnsafeBytes { _ = driver.card.receive($0) }
        driver.give(driver.receiveHead)
        driver.receiveHead = (driver.receiveHead + 1) % 64
        driver.write16(0x3E, 0xFFFF)
      }
    }
    plusFrames()
    port.count = 0
    #expect(countingAllocations(plusFrames) == 0)
    #expect(port.count == 3000)
  }

  @Test(arguments: [1, 0x8139, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) throws {
    print("seed \(seed)")
    let driver = try RTL8139Driver()
    var random = SeededGenerator(seed: seed)
    let incoming = (0..<4).map { SampleFrame.make(to: .broadcast, count: [20, 60, 700, 3000][$0]) }
    let packet = SamplePacket.make(isTCP: true, payload: SampleFrame.make(count: 6000))
    let hot: [UInt16] = [0x37, 0x38, 0x3C, 0x3E, 0x40, 0x44, 0x50, 0x54, 0xD8, 0xE0, 0x10, 0x30, 0x24, 0xE8]
    for round in 0..<3000 {
      if round % 200 == 0 {
        if Bool.random(using: &random) { driver.setUp(rcr: 0x8F) } else { driver.setUpPlus(receiveCount: 8) }
        driver.cable.room = 100
      }
      let value = UInt32(truncatingIfNeeded: random.next())
      let register = UInt16.random(in: 0..<0x100, using: &random)
      switch UInt8.random(in: 0..<16, using: &random) {
      case 0: driver.write8(register, UInt8(truncatingIfNeeded: value))
      case 1: driver.write16(register, UInt16(truncatingIfNeeded: value))
      case 2: driver.write32(register, value)
      case 3: driver.write16(hot[Int(value >> 8) % hot.count], UInt16(truncatingIfNeeded: value))
      case 4: _ = driver.read32(register)
      case 5: driver.write32(UInt16(0x10 + value % 4 * 4), value >> 4 & 0x1FFF)
      case 6...7: driver.cable.deliver(incoming[Int(value & 3)])
      case 8...10:
        let place = driver.transmitRing + Int(value % 64) * 16
        driver.store(UInt64(driver.place(packet)) &+ (value & 0xF00 == 0 ? random.next() : 0), at: place + 8)
        driver.store(UInt32(truncatingIfNeeded: random.next()) & 0x3_FFFF, at: place + 4)
        driver.store(UInt32(truncatingIfNeeded: random.next()) | 0x8000_0000, at: place)
      case 11: driver.write8(0xD9, UInt8(truncatingIfNeeded: value) | 0x40)
      case 12: driver.give(Int(value % 8))
      case 13: driver.board.clock.advance(by: UInt64(value & 0xFFFFF))
      case 14:
        driver.cable.room = Int(value & 63)
        driver.card.packetPortBecameReady()
      default:
        if value & 15 == 0 {
          driver.cable.isLinkUp.toggle()
        } else if value & 31 == 1 {
          try driver.card.restore(roundTrip(driver.card.save()))
        } else if value & 31 == 2 {
          driver.write8(0x37, 0x0C)
        }
      }
      if driver.cable.waiting.count > 50 { driver.write8(0x37, 0) }
      if driver.cable.sent.count > 200 { driver.cable.clear() }
    }
  }
}
