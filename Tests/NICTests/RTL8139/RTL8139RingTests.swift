// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import TestSupport
import Testing

@testable import NIC

/// C mode, as 8139too has it.
@Suite struct RTL8139RingTests {
  let driver: RTL8139Driver
  init() throws {
    driver = try RTL8139Driver()
    driver.setUp()
  }

  @Test func sends() {
    let frames = (0..<6).map {
      SampleFrame.make(to: SampleFrame.other, count: 60 + $0 * 290, seed: UInt8($0))
    }
    for frame in frames { driver.send(frame) }
    #expect(driver.cable.sent == frames && driver.cable.batches == 6)
    #expect(driver.read32(0x10) & 0xE000 == 0xA000 && driver.read32(0x10) & 0x1FFF == 60 + 4 * 290)
    #expect(driver.read16(0x60) == 0xF00F)
    #expect(driver.interruptStatus == 0x04 && driver.isInterrupted)
    driver.acknowledge()
    #expect(!driver.isInterrupted)
  }

  @Test func sendsInOrder() {
    driver.store(SampleFrame.make(seed: 1), at: 0x80000 + 2048)
    driver.write32(0x14, 100)
    #expect(driver.cable.sent.isEmpty)
    driver.store(SampleFrame.make(), at: 0x80000)
    driver.write32(0x10, 100)
    #expect(driver.cable.sent == [SampleFrame.make(), SampleFrame.make(seed: 1)])
    #expect(driver.cable.batches == 1)
  }

