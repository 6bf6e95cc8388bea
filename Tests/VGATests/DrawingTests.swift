// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import TestSupport
import Testing
import VGA

/// Remembers what a surface told it; used on one thread.
private final class Viewer: DisplayListener, @unchecked Sendable {
  // Unchecked: each test uses its viewer on one thread.
  var rectangles: [PixelRectangle] = []
  func displayResized(width: Int, height: Int) {}
  func displayUpdated(_ rectangle: PixelRectangle) { rectangles.append(rectangle) }

  func take() -> [PixelRectangle] {
    defer { rectangles = [] }
    return rectangles
  }
}

/// Only what changed is drawn, and all of it.
@Suite struct DrawingTests {
  private func shown(_ mode: Mode) throws -> (Card, Viewer) {
    let card = try Card(megabytes: 1)
    let viewer = Viewer()
    card.surface.addListener(viewer)
    card.set(mode)
    if mode.graphics[6] & 1 == 0 { card.loadFont() }
    card.device.refresh(all: false)
    _ = viewer.take()
    return (card, viewer)
  }

  @Test func nothingIsDrawnWhenNothingChanged() throws {
    for mode in [Mode.text80, .cga4, .planar640, .packed256] {
      let (card, viewer) = try shown(mode)
      card.device.refresh(all: false)
      #expect(viewer.take() == [])
      card.device.refresh(all: true)
      #expect(!viewer.take().isEmpty)
    }
  }

  @Test func oneCharacterIsOneCell() throws {
    let (card, viewer) = try shown(.text80)
    card.putCell(2 * 80 + 10, 0x41, 0x1F)
    card.device.refresh(all: false)
    #expect(viewer.take() == [PixelRectangle(x: 90, y: 32, width: 9, height: 16)])
    // Written again it is the same.
    card.putCell(2 * 80 + 10, 0x41, 0x1F)
    card.device.refresh(all: false)
    #expect(viewer.take() == [])
  }

  @Test func theCursorMovesBlinksAndChangesItsShape() throws {
    let (card, viewer) = try shown(.text80)
    let cell = { (x: Int) in PixelRectangle(x: x * 9, y: 0, width: 9, height: 16) }
    card.crtc(0x0F, 5)
    card.device.refresh(all: false)
    // From cell 0 to cell 5, in one rectangle.
    #expect(viewer.take() == [PixelRectangle(x: 0, y: 0, width: 54, height: 16)])
    card.board.clock.advance(by: 270_000_000)
    card.device.refresh(all: false)
    #expect(viewer.take() == [cell(5)])
    card.board.clock.advance(by: 270_000_000)
    card.crtc(0x0A, 0)
    card.device.refresh(all: false)
    #expect(viewer.take() == [cell(5)])
    card.crtc(0x0B, 7)
    card.device.refresh(all: false)
    #expect(viewer.take() == [cell(5)])
    #expect(card.picture() == (try card.pictureFromScratch()))
    card.crtc(0x0A, 0x20)
    card.device.refresh(all: false)
    #expect(viewer.take() == [cell(5)])
  }

  @Test func aNewGlyphRedrawsTheCellsThatShowIt() throws {
    let (card, viewer) = try shown(.text80)
    card.putCell(81, 0x41, 0x1F)
    card.device.refresh(all: false)
    _ = viewer.take()
    card.loadFont(inverted: false)
    card.device.refresh(all: false)
    #expect(viewer.take() == [])
    // Character 41h's first row.
    card.sequencer(2, 4)
    card.sequencer(4, 7)
    card.graphics(5, 0)
    card.graphics(6, 4)
    card.poke(0xA0000 + 0x41 * 32, 0x18)
    card.sequencer(2, 3)
    card.sequencer(4, 2)
    card.graphics(5, 0x10)
    card.graphics(6, 0x0E)
    card.device.refresh(all: false)
    #expect(viewer.take() == [PixelRectangle(x: 9, y: 16, width: 9, height: 16)])
  }

