// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing
import VGA

/// The Bochs display interface, by its ports and by BAR 2.
@Suite struct DisplayInterfaceTests {
  private func card(_ width: UInt16, _ height: UInt16, _ bits: UInt16, megabytes: Int = 16) throws -> Card {
    let card = try Card(megabytes: megabytes)
    card.set(.packed256)
    card.enable(width, height, bits)
    return card
  }

  @Test func itTellsItsVersionAndMemory() throws {
    let card = try Card()
    #expect(card.readDispi(0) == 0xB0C5)
    for version in 0xB0C0...0xB0C5 as ClosedRange<UInt16> {
      card.dispi(0, version)
      #expect(card.readDispi(0) == version)
    }
    card.dispi(0, 0xB0C6)
    #expect(card.readDispi(0) == 0xB0C5)
    #expect(card.readDispi(10) == 256)
    #expect(card.readDispi(11) == 0)
  }

  @Test func theDataPortIsThereTwice() throws {
    let card = try Card()
    card.board.outw(0x1CE, 1)
    card.board.outw(0x1D0, 640)
    #expect(card.board.inw(0x1D0) == 640)
    #expect(card.board.inw(0x1CF) == 640)
    #expect(card.board.inw(0x1CE) == 1)
  }

  @Test func itTellsItsLimitsWhenAsked() throws {
    let card = try card(800, 600, 16)
    card.dispi(4, 0x03)
    #expect(card.readDispi(1) >= 3840)
    #expect(card.readDispi(2) >= 2160)
    #expect(card.readDispi(3) == 32)
    card.dispi(4, 0x01)
    #expect([card.readDispi(1), card.readDispi(2), card.readDispi(3)] == [800, 600, 16])
  }

  @Test func enablingClearsTheScreenUnlessToldNotTo() throws {
    let card = try card(640, 480, 32)
    card.pokePixel(0, 0x1234_5678, byteCount: 4)
    card.dispi(4, 0)
    card.dispi(4, 0xC1)
    #expect(card.peek(Card.frameBuffer) == 0x78)
    card.dispi(4, 0)
    card.dispi(4, 0x41)
    #expect(card.peek(Card.frameBuffer) == 0)
  }