  @Test func waitsForThePort() {
    driver.cable.room = 1
    for seed in 0..<3 { driver.send(SampleFrame.make(seed: UInt8(seed))) }
    #expect(driver.cable.sent.count == 1 && driver.read32(0x14) & 0x2000 == 0)
    driver.cable.room = nil
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == (0..<3).map { SampleFrame.make(seed: $0) })
    #expect(driver.read16(0x60) & 0x0F == 0x0F)
  }

  @Test func gathersOverHoles() {
    // The end of memory: what is not there is zero.
    driver.store(SampleFrame.make(), at: (8 << 20) - 50)
    driver.write32(0x20, (8 << 20) - 50)
    driver.write32(0x10, 100)
    #expect(driver.cable.sent == [Array(SampleFrame.make()[..<50]) + Array(repeating: 0, count: 50)])
    driver.write32(0x24, 0xFFFF_FFF0)
    driver.write32(0x14, 0x1FFF)
    #expect(driver.cable.sent.last?.count == 0x1FFF)
    // Shorter than a header, and without the right to look.
    driver.write32(0x18, 13)
    #expect(driver.cable.sent.count == 2)
    driver.board.writeConfiguration(RTL8139Driver.place, 0x04, 0x3)
    driver.write32(0x1C, 100)
    #expect(driver.cable.sent.count == 2 && driver.read32(0x1C) & 0x2000 == 0)
  }

  @Test func receives() {
    let frame = SampleFrame.make(count: 1514)
    driver.cable.deliver(frame)
    #expect(driver.interruptStatus == 1 && driver.isInterrupted)
    #expect(driver.read8(0x37) & 1 == 0 && driver.read16(0x3A) == 1524)
    #expect(driver.takeFrame() == .init(status: 0x4001, bytes: SampleFrame.onCable(frame)))
    #expect(driver.read8(0x37) & 1 == 1)
    let short = SampleFrame.make(to: .broadcast, count: 42)
    driver.cable.deliver(short)
    #expect(driver.takeFrame() == .init(status: 0x2001, bytes: SampleFrame.onCable(short)))
    driver.cable.deliver([1, 2, 3])
    driver.cable.deliver(SampleFrame.make(count: 4093))
    #expect(driver.takeFrame() == nil && driver.read32(0x4C) == 1)
    driver.write32(0x4C, 0)
    #expect(driver.read32(0x4C) == 0)
  }

  @Test func filters() {
    let frames = [SampleFrame.own, .broadcast, SampleFrame.group, SampleFrame.other].map {
      SampleFrame.make(to: $0)
    }
    func accepted(_ rcr: UInt32) -> [UInt16?] {
      driver.write32(0x44, rcr)
      return frames.map { frame in
        driver.cable.deliver(frame)
        return driver.takeFrame()?.status
      }
    }
    let size: UInt32 = 2 << 11 | 0x80
    #expect(accepted(size) == [nil, nil, nil, nil])
    #expect(accepted(size | 2) == [0x4001, nil, nil, nil])
    #expect(accepted(size | 8) == [nil, 0x2001, nil, nil])
    #expect(accepted(size | 4) == [nil, nil, nil, nil])
    let bit = SampleFrame.groupBit(SampleFrame.group)
    driver.write32(UInt16(0x08 + bit / 32 * 4), 1 << UInt32(bit % 32))
    #expect(accepted(size | 4) == [nil, nil, 0x8001, nil])
    #expect(driver.card.receiveFilter.multicast == .normal)
    driver.write32(0x08, bit < 32 ? ~(1 << UInt32(bit)) : .max)
    driver.write32(0x0C, bit >= 32 ? ~(1 << UInt32(bit - 32)) : .max)
    #expect(accepted(size | 4) == [nil, nil, nil, nil])
    #expect(accepted(size | 1) == [0x4001, nil, nil, 0x0001])
    driver.write32(0x08, .max)
    driver.write32(0x0C, .max)
    #expect(accepted(size | 15) == [0x4001, 0x2001, 0x8001, 0x0001])
    #expect(driver.card.receiveFilter.isPromiscuous && driver.cable.filterChanges > 0)
  }

  @Test(arguments: [0, 1, 2, 3], [false, true]) func goesRoundTheRing(length: UInt32, isWrap: Bool) {
    driver.setUp(rcr: 0xE70A | length << 11 | (isWrap ? 0x80 : 0))
    let wraps = !isWrap || length == 3
    for seed in 0..<60 {
      let frame = SampleFrame.make(count: 1400 + seed, seed: UInt8(seed))
      driver.cable.deliver(frame)
      #expect(driver.takeFrame(wraps: wraps)?.bytes == SampleFrame.onCable(frame))
    }
  }

  @Test func waitsForRoom() {
    driver.setUp(rcr: 0xE70A)
    let frames = (0..<10).map { SampleFrame.make(count: 1514, seed: UInt8($0)) }
    for frame in frames { driver.cable.deliver(frame) }
    #expect(driver.cable.waiting.count == 5)
    var taken: [[UInt8]] = []
    while let frame = driver.takeFrame(wraps: true) { taken.append(frame.bytes) }
    #expect(taken == frames.map(SampleFrame.onCable) && driver.cable.waiting.isEmpty)
    // What nobody wants any more does not wait.
    for frame in frames { driver.cable.deliver(frame) }
    #expect(!driver.cable.waiting.isEmpty)
    driver.write8(0x37, 0x04)
    #expect(driver.cable.waiting.isEmpty)
  }

  @Test func loopback() {
    driver.write32(0x40, 0x0306_0600)
    driver.cable.deliver(SampleFrame.make(seed: 7))
    driver.send(SampleFrame.make())
    #expect(driver.cable.sent.isEmpty)
    #expect(driver.takeFrame()?.bytes == SampleFrame.onCable(SampleFrame.make()))
    #expect(driver.takeFrame() == nil)
  }

  @Test func paused() {
    driver.card.pause()
    driver.cable.deliver(SampleFrame.make())
    driver.send(SampleFrame.make())
    #expect(driver.cable.waiting.count == 1 && driver.cable.sent.isEmpty)
    driver.card.run()
    #expect(driver.cable.waiting.isEmpty && driver.cable.sent.count == 1 && driver.takeFrame() != nil)
  }

  @Test func hostileRing() {
    for address in [0xFFFF_FFFC, 0x7F_FF00, 0xE000_0000] as [UInt32] {
      driver.write32(0x30, address)
      for _ in 0..<30 {
        driver.cable.deliver(SampleFrame.make(count: 1514))
        driver.write16(0x38, driver.read16(0x3A) &- 16)
      }
    }
    for value in stride(from: 0, to: 0xFFFF, by: 997) {
      driver.write16(0x38, UInt16(value))
      driver.cable.deliver(SampleFrame.make(count: 1000))
    }
    #expect(driver.interruptStatus & 1 != 0)
  }

  /// Linux's 8139too takes 64 frames at a time, acknowledges each, and waits for the next one's interrupt.
  @Test func driverThatStopsBetweenFramesIsCalledAgain() {
    driver.setUp()
    let frames = (0..<200).map { SampleFrame.make(count: 1514, seed: UInt8($0)) }
    for frame in frames { driver.cable.deliver(frame) }
    #expect(driver.cable.waiting.count > 150)
    var taken: [[UInt8]] = []
    var calls = 0
    while driver.isInterrupted, calls < 100 {
      calls += 1
      for _ in 0..<64 {
        guard let frame = driver.takeFrame() else { break }
        taken.append(frame.bytes)
        driver.write16(0x3E, 0x51)
      }
    }
    // The last ones are in the ring, and would be seen with the next frame.
    while let frame = driver.takeFrame() { taken.append(frame.bytes) }
    #expect(taken == frames.map(SampleFrame.onCable))
    #expect(calls >= 3)
    // One that takes nothing is called once, not for ever.
    for frame in frames { driver.cable.deliver(frame) }
    driver.write16(0x3E, 0x51)
    #expect(driver.isInterrupted)
    driver.write16(0x3E, 0x51)
    #expect(!driver.isInterrupted)
  }
}
