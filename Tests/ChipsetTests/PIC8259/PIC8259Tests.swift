// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import TestSupport
import Testing

@testable import Chipset

/// The pair on a board, driven as operating systems drive it.
@Suite struct PIC8259Tests {
  private final class Wire {
    var level = false
    var changes = 0
  }

  private let board: TestBoard
  private let wire = Wire()
  private let pic: PIC8259

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    pic = PIC8259 { [wire] raised in
      wire.level = raised
      wire.changes += 1
    }
    pic.map(in: board.ports)
    pic.reset()
  }

  /// As SeaBIOS and Linux do it: vectors 8 and 0x70, all masked.
  private func initialize(masks: (UInt8, UInt8) = (0, 0), icw4: (UInt8, UInt8) = (1, 1)) {
    board.outb(0x20, 0x11)
    board.outb(0xA0, 0x11)
    board.outb(0x21, 0x08)
    board.outb(0xA1, 0x70)
    board.outb(0x21, 0x04)
    board.outb(0xA1, 0x02)
    board.outb(0x21, icw4.0)
    board.outb(0xA1, icw4.1)
    board.outb(0x21, masks.0)
    board.outb(0xA1, masks.1)
  }

  private func pulse(_ input: Int) {
    pic.setInput(input, isRaised: true)
    pic.setInput(input, isRaised: false)
  }

  private func inService() -> (UInt8, UInt8) {
    board.outb(0x20, 0x0B)
    board.outb(0xA0, 0x0B)
    return (board.inb(0x20), board.inb(0xA0))
  }

  private func requests() -> (UInt8, UInt8) {
    board.outb(0x20, 0x0A)
    board.outb(0xA0, 0x0A)
    return (board.inb(0x20), board.inb(0xA0))
  }

  @Test func masksReadBackAndHoldRequests() {
    initialize(masks: (0xFB, 0xFF))
    #expect(board.inb(0x21) == 0xFB && board.inb(0xA1) == 0xFF)
    pulse(1)
    #expect(!wire.level && requests() == (0x02, 0))
    board.outb(0x21, 0xF9)
    #expect(wire.level && pic.acknowledge() == 0x09)
    #expect(!wire.level && requests() == (0, 0) && inService() == (0x02, 0))
  }

  @Test func prioritiesNest() {
    initialize()
    pulse(3)
    #expect(pic.acknowledge() == 0x0B)
    pulse(4)
    #expect(!wire.level)
    pulse(1)
    #expect(wire.level && pic.acknowledge() == 0x09)
    board.outb(0x20, 0x20)
    #expect(inService().0 == 0x08 && !wire.level)
    board.outb(0x20, 0x63)
    #expect(inService().0 == 0 && pic.acknowledge() == 0x0C)
  }

  @Test func theSecondChipCascades() {
    initialize()
    pulse(12)
    #expect(requests() == (0x04, 0x10) && pic.acknowledge() == 0x74)
    #expect(inService() == (0x04, 0x10))
    // A more important one of the same chip waits for the first chip, unless it is specially fully nested.
    pulse(8)
    #expect(!wire.level)
    board.outb(0xA0, 0x20)
    #expect(!wire.level)
    board.outb(0x20, 0x20)
    #expect(wire.level && pic.acknowledge() == 0x70)
  }

  @Test func specialFullyNestedMode() {
    initialize(icw4: (0x11, 0x01))
    pulse(12)
    #expect(pic.acknowledge() == 0x74)
    pulse(8)
    #expect(wire.level && pic.acknowledge() == 0x70)
    pulse(13)
    #expect(!wire.level)
  }

  @Test func spuriousRequestsAreInput7() {
    initialize()
    #expect(pic.acknowledge() == 0x0F && inService() == (0, 0))
    // A level that goes away between the request and its acknowledgement.
    board.outb(0x4D1, 0x08)
    pic.setInput(11, isRaised: true)
    #expect(wire.level)
    pic.setInput(11, isRaised: false)
    #expect(!wire.level && pic.acknowledge() == 0x0F)
  }

  @Test func maskingTheSecondChipTakesItsRequestBack() {
    initialize()
    pulse(9)
    #expect(wire.level)
    board.outb(0xA1, 0x02)
    #expect(!wire.level && pic.acknowledge() == 0x0F && requests() == (0, 0x02))
    board.outb(0xA1, 0x00)
    #expect(pic.acknowledge() == 0x71)
  }

  @Test func levelsAskAgainAfterTheirEnd() {
    initialize()
    board.outb(0x4D0, 0xFF)
    board.outb(0x4D1, 0xFF)
    #expect(board.inb(0x4D0) == 0xF8 && board.inb(0x4D1) == 0xDE)
    pic.setInput(10, isRaised: true)
    #expect(pic.acknowledge() == 0x72 && !wire.level)
    board.outb(0xA0, 0x20)
    board.outb(0x20, 0x20)
    #expect(wire.level && pic.acknowledge() == 0x72)
    pic.setInput(10, isRaised: false)
    board.outb(0xA0, 0x20)
    board.outb(0x20, 0x20)
    #expect(!wire.level && requests() == (0, 0))
  }

  @Test func anEdgeCountsOnce() {
    initialize()
    pic.setInput(5, isRaised: true)
    #expect(pic.acknowledge() == 0x0D)
    board.outb(0x20, 0x20)
    #expect(!wire.level)
    // Re-initialization forgets edges, and a line that stays high is none.
    pic.setInput(6, isRaised: true)
    #expect(wire.level)
    initialize()
    #expect(!wire.level)
    pic.setInput(6, isRaised: false)
    pic.setInput(6, isRaised: true)
    #expect(wire.level)
  }

  @Test func autoEOIAndRotation() {
    initialize(icw4: (0x03, 0x01))
    board.outb(0x20, 0x80)
    pulse(0)
    #expect(pic.acknowledge() == 0x08 && inService().0 == 0)
    // Input 0 is now the least important.
    pulse(0)
    pulse(7)
    #expect(pic.acknowledge() == 0x0F && pic.acknowledge() == 0x08)
    board.outb(0x20, 0x00)
    board.outb(0x20, 0xC3)
    pulse(3)
    pulse(4)
    pulse(1)
    #expect(pic.acknowledge() == 0x0C && pic.acknowledge() == 0x09 && pic.acknowledge() == 0x0B)
  }

  @Test func rotateOnEndOfInterrupt() {
    initialize()
    pulse(2 + 1)
    #expect(pic.acknowledge() == 0x0B)
    board.outb(0x20, 0xA0)
    pulse(3)
    pulse(7)
    #expect(pic.acknowledge() == 0x0F)
    board.outb(0x20, 0xE7)
    // Now 0 leads again.
    pulse(0)
    #expect(pic.acknowledge() == 0x08)
  }

  @Test func specialMaskModeLetsLessImportantOnesIn() {
    initialize()
    pulse(3)
    #expect(pic.acknowledge() == 0x0B)
    pulse(6)
    #expect(!wire.level)
    board.outb(0x21, 0x08)
    board.outb(0x20, 0x68)
    #expect(wire.level && pic.acknowledge() == 0x0E)
    // The non-specific end passes over the masked one.
    board.outb(0x20, 0x20)
    #expect(inService().0 == 0x08)
    board.outb(0x20, 0x20)
    #expect(inService().0 == 0x08)
    board.outb(0x20, 0x48)
    board.outb(0x20, 0x20)
    #expect(inService().0 == 0)
  }

  @Test func polling() {
    initialize()
    pulse(1)
    board.outb(0x20, 0x0C)
    #expect(board.inb(0x20) == 0x81 && inService().0 == 0x02 && !wire.level)
    board.outb(0x20, 0x20)
    board.outb(0x20, 0x0C)
    #expect(board.inb(0x20) & 0x80 == 0)
    pulse(9)
    board.outb(0xA0, 0x0C)
    #expect(board.inb(0xA1) == 0x81 && inService().1 == 0x02)
  }

  @Test func resetMasksNothingAndAsksNothing() {
    initialize(masks: (0xFF, 0xFF))
    board.outb(0x4D1, 0x08)
    pulse(1)
    pic.reset()
    #expect(!wire.level && board.inb(0x4D1) == 0 && board.inb(0x21) == 0)
  }

  @Test func stateRoundTrip() throws {
    initialize(masks: (0xF8, 0xFF), icw4: (0x11, 0x03))
    pulse(0)
    #expect(pic.acknowledge() == 0x08)
    pulse(1)
    board.outb(0x20, 0x68)
    let other = try PIC8259Tests()
    try other.pic.restore(pic.save())
    #expect(other.pic.save() == pic.save())
    for tests in [self, other] { tests.board.outb(0x20, 0x20) }
    #expect(wire.level && other.wire.level)
    #expect(pic.acknowledge() == 0x09 && other.pic.acknowledge() == 0x09)
    #expect(other.pic.save() == pic.save())
    #expect(throws: RestoreError.self) { try pic.restore([]) }
  }

  @Test func allocatesNothing() {
    initialize()
    pulse(12)
    _ = pic.acknowledge()
    let count = countingAllocations {
      for _ in 0..<100 {
        pulse(12)
        _ = pic.acknowledge()
        board.outb(0xA0, 0x20)
        board.outb(0x20, 0x20)
      }
    }
    #expect(count == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func fuzz(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let other = try PIC8259Tests()
    let ports: [UInt16] = [0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1]
    for step in 0..<4000 {
      let value = generator.next()
      switch value & 3 {
      case 0: board.outb(ports[Int(value >> 8 & 0xFFFF) % ports.count], UInt8(value >> 24 & 0xFF))
      case 1: pic.setInput(Int(value >> 8 & 31), isRaised: value >> 16 & 1 != 0)
      case 2: _ = board.inb(ports[Int(value >> 8 & 0xFFFF) % ports.count])
      default: if wire.level { _ = pic.acknowledge() }
      }
      if step % 50 == 0 {
        try other.pic.restore(pic.save())
        #expect(other.pic.save() == pic.save() && other.wire.level == wire.level)
      }
    }
  }
}
