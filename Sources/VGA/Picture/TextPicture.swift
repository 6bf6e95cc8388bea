// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Draws text modes cell by cell: only cells that look different from when they were drawn last.
final class TextPicture {
  private let video: VideoMemory
  private let palette: Palette
  private let fonts = TextFonts()
  /// What each cell showed: character, attribute, and the bits of ``Cell``. Rows of `columns`, one for each run
  /// of scan lines of one row of characters.
  private var shadow = UnsafeMutableBufferPointer<UInt32>(start: nil, count: 0)
  private var columns = 0

  private enum Cell {
    static let hasCursor: UInt32 = 1 << 16
    /// In the dark half of blinking.
    static let isHidden: UInt32 = 1 << 17
    /// The cursor's shape, in ten bits.
    static let cursorShape: UInt32 = 18
    /// What no cell is.
    static let unknown: UInt32 = .max
  }

  /// Half a period of blinking characters: 32 frames at 60 Hz.
  static let blinkNanoseconds: UInt64 = 533_000_000

  init(video: VideoMemory, palette: Palette) {
    self.video = video
    self.palette = palette
  }

  deinit { shadow.deallocate() }

  /// Draws the cells that changed, or all; the surface has the format's size and is locked.
  func draw(
    _ format: PictureFormat, cursor: TextCursor, isDarkHalf: Bool, on surface: DisplaySurface,
    pages: ChangedPages, all: Bool, changes: inout ChangeList
  ) {
    // Another map is another format, and all is drawn.
    fonts.update(from: video, maps: format.characterMaps, pages: pages, all: all)
    prepareShadow(format, all: all)
    var band = 0
    var y = 0
    while y < format.height {
      let source = ScanLineSource(of: y, in: format)
      // The scan lines that show the same row of characters.
      var end = y + 1
      while end < format.height {
        let next = ScanLineSource(of: end, in: format)
        if next.address != source.address || next.skippedDots != source.skippedDots { break }
        if next.scanLine < source.scanLine { break }
        end += 1
      }
      drawBand(
        band, y..<end, source, format, cursor: cursor, isDarkHalf: isDarkHalf, on: surface, changes: &changes)
      y = end
      band += 1
    }
  }

  private func prepareShadow(_ format: PictureFormat, all: Bool) {
    columns = format.width / (format.dotsPerCharacter * format.scale) + 3
    let count = columns * format.height
    if shadow.count != count {
      shadow.deallocate()
      shadow = .allocate(capacity: count)
      shadow.initialize(repeating: Cell.unknown)
    } else if all {
      shadow.update(repeating: Cell.unknown)
    }
  }

  private func drawBand(
    _ band: Int, _ lines: Range<Int>, _ source: ScanLineSource, _ format: PictureFormat, cursor: TextCursor,
    isDarkHalf: Bool, on surface: DisplaySurface, changes: inout ChangeList
  ) {
    let cellWidth = format.dotsPerCharacter * format.scale
    let cellCount = min(columns, (format.width + source.skippedDots + cellWidth - 1) / cellWidth)
    guard let shown = shadow.baseAddress.map({ $0 + band * columns }) else { return }
    let canBlink = format.attributeMode & 8 != 0
    let cursorIndex = cursor.address < 0 ? -1 : cursor.address << 2 & format.addressMask
    var (first, last) = (Int.max, 0)
    for column in 0..<cellCount {
      let index = (source.address &+ column << 2) & format.addressMask
      var cell = video.planes(at: index) & 0xFFFF
      if index == cursorIndex { cell |= Cell.hasCursor | cursor.shape << Cell.cursorShape }
      if canBlink && isDarkHalf && cell & 0x8000 != 0 { cell |= Cell.isHidden }
      if cell == shown[column] {
        guard fonts.hasChanges else { continue }
        let (character, attribute) = Self.parts(cell)
        guard fonts.isChanged(character: character, attribute: attribute) else { continue }
      }
      shown[column] = cell
      let x = column * cellWidth - source.skippedDots
      drawCell(cell, x: x, lines, format, cursor: cursor, on: surface)
      first = min(first, max(x, 0))
      last = max(last, min(x + cellWidth, format.width))
    }
    if first < last {
      changes.add(x: first..<last, y: lines)
    }
  }

  @inline(__always)
  private static func parts(_ cell: UInt32) -> (character: UInt8, attribute: UInt8) {
    (UInt8(truncatingIfNeeded: cell), UInt8(truncatingIfNeeded: cell >> 8))
  }

  private func drawCell(
    _ cell: UInt32, x: Int, _ lines: Range<Int>, _ format: PictureFormat, cursor: TextCursor,
    on surface: DisplaySurface
  ) {
    let (character, attribute) = Self.parts(cell)
    let ink = palette.indexed[Int(attribute & 15)]
    // With blinking on, its bit is no colour.
    let paper = palette.indexed[Int(attribute >> 4) & (format.attributeMode & 8 != 0 ? 7 : 15)]
    let isUnderlined = format.attributeMode & 2 != 0 && attribute & 7 == 1
    let hasNineDots = format.dotsPerCharacter == 9
    // The ninth dot repeats the eighth in characters that draw lines.
    let repeatsEighth = format.attributeMode & 4 != 0 && character >= 0xC0 && character <= 0xDF
    let scale = format.scale
    let visible = max(x, 0)..<max(min(x + format.dotsPerCharacter * scale, format.width), max(x, 0))
    guard let pixels = surface.pixels.baseAddress else { return }
    for y in lines {
      let scanLine = ScanLineSource(of: y, in: format).scanLine
      var dots = fonts.row(character: character, attribute: attribute, scanLine: scanLine)
      if cell & Cell.isHidden != 0 { dots = 0 }
      if isUnderlined && scanLine == format.underline { dots = 0xFF }
      var ninth = repeatsEighth ? dots & 1 : 0
      if cell & Cell.hasCursor != 0 && cursor.covers(scanLine) { (dots, ninth) = (0xFF, 1) }
      if hasNineDots { dots = dots << 1 | ninth }
      let row = pixels + y * surface.stride
      let leftmost = UInt32(format.dotsPerCharacter - 1)
      for position in visible {
        let dot = leftmost - UInt32((position - x) / scale)
        row[position] = dots >> dot & 1 != 0 ? ink : paper
      }
    }
  }
}
