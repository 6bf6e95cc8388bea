// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import Testing
import VGA

/// The VGA's registers, as a driver sees them.
@Suite struct RegisterTests {
  @Test func itIsTheCardDriversKnow() throws {
    let card = try Card()
    #expect(card.board.readConfiguration(Card.address, 0x00) == 0x1111_1234)
    #expect(card.board.readConfiguration(Card.address, 0x08) == 0x0300_0002)
    // Prefetchable memory of 16 MiB, nothing, 4 KiB of registers.
    card.board.writeConfiguration(Card.address, 0x10, .max)
    card.board.writeConfiguration(Card.address, 0x18, .max)
    #expect(card.board.readConfiguration(Card.address, 0x10) == 0xFF00_0008)
    #expect(card.board.readConfiguration(Card.address, 0x14) == 0)
    #expect(card.board.readConfiguration(Card.address, 0x18) == 0xFFFF_F000)
  }

  @Test func itsROMIsWhereTheGuestPutsIt() throws {
    let rom = try RAMBlock(name: "rom", byteCount: 64 << 10)
    rom.allBytes[0] = 0x55
    rom.allBytes[1] = 0xAA
    let card = try Card(rom: rom)
    card.board.writeConfiguration(Card.address, 0x30, 0xF000_0001)
    #expect(card.peek(0xF000_0000) == 0x55)
    card.poke(0xF000_0000, 0)
    #expect(card.peek(0xF000_0001) == 0xAA)
    #expect(rom.allBytes[0] == 0x55)
  }

  @Test func theCRTCIsAtTheColourOrTheMonochromePorts() throws {
    let card = try Card()
    card.board.outb(0x3C2, 0x67)
    card.crtc(0x0F, 0x12)
    #expect(card.readCRTC(0x0F) == 0x12)
    #expect(card.board.inb(0x3B5) == 0xFF)
    card.board.outb(0x3C2, 0x66)
    #expect(card.board.inb(0x3CC) == 0x66)
    card.board.outb(0x3B4, 0x0F)
    #expect(card.board.inb(0x3B5) == 0x12)
    #expect(card.board.inb(0x3D5) == 0xFF)
    card.board.outb(0x3D5, 0x99)
    #expect(card.board.inb(0x3B5) == 0x12)
  }

  @Test func protectedTimingCannotBeChanged() throws {
    let card = try Card()
    card.set(.text80)
    #expect(card.readCRTC(0x11) == 0x8E)
    card.crtc(0x00, 0x11)
    card.crtc(0x07, 0x00)
    #expect(card.readCRTC(0x00) == 0x5F)
    // Only the line compare bit of the overflow register.
    #expect(card.readCRTC(0x07) == 0x0F)
    card.crtc(0x11, 0x0E)
    card.crtc(0x00, 0x11)
    #expect(card.readCRTC(0x00) == 0x11)
  }

  @Test func theAttributePortTakesIndexAndDataInTurn() throws {
    let card = try Card()
    card.board.outb(0x3C2, 0x67)
    _ = card.board.inb(0x3DA)
    card.board.outb(0x3C0, 0x02)
    card.board.outb(0x3C0, 0x3A)
    card.board.outb(0x3C0, 0x12)
    // Reading status makes the next write an index again.
    _ = card.board.inb(0x3DA)
    card.board.outb(0x3C0, 0x02)
    #expect(card.board.inb(0x3C0) == 0x00)
    #expect(card.board.inb(0x3C1) == 0x3A)
    #expect(card.readAttribute(0x12) == 0x00)
  }

  @Test func thePaletteCanBeWrittenWhileItIsShown() throws {
    let card = try Card()
    card.set(.text80)
    _ = card.board.inb(0x3DA)
    card.board.outb(0x3C0, 0x21)
    card.board.outb(0x3C0, 0x3F)
    #expect(card.readAttribute(0x01) == 0x3F)
  }

