// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Foundation
import GuestMemory
import TestSupport
import Testing
import VGA

/// Guests that do what no driver does.
@Suite struct FuzzTests {
  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomAccessesNeitherTrapNorHang(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let card = try Card(megabytes: 1)
    let modes = [Mode.text80, .text40, .mono, .cga4, .cga2, .planar320, .planar640, .packed256, .modeX]
    for round in 0..<12 {
      card.set(modes[Int.random(in: 0..<modes.count, using: &random)])
      for _ in 0..<400 { step(card, &random) }
      card.board.clock.advance(by: UInt64.random(in: 0...1_000_000_000, using: &random))
      card.device.refresh(all: round & 3 == 0)
      let (width, height) = (card.surface.width, card.surface.height)
      #expect((1...8192).contains(width) && (1...4096).contains(height), "seed \(seed), round \(round)")
    }
  }

  private func step(_ card: Card, _ random: inout SeededGenerator) {
    let value = UInt64.random(in: 0...UInt64.max, using: &random)
    let byte = UInt8(truncatingIfNeeded: value)
    let width = [AccessWidth.byte, .word, .dword][Int.random(in: 0..<3, using: &random)]
    let bits = value & width.allOnes
    switch Int.random(in: 0..<10, using: &random) {
    case 0: card.crtc(byte & 0x1F, UInt8(truncatingIfNeeded: value >> 8))
    case 1: card.attribute(byte & 0x1F, UInt8(truncatingIfNeeded: value >> 8))
    case 2: card.sequencer(byte & 7, UInt8(truncatingIfNeeded: value >> 8) & ~0x20)
    case 3: card.graphics(byte & 15, UInt8(truncatingIfNeeded: value >> 8))
    case 4:
      // Small screens mostly, to be quick.
      let limit: UInt16 = byte & 15 == 0 ? .max : 1023
      card.dispi(UInt16(byte >> 4), UInt16(truncatingIfNeeded: value >> 8) & limit)
    case 5: card.board.ports.write(UInt16.random(in: 0x3B0...0x3DF, using: &random), bits, width)
    case 6: _ = card.board.ports.read(UInt16.random(in: 0x3B0...0x3DF, using: &random), width)
    case 7:
      let address = GuestAddress(UInt64.random(in: 0x9FFFF...0xC0000, using: &random))
      if byte & 1 == 0 {
        card.board.memory.write(address, bits, width)
      } else {
        _ = card.board.memory.read(address, width)
      }
    case 8:
      let address = GuestAddress(Card.registers + UInt64.random(in: 0...0xFFF, using: &random))
      if byte & 1 == 0 {
        card.board.memory.write(address, bits, width)
      } else {
        _ = card.board.memory.read(address, width)
      }
    default:
      let address = GuestAddress(Card.frameBuffer + UInt64.random(in: 0..<1 << 20, using: &random))
      card.board.memory.write(address, bits, width)
    }
  }

  @Test func aRoundTripChangesNothing() throws {
    for seed in 10..<14 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let card = try Card(megabytes: 1)
      card.set(.planar640)
      for _ in 0..<500 { step(card, &random) }
      let other = try Card(megabytes: 1)
      try transplant(from: card.device, to: other.device)
      #expect(other.device.save() == card.device.save(), "seed \(seed)")
      other.device.videoMemory.allBytes.copyMemory(
        from: UnsafeRawBufferPointer(card.device.videoMemory.allBytes))
      other.board.clock.advance(by: card.board.clock.now)
      // The same from there on.
      var (one, two) = (random, random)
      for _ in 0..<200 {
        step(card, &one)
        step(other, &two)
      }
      #expect(other.device.save() == card.device.save(), "seed \(seed)")
      #expect(other.picture(all: true) == card.picture(all: true), "seed \(seed)")
    }
  }

  @Test func aStateOfACardWithMoreMemoryFits() throws {
    let large = try Card(megabytes: 32)
    large.set(.packed256)
    large.enable(3840, 2160, 32)
    large.dispi(5, 500)
    let small = try Card(megabytes: 1)
    try transplant(from: large.device, to: small.device)
    #expect(small.readDispi(2) == UInt16((1 << 20) / (3840 * 4)))
    #expect(small.readDispi(5) < 16)
    let picture = small.picture(all: true)
    #expect(picture.width == 3840 && picture.height == 68)
  }

  @Test func statesThatAreNoneAreRefused() throws {
    let card = try Card(megabytes: 1)
    let text = try encoded(card.device.save())
    // One byte too few in an array, a component there is not.
    for (from, to) in [("\"dispi\":[45253,", "\"dispi\":["), ("\"dacComponent\":0", "\"dacComponent\":3")] {
      #expect(text.contains(from))
      let state = try decoded(text.replacingOccurrences(of: from, with: to))
      #expect(throws: RestoreError.self) { try card.device.restore(state) }
    }
  }
}
