// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import TestSupport
import Testing
import VGA

/// The CPU's window at 0xA0000: write and read modes, latches, address maps.
@Suite struct PlaneTests {
  private func planarCard() throws -> Card {
    let card = try Card(megabytes: 1)
    card.set(.planar640)
    return card
  }

  /// The four planes' bytes at an address.
  private func planes(_ card: Card, _ offset: UInt64) -> [UInt8] {
    (0..<4).map { plane in
      card.graphics(4, UInt8(plane))
      return card.peek(0xA0000 + offset)
    }
  }

  @Test func writeMode0RotatesSetsAndMasks() throws {
    let card = try planarCard()
    card.poke(0xA0000, 0xC3)
    #expect(planes(card, 0) == [0xC3, 0xC3, 0xC3, 0xC3])
    card.sequencer(2, 0x05)
    card.poke(0xA0000, 0x0F)
    #expect(planes(card, 0) == [0x0F, 0xC3, 0x0F, 0xC3])
    card.sequencer(2, 0x0F)
    card.graphics(3, 4)
    card.poke(0xA0001, 0xA7)
    #expect(planes(card, 1) == [0x7A, 0x7A, 0x7A, 0x7A])
    card.graphics(3, 0)
    card.graphics(1, 0x03)
    card.graphics(0, 0x01)
    card.poke(0xA0001, 0x55)
    #expect(planes(card, 1) == [0xFF, 0x00, 0x55, 0x55])
    card.graphics(1, 0)
    card.graphics(8, 0xF0)
    _ = card.peek(0xA0000)
    card.poke(0xA0000, 0xAA)
    #expect(planes(card, 0) == [0xAF, 0xA3, 0xAF, 0xA3])
  }

  @Test(arguments: [(1, 0x24), (2, 0xEF), (3, 0xCB)] as [(UInt8, UInt8)])
  func functionsCombineWithTheLatches(function: UInt8, expected: UInt8) throws {
    let card = try planarCard()
    card.poke(0xA0010, 0x2D)
    _ = card.peek(0xA0010)
    card.graphics(3, function << 3)
    card.poke(0xA0011, 0xE6)
    #expect(planes(card, 0x11) == [UInt8](repeating: expected, count: 4))
  }

  @Test func writeMode1CopiesTheLatches() throws {
    let card = try planarCard()
    for plane in 0..<4 {
      card.sequencer(2, 1 << UInt8(plane))
      card.poke(0xA0000, UInt8(0x10 * plane + 1))
    }
    card.sequencer(2, 0x0F)
    card.graphics(5, 1)
    _ = card.peek(0xA0000)
    card.poke(0xA1234, 0xFF)
    #expect(planes(card, 0x1234) == [0x01, 0x11, 0x21, 0x31])
  }

  @Test func writeMode2WritesAColour() throws {
    let card = try planarCard()
    card.graphics(5, 2)
    card.graphics(8, 0x81)
    _ = card.peek(0xA0000)
    card.poke(0xA0000, 0x0A)
    #expect(planes(card, 0) == [0x00, 0x81, 0x00, 0x81])
  }

  @Test func writeMode3MasksSetReset() throws {
    let card = try planarCard()
    card.graphics(5, 3)
    card.graphics(0, 0x06)
    card.graphics(8, 0xF8)
    card.graphics(3, 1)
    _ = card.peek(0xA0000)
    card.poke(0xA0000, 0x3F)
    // 3Fh rotated is 9Fh; with F8h, 98h.
    #expect(planes(card, 0) == [0x00, 0x98, 0x98, 0x00])
  }

  @Test func readMode1ComparesColours() throws {
    let card = try planarCard()
    card.graphics(5, 2)
    for pixel in 0..<8 {
      card.graphics(8, 0x80 >> UInt8(pixel))
      _ = card.peek(0xA0000)
      card.poke(0xA0000, UInt8(pixel * 2))
    }
    card.graphics(5, 8)
    card.graphics(2, 4)
    #expect(card.peek(0xA0000) == 0x20)
    // Plane 3 does not matter: colours 4 and 12.
    card.graphics(7, 0x07)
    #expect(card.peek(0xA0000) == 0x22)
    card.graphics(7, 0)
    #expect(card.peek(0xA0000) == 0xFF)
  }

  @Test func addressesInAPlaneWrapAt64KiB() throws {
    let card = try planarCard()
    card.graphics(6, 0x01)
    card.poke(0xA0005, 0x77)
    #expect(card.peek(0xB0005) == 0x77)
  }

  @Test func theMemoryMapIsWhereGraphicsRegister6Says() throws {
    let card = try planarCard()
    for (map, answers) in [(0, [0xA0000, 0xB0000, 0xB8000]), (1, [0xA0000]), (2, [0xB0000]), (3, [0xB8000])] {
      for base in [0xA0000, 0xB0000, 0xB8000] {
        card.graphics(6, 1)
        card.poke(0xA0000, 0)
        card.poke(0xA8000, 0)
        card.graphics(6, UInt8(map << 2 | 1))
        card.poke(UInt64(base), 0x5A)
        #expect(card.peek(UInt64(base)) == (answers.contains(base) ? 0x5A : 0xFF), "map \(map), \(base)")
      }
    }
  }

  @Test func oddAndEvenAddressesAreDifferentPlanesInTextModes() throws {
    let card = try Card(megabytes: 1)
    card.set(.text80)
    card.putCell(3, 0x41, 0x1F)
    #expect(card.peek(0xB8006) == 0x41)
    #expect(card.peek(0xB8007) == 0x1F)
    #expect(Array(card.device.videoMemory.allBytes[12..<16]) == [0x41, 0x1F, 0, 0])
  }

  @Test func chain4MemoryIsLinearAndMapped() throws {
    let card = try Card(megabytes: 1)
    card.set(.packed256)
    for address in 0..<8 { card.poke(0xA0000 + UInt64(address), UInt8(address + 1)) }
    #expect(Array(card.device.videoMemory.allBytes[0..<8]) == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(card.board.memory.memory.contains(GuestAddress(UInt64(0xA0000))))
    // With a plane masked the writes need the card's help.
    card.sequencer(2, 0x07)
    #expect(!card.board.memory.memory.contains(GuestAddress(UInt64(0xA0000))))
    card.poke(0xA0003, 0xFF)
    card.poke(0xA0002, 0xFF)
    #expect(Array(card.device.videoMemory.allBytes[0..<4]) == [1, 2, 0xFF, 4])
    card.set(.text80)
    #expect(!card.board.memory.memory.contains(GuestAddress(UInt64(0xA0000))))
  }

  @Test func theLatchesSurviveARoundTrip() throws {
    let card = try planarCard()
    card.poke(0xA0000, 0x99)
    _ = card.peek(0xA0000)
    let other = try planarCard()
    try transplant(from: card.device, to: other.device)
    other.graphics(5, 1)
    other.poke(0xA0100, 0)
    other.graphics(5, 0)
    #expect(planes(other, 0x100) == [0x99, 0x99, 0x99, 0x99])
  }
}