  @Test func theDACCountsThroughColoursOfThreeBytes() throws {
    let card = try Card()
    card.color(10, 1, 2, 3)
    for value in [4, 5, 6] as [UInt8] { card.board.outb(0x3C9, value) }
    #expect(card.board.inb(0x3C7) == 0)
    #expect(card.board.inb(0x3C8) == 12)
    card.board.outb(0x3C7, 10)
    #expect(card.board.inb(0x3C7) == 3)
    #expect((0..<6).map { _ in card.board.inb(0x3C9) } == [1, 2, 3, 4, 5, 6])
    // A colour takes effect when its third byte is there.
    card.board.outb(0x3C8, 10)
    card.board.outb(0x3C9, 9)
    card.board.outb(0x3C7, 10)
    #expect(card.board.inb(0x3C9) == 1)
    card.board.outb(0x3C6, 0x0F)
    #expect(card.board.inb(0x3C6) == 0x0F)
  }

  @Test func coloursHaveSixBitsUnlessTheDACIsWidened() throws {
    let card = try Card()
    card.color(1, 0xFF, 0x40, 0x3F)
    card.board.outb(0x3C7, 1)
    #expect((0..<3).map { _ in card.board.inb(0x3C9) } == [0x3F, 0x00, 0x3F])
    card.dispi(4, 0x20)
    card.color(1, 0xFF, 0x40, 0x3F)
    card.board.outb(0x3C7, 1)
    #expect((0..<3).map { _ in card.board.inb(0x3C9) } == [0xFF, 0x40, 0x3F])
  }

  @Test func miscellaneousAndFeatureRegistersReadBack() throws {
    let card = try Card()
    card.board.outb(0x3C2, 0x67)
    #expect(card.board.inb(0x3CC) == 0x67)
    #expect(card.board.inb(0x3C2) & 0x10 == 0x10)
    card.board.outb(0x3DA, 0x10)
    #expect(card.board.inb(0x3CA) == 0x10)
    card.sequencer(2, 0xFF)
    #expect(card.readSequencer(2) == 0x0F)
    card.graphics(8, 0xA5)
    #expect(card.readGraphics(8) == 0xA5)
  }

  @Test func retraceComesAndGoesSeventyTimesASecond() throws {
    let card = try Card()
    card.set(.text80)
    var (starts, ends, blanks, shownInRetrace) = (0, 0, 0, 0)
    var (wasRetrace, wasBlank) = (false, false)
    for _ in 0..<100_000 {
      card.board.clock.advance(by: 5_000)
      let status = card.board.inb(0x3DA)
      let (isRetrace, isBlank) = (status & 8 != 0, status & 1 != 0)
      if isRetrace && !isBlank { shownInRetrace += 1 }
      if isRetrace && !wasRetrace { starts += 1 }
      if !isRetrace && wasRetrace { ends += 1 }
      if isBlank && !wasBlank { blanks += 1 }
      (wasRetrace, wasBlank) = (isRetrace, isBlank)
    }
    // While the beam returns nothing is displayed.
    #expect(shownInRetrace == 0)
    #expect((34...36).contains(starts))
    #expect((34...36).contains(ends))
    // Once a line, of which 400 are shown.
    #expect((13_500...14_250).contains(blanks))
  }

  @Test func retraceGoesByWithAnyTiming() throws {
    let card = try Card()
    var random = SeededGenerator(seed: 7)
    card.board.outb(0x3C2, 0x67)
    for _ in 0..<50 {
      card.crtc(0x11, 0)
      for index in UInt8(0)...0x18 where index != 0x11 {
        card.crtc(index, UInt8.random(in: 0...255, using: &random))
      }
      card.sequencer(1, UInt8.random(in: 0...255, using: &random))
      var seen: Set<UInt8> = []
      for _ in 0..<4000 {
        card.board.clock.advance(by: 30_000)
        seen.insert(card.board.inb(0x3DA) & 8)
      }
      #expect(seen == [0, 8])
    }
  }

  @Test func resetTurnsTheScreenDark() throws {
    let card = try Card(megabytes: 1)
    card.set(.packed256)
    card.poke(0xA0000, 15)
    #expect(card.picture().pixels.contains { $0 != 0 })
    card.device.reset()
    #expect(card.board.inb(0x3CC) == 0)
    #expect(card.picture().pixels.allSatisfy { $0 == 0 })
    #expect(card.board.readConfiguration(Card.address, 0x10) == 8)
  }
}