  @Test func aFontLoadedWhileGraphicsWereShownIsSeen() throws {
    let (card, _) = try shown(.text80)
    card.set(.planar320)
    card.loadFont(inverted: true)
    card.graphics(6, 5)
    card.device.refresh(all: false)
    card.set(.text80)
    #expect(card.picture() == (try card.pictureFromScratch()))
  }

  @Test func aPixelIsDrawnWithItsPage() throws {
    let (card, viewer) = try shown(.planar640)
    // Interleaved, a row is 320 bytes; the page of row 100 holds rows 90 to 102.
    card.poke(0xA0000 + 100 * 80, 0xFF)
    card.device.refresh(all: false)
    let rectangles = viewer.take()
    #expect(rectangles.count == 1)
    #expect(rectangles.first.map { $0.y <= 100 && $0.y + $0.height > 100 && $0.height < 16 } == true)
  }

  @Test func aColourRedrawsTheScreenOnlyIfItChanges() throws {
    let (card, viewer) = try shown(.packed256)
    card.board.outb(0x3C7, 7)
    let old = (0..<3).map { _ in card.board.inb(0x3C9) }
    card.color(7, old[0], old[1], old[2])
    card.device.refresh(all: false)
    #expect(viewer.take() == [])
    card.color(7, 1, 2, 3)
    card.device.refresh(all: false)
    #expect(viewer.take() == [PixelRectangle(x: 0, y: 0, width: 640, height: 400)])
  }

  @Test func linearRowsAreDrawnAsTheyChange() throws {
    let (card, viewer) = try shown(.packed256)
    card.enable(256, 256, 32)
    card.device.refresh(all: false)
    _ = viewer.take()
    // 1 KiB a row: four rows a page.
    card.pokePixel((8 * 256 + 3) * 4, 0xFFFFFF, byteCount: 4)
    card.pokePixel((13 * 256 + 3) * 4, 0xFFFFFF, byteCount: 4)
    card.pokePixel((200 * 256 + 3) * 4, 0xFFFFFF, byteCount: 4)
    card.device.refresh(all: false)
    #expect(
      viewer.take() == [
        PixelRectangle(x: 0, y: 8, width: 256, height: 8),
        PixelRectangle(x: 0, y: 200, width: 256, height: 4),
      ])
  }

  /// What was drawn bit by bit is what a fresh card draws of the same registers and memory.
  @Test(arguments: [Mode.text80, .text40, .cga4, .cga2, .planar320, .packed256, .modeX])
  func manySmallChangesMakeTheSamePicture(mode: Mode) throws {
    let seed = UInt64(mode.crtc[1]) << 8 | UInt64(mode.graphics[5])
    var random = SeededGenerator(seed: seed)
    let (card, _) = try shown(mode)
    let base: UInt64 = mode.graphics[6] & 0x0C == 0x0C ? 0xB8000 : 0xA0000
    for _ in 0..<3 {
      for _ in 0..<30 {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: card.crtc(0x0D, UInt8.random(in: 0...255, using: &random))
        case 1: card.crtc(0x0F, UInt8.random(in: 0...255, using: &random))
        case 2: card.attribute(0x13, UInt8.random(in: 0...8, using: &random))
        case 3:
          card.color(
            UInt8.random(in: 0...15, using: &random), 20, 30, UInt8.random(in: 0...63, using: &random))
        case 4: card.crtc(0x18, UInt8.random(in: 0...255, using: &random))
        case 5: card.crtc(0x08, UInt8.random(in: 0...127, using: &random))
        case 6: card.board.clock.advance(by: 150_000_000)
        default:
          card.poke(
            base + UInt64.random(in: 0..<0x4000, using: &random), UInt8.random(in: 0...255, using: &random))
        }
      }
      #expect(card.picture() == (try card.pictureFromScratch()), "seed \(seed)")
    }
  }
}