  @Test func fourKNeeds32MebibytesOfMemory() throws {
    let large = try card(3840, 2160, 32, megabytes: 32)
    #expect([large.readDispi(1), large.readDispi(2), large.readDispi(6)] == [3840, 2160, 3840])
    large.pokePixel((2159 * 3840 + 3839) * 4, 0xABCDEF, byteCount: 4)
    large.device.refresh(all: false)
    #expect(large.surface.width == 3840 && large.surface.height == 2160)
    large.surface.lock.withLock { #expect(large.surface.pixels[2159 * 3840 + 3839] & 0xFF_FFFF == 0xABCDEF) }
    // With less the screen has as many rows as the memory holds.
    let small = try card(3840, 2160, 32, megabytes: 16)
    #expect(small.readDispi(2) == UInt16((16 << 20) / (3840 * 4)))
  }

  @Test func sizesItDoesNotHaveBecomeTheNearest() throws {
    let card = try card(0, 0, 77)
    #expect([card.readDispi(1), card.readDispi(2), card.readDispi(3)] == [8, 1, 8])
    card.dispi(1, .max)
    card.dispi(2, .max)
    card.dispi(6, .max)
    #expect(card.readDispi(1) == 5120)
    #expect(card.readDispi(6) == 16000)
    #expect(card.readDispi(2) == UInt16((16 << 20) / 16000))
  }

  @Test func pagesAreFlippedOnAVirtualScreen() throws {
    let card = try card(640, 480, 32)
    card.dispi(6, 800)
    #expect(card.readDispi(6) == 800)
    #expect(card.readDispi(7) == UInt16((16 << 20) / 3200))
    for (x, y, color) in [(0, 0, 0xFF0000), (100, 480, 0x00FF00), (160, 960, 0x0000FF)]
      as [(Int, Int, UInt32)]
    {
      card.pokePixel((y * 800 + x) * 4, color, byteCount: 4)
      card.dispi(8, UInt16(x))
      card.dispi(9, UInt16(y))
      #expect([card.readDispi(8), card.readDispi(9)] == [UInt16(x), UInt16(y)])
      #expect(card.picture()[0, 0] == color)
    }
    // Offsets stay on the virtual screen.
    card.dispi(8, 799)
    card.dispi(9, .max)
    #expect(card.readDispi(8) == 160)
    #expect(card.readDispi(9) == card.readDispi(7) - 480)
  }

  @Test func banksShowInTheWindowAtA0000() throws {
    let card = try card(800, 600, 32)
    card.dispi(5, 3)
    card.poke(0xA0010, 0x42)
    #expect(card.peek(Card.frameBuffer + 0x30010) == 0x42)
    card.poke(Card.frameBuffer + 0x3FFFF, 0x43)
    #expect(card.peek(0xAFFFF) == 0x43)
    card.dispi(5, 255)
    card.poke(0xA0000, 0x44)
    #expect(card.peek(Card.frameBuffer + 0xFF_0000) == 0x44)
    card.dispi(5, 256)
    #expect(card.readDispi(5) == 0)
  }

  @Test func aFourBitBankHoldsPlanes() throws {
    let card = try card(1024, 768, 4)
    card.dispi(5, 1)
    card.sequencer(2, 0x0A)
    card.poke(0xA0000, 0x81)
    let offset = 0x10000 * 4
    #expect(Array(card.device.videoMemory.allBytes[offset..<(offset + 4)]) == [0, 0x81, 0, 0x81])
  }

  @Test func allRegistersAreInBAR2() throws {
    let card = try Card()
    let base = Card.registers
    func word(_ offset: UInt64) -> UInt16 {
      UInt16(truncatingIfNeeded: card.board.memory.read(GuestAddress(base + offset), .word))
    }
    func set(_ index: UInt64, _ value: UInt64) {
      card.board.memory.write(GuestAddress(base + 0x500 + index * 2), value, .word)
    }
    #expect(word(0x500) == 0xB0C5)
    card.poke(base + 0x402, 0x67)
    #expect(card.board.inb(0x3CC) == 0x67)
    #expect(card.peek(base + 0x40C) == 0x67)
    for (index, value) in [(1, 1024), (2, 768), (3, 32), (4, 0x41)] as [(UInt64, UInt64)] {
      set(index, value)
    }
    // Palette address source: the screen on.
    card.poke(base + 0x400, 0x20)
    card.pokePixel(4, 0x336699, byteCount: 4)
    let picture = card.picture()
    #expect([picture.width, picture.height] == [1024, 768])
    #expect(picture[1, 0] == 0x336699)
    #expect(card.readDispi(1) == 1024)
    // A dword is two registers.
    card.board.memory.write(GuestAddress(base + 0x502), 600 << 16 | 800, .dword)
    #expect([card.readDispi(1), card.readDispi(2)] == [800, 600])
    #expect(card.board.memory.read(GuestAddress(base + 0x502), .dword) == 600 << 16 | 800)
  }

  @Test func theFrameBufferCanBeBigEndian() throws {
    let card = try card(640, 480, 32)
    let order = GuestAddress(Card.registers + 0x604)
    #expect(card.board.memory.read(GuestAddress(Card.registers + 0x600), .dword) == 8)
    #expect(card.board.memory.read(order, .dword) == 0x1E1E_1E1E)
    card.pokePixel(0, 0x1122_3300, byteCount: 4)
    #expect(card.picture()[0, 0] == 0x223300)
    card.board.memory.write(order, 0xBEBE_BEBE, .dword)
    #expect(card.board.memory.read(order, .dword) == 0xBEBE_BEBE)
    #expect(card.picture()[0, 0] == 0x332211)
    card.dispi(3, 16)
    card.pokePixel(0, 0x00F8, byteCount: 2)
    #expect(card.picture()[0, 0] == 0xFF0000)
    card.board.memory.write(order, 0x1E1E_1E1E, .dword)
    #expect(card.picture()[0, 0] == 0x001CC6)
  }

  @Test func blankingDarkensTheScreen() throws {
    let card = try card(640, 480, 32)
    card.pokePixel(0, 0xFFFFFF, byteCount: 4)
    #expect(card.picture()[0, 0] == 0xFFFFFF)
    _ = card.board.inb(0x3DA)
    card.board.outb(0x3C0, 0)
    #expect(card.picture()[0, 0] == 0)
    card.board.outb(0x3C0, 0)
    _ = card.board.inb(0x3DA)
    card.board.outb(0x3C0, 0x20)
    #expect(card.picture()[0, 0] == 0xFFFFFF)
  }

  @Test(arguments: [(1024, 768), (1920, 1080), (3840, 2160), (640, 480), (100_000, -5)])
  func theEDIDAsksForTheSize(width: Int, height: Int) throws {
    let card = try Card(preferredWidth: width, preferredHeight: height)
    let edid = (0..<128).map { Int(card.peek(Card.registers + UInt64($0))) }
    #expect(edid.prefix(8) == [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0])
    #expect(edid.reduce(0, +) & 0xFF == 0)
    #expect(edid[126] == 0)
    // The first detailed timing.
    let timing = Array(edid[54..<72])
    #expect(timing[2] | (timing[4] & 0xF0) << 4 == min(max(width, 8), 4095))
    #expect(timing[5] | (timing[7] & 0xF0) << 4 == min(max(height, 1), 4095))
    let blankX = timing[3] | (timing[4] & 0x0F) << 8
    let blankY = timing[6] | (timing[7] & 0x0F) << 8
    let (frontX, syncX) = (timing[8] | (timing[11] & 0xC0) << 2, timing[9] | (timing[11] & 0x30) << 4)
    #expect(frontX + syncX < blankX)
    #expect((timing[10] >> 4) + (timing[10] & 15) < blankY)
    let clock = (timing[0] | timing[1] << 8) * 10_000
    let frames =
      Double(clock) / Double((min(max(width, 8), 4095) + blankX) * (min(max(height, 1), 4095) + blankY))
    if width <= 3840 { #expect(abs(frames - 60) < 0.5) }
    // The monitor's name.
    let descriptors = [54, 72, 90, 108].map { Array(edid[$0..<($0 + 18)]) }
    let name = descriptors.first { $0.starts(with: [0, 0, 0, 0xFC]) }
    #expect(name.map { String(decoding: $0[5..<12].map(UInt8.init), as: UTF8.self) } == "Martlet")
    #expect(card.peek(Card.registers + 0x3FF) == 0)
  }
}

extension Card {
  /// Sets a mode of the display interface, as the Linux driver does.
  func enable(_ width: UInt16, _ height: UInt16, _ bits: UInt16, flags: UInt16 = 0x41) {
    dispi(4, 0)
    dispi(1, width)
    dispi(2, height)
    dispi(3, bits)
    dispi(4, flags)
  }
}
