// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing
import VGA

/// What a guest does all the time needs no heap.
@Suite(.serialized) struct AllocationTests {
  @Test func accessesAllocateNothing() throws {
    let card = try Card(megabytes: 1)
    card.set(.planar640)
    let (ports, memory) = (card.board.ports, card.board.memory)
    let address = GuestAddress(UInt64(0xA0123))
    func access() {
      for number in 0..<250 {
        let index = UInt64(number)
        memory.write(address, index & 0xFF, .byte)
        _ = memory.read(address, .byte)
        ports.write(0x3CE, 0x0008 | index << 8 & 0xFF00, .word)
        _ = ports.read(0x3DA, .byte)
        ports.write(0x3C9, index & 0x3F, .byte)
      }
    }
    access()
    #expect(countingAllocations(access) == 0)
  }

  @Test(arguments: [Mode.text80, .planar640, .packed256]) func drawingAllocatesNothing(mode: Mode) throws {
    let card = try Card(megabytes: 1)
    card.set(mode)
    let address: UInt64 = mode.graphics[6] & 1 == 0 ? 0xB8000 : 0xA0000
    card.poke(address, 1)
    card.device.refresh(all: true)
    var value: UInt8 = 2
    let count = countingAllocations {
      for _ in 0..<10 {
        card.poke(address, value)
        value += 1
        card.device.refresh(all: false)
      }
    }
    #expect(count == 0)
  }
}
