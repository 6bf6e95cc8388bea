// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import EventLoop

/// Draws what the registers and the video memory say onto the surface: only rows whose memory, mode or colours changed.
final class VGARenderer {
  /// All that the picture depends on besides the memory. If it changes, everything is drawn.
  struct Look: Equatable {
    enum Kind: Equatable {
      case blank
      case text
      case planar
      /// Two bits a pixel, as a CGA interleaves them.
      case interleaved
      case packed256
      case linear(bits: Int)
    }
    var kind = Kind.blank
    var width = 0
    var height = 0
    var start = 0
    /// Bytes of interleaved memory from one row of characters or pixels to the next.
    var pitch = 0
    /// Scan lines a row of characters or pixels is high.
    var rowHeight = 1
    var isDoubleScanned = false
    var isHalfClock = false
    var dotsPerCharacter = 8
    var lineCompare = Int.max
    var panning = 0
    var panningStopsAtSplit = false
    var presetRow = 0
    var modeControl: UInt8 = 0xFF
    var characterMaps: UInt8 = 0
    var underline = 0x1F
    var attributeMode: UInt8 = 0
    var planeMask: UInt8 = 0x0F
    var blinkPhase = false
  }

  let video: VideoMemory
  private let surface: DisplaySurface
  private var look = Look()
  private var palette = Palette()
  private var cursor = TextCursor()
  /// One byte a page of video memory: changed since the last drawing.
  private let changedPages: UnsafeMutableBufferPointer<Bool>
  /// One row of pixels, wide enough for every mode.
  let row: UnsafeMutableBufferPointer<UInt32>
  private static let rowCapacity = 8192

  init(video: VideoMemory, surface: DisplaySurface) {
    self.video = video
    self.surface = surface
    changedPages = .allocate(capacity: video.block.byteCount / 4096)
    changedPages.initialize(repeating: true)
    row = .allocate(capacity: Self.rowCapacity)
    row.initialize(repeating: 0)
  }

  deinit {
    changedPages.deallocate()
    row.deallocate()
  }

  /// Brings the surface up to date; `all` draws everything.
  func draw(_ registers: VGARegisters, at time: UInt64, all: Bool) {
    var hasChanges = false
    video.block.dirty.drain { first, count in
      hasChanges = true
      for page in first..<min(first + count, changedPages.count) { changedPages[page] = true }
    }
    let newLook = Self.look(of: registers, at: time)
    let newPalette = Palette(registers)
    let newCursor = newLook.kind == .text ? TextCursor(registers, at: time) : TextCursor()
    let redraws = all || newLook != look || newPalette != palette
    let (oldCursor, hasCursorChanged) = (cursor, newCursor != cursor)
    (look, palette, cursor) = (newLook, newPalette, newCursor)
    guard redraws || hasChanges || hasCursorChanged else { return }
    if look.kind == .blank {
      if redraws { blank() }
    } else {
      if surface.width != look.width || surface.height != look.height {
        surface.resize(width: look.width, height: look.height)
        drawRows(registers, redraws: true, cursorRows: [])
      } else {
        let cursorRows = hasCursorChanged ? [oldCursor.address, newCursor.address] : []
        drawRows(registers, redraws: redraws, cursorRows: cursorRows)
      }
    }
    changedPages.update(repeating: false)
  }

  private func blank() {
    surface.lock.withLock { surface.pixels.update(repeating: 0) }
    surface.changed(PixelRectangle(x: 0, y: 0, width: surface.width, height: surface.height))
  }

  // MARK: What is shown

  private static let blinkNanoseconds: UInt64 = 533_000_000

  private static func look(of registers: VGARegisters, at time: UInt64) -> Look {
    if registers.isDispiEnabled { return dispiLook(registers) }
    var look = Look()
    let clocking = registers.sequencer[Sequencer.clockingMode]
    // Screen off, or the palette in the CPU's hands.
    guard clocking & 0x20 == 0, registers.attributeIndex & 0x20 != 0 else { return look }
    look.isHalfClock = clocking & 8 != 0
    look.height = registers.verticalDisplayEnd + 1
    look.start = registers.startAddress
    look.pitch = Int(registers.crtc[CRTC.offset]) << 3
    look.lineCompare = registers.lineCompare
    look.attributeMode = registers.attribute[Attribute.mode]
    look.panningStopsAtSplit = look.attributeMode & 0x20 != 0
    look.modeControl = registers.crtc[CRTC.modeControl]
    look.planeMask = registers.attribute[Attribute.planeEnable] & 15
    look.presetRow = Int(registers.crtc[CRTC.presetRowScan] & 0x1F)
    let columns = Int(registers.crtc[CRTC.horizontalDisplayEnd]) + 1
    let scanLine = registers.crtc[CRTC.maximumScanLine]
    look.rowHeight = Int(scanLine & 0x1F) + 1
    look.isDoubleScanned = scanLine & 0x80 != 0
    let isText = registers.graphics[Graphics.miscellaneous] & 1 == 0
    look.dotsPerCharacter = isText && clocking & 1 == 0 ? 9 : 8
    look.width = min(columns * look.dotsPerCharacter * (look.isHalfClock ? 2 : 1), rowCapacity - 64)
    var panning = Int(registers.attribute[Attribute.panning] & 15)
    if isText {
      look.kind = .text
      look.characterMaps = registers.sequencer[Sequencer.characterMap]
      look.underline = Int(registers.crtc[CRTC.underline] & 0x1F)
      look.blinkPhase = look.attributeMode & 8 != 0 && time / blinkNanoseconds & 1 != 0
      // With nine dots, 8 is no shift and 0 … 7 shift by one more.
      if look.dotsPerCharacter == 9 { panning = panning >= 8 ? 0 : panning + 1 }
    } else {
      switch registers.graphics[Graphics.mode] >> 5 & 3 {
      case 0: look.kind = .planar
      case 1: look.kind = .interleaved
      default:
        look.kind = .packed256
        panning /= 2
      }
    }
    look.panning = panning & 7
    return look
  }

  private static func dispiLook(_ registers: VGARegisters) -> Look {
    var look = Look()
    let bits = Int(registers.dispi[DISPI.bitsPerPixel])
    look.width = Int(registers.dispi[DISPI.xResolution])
    look.height = Int(registers.dispi[DISPI.yResolution])
    guard look.width > 0, look.height > 0, look.width < rowCapacity else { return Look() }
    let virtualWidth = Int(registers.dispi[DISPI.virtualWidth])
    let (x, y) = (Int(registers.dispi[DISPI.xOffset]), Int(registers.dispi[DISPI.yOffset]))
    if bits == 4 {
      // Four interleaved planes: eight pixels are four bytes.
      look.kind = .planar
      look.pitch = virtualWidth / 2
      look.start = (y * look.pitch) / 4 + x / 8
      look.panning = x & 7
    } else {
      let bytes = (bits + 7) / 8
      look.kind = .linear(bits: bits)
      look.pitch = virtualWidth * bytes
      look.start = y * look.pitch + x * bytes
    }
    return look
  }

  // MARK: Rows

  private func isChanged(_ start: Int, _ count: Int) -> Bool {
    guard count > 0 else { return false }
    var page = (start & video.mask) >> 12
    let last = ((start &+ count &- 1) & video.mask) >> 12
    while true {
      if changedPages[page] { return true }
      if page == last { return false }
      page = page + 1 == changedPages.count ? 0 : page + 1
    }
  }

  /// Draws the rows that must be drawn, and tells the surface in as few rectangles as there are runs of rows.
  private func drawRows(_ registers: VGARegisters, redraws: Bool, cursorRows: [Int]) {
    var runStart = -1
    let (width, height) = (look.width, look.height)
    for y in 0..<height {
      let source = source(ofLine: y)
      let isNeeded =
        redraws || isChanged(source.address, source.byteCount)
        || (look.kind == .text && (isFontChanged || cursorRows.contains { source.holds(cell: $0) }))
      if isNeeded {
        drawRow(source)
        surface.lock.withLock {
          guard surface.width == width, y < surface.height else { return }
          let target = surface.pixels.baseAddress.map { $0 + y * surface.stride }
          if let target, let pixels = row.baseAddress {
            target.update(from: pixels + source.skippedPixels, count: width)
          }
        }
        if runStart < 0 { runStart = y }
      } else if runStart >= 0 {
        surface.changed(PixelRectangle(x: 0, y: runStart, width: width, height: y - runStart))
        runStart = -1
      }
    }
    if runStart >= 0 {
      surface.changed(PixelRectangle(x: 0, y: runStart, width: width, height: height - runStart))
    }
  }

  /// The fonts lie in plane 2 of the first 64 KiB, that is all over the first 256 KiB; text itself only in a few pages.
  private var isFontChanged: Bool {
    let textPages = (look.start * 4 >> 12)...((look.start * 4 + look.pitch * 64) >> 12)
    for page in 0..<min(64, changedPages.count) where changedPages[page] && !textPages.contains(page) {
      return true
    }
    return false
  }

  /// Where a scan line's pixels come from.
  struct Source {
    /// The first byte of interleaved memory, and how many the line uses.
    var address: Int
    var byteCount: Int
    /// The scan line within a row of characters.
    var scanLine: Int
    /// Pixels at the left that are not shown.
    var skippedPixels: Int

    /// Whether a line of text shows the cell at a character address.
    func holds(cell: Int) -> Bool { cell >= 0 && cell * 4 >= address && cell * 4 < address + byteCount }
  }

  private func source(ofLine y: Int) -> Source {
    if case .linear(let bits) = look.kind {
      return Source(
        address: look.start &+ y * look.pitch, byteCount: look.width * ((bits + 7) / 8), scanLine: 0,
        skippedPixels: 0)
    }
    // Below the split the picture starts again at address 0.
    let isBelowSplit = y > look.lineCompare
    var line = isBelowSplit ? y - look.lineCompare - 1 : y &+ look.presetRow
    if look.isDoubleScanned { line >>= 1 }
    let (character, scanLine) = (line / look.rowHeight, line % look.rowHeight)
    var address = (isBelowSplit ? 0 : look.start) * 4 &+ character * look.pitch
    let panning = isBelowSplit && look.panningStopsAtSplit ? 0 : look.panning
    let scale = look.isHalfClock ? 2 : 1
    let cells = look.width / (look.dotsPerCharacter * scale) + 1
    if look.kind != .text {
      // CGA and Hercules: address bits 13 and 14 come from the scan line.
      let shift = 14 + Int(look.modeControl >> 6 & 1)
      if look.modeControl & 1 == 0 { address = address & ~(1 << shift) | (scanLine & 1) << shift }
      if look.modeControl & 2 == 0 { address = address & ~0x8000 | (scanLine & 2) << 14 }
    }
    return Source(address: address, byteCount: cells * 4, scanLine: scanLine, skippedPixels: panning * scale)
  }

  private func drawRow(_ source: Source) {
    switch look.kind {
    case .blank: break
    case .text: drawText(source)
    case .planar: drawPlanar(source)
    case .interleaved: drawInterleaved(source)
    case .packed256: drawPacked(source)
    case .linear(let bits):
      LinearRow.draw(video, source.address, bits: bits, width: look.width, palette: palette, into: row)
    }
  }

  /// The number of memory dwords a line shows, with one more for panning.
  private func dwordCount(pixelsEach pixels: Int) -> Int {
    min(look.width / (pixels * (look.isHalfClock ? 2 : 1)) + 1, (row.count - 32) / (pixels * 2))
  }

  @inline(__always)
  private func put(_ color: UInt32, at position: inout Int) {
    row[position] = color
    position += 1
    if look.isHalfClock {
      row[position] = color
      position += 1
    }
  }

  private func drawPlanar(_ source: Source) {
    var position = 0
    let mask = VideoMemory.spread(look.planeMask)
    for index in 0..<dwordCount(pixelsEach: 8) {
      let planes = video.planes(source.address >> 2 &+ index) & mask
      for bit in stride(from: UInt32(7), through: 0, by: -1) {
        let bits = planes >> bit
        let color = bits & 1 | bits >> 7 & 2 | bits >> 14 & 4 | bits >> 21 & 8
        put(palette.indexed[Int(color)], at: &position)
      }
    }
  }

  private func drawInterleaved(_ source: Source) {
    var position = 0
    let mask = VideoMemory.spread(look.planeMask)
    for index in 0..<dwordCount(pixelsEach: 8) {
      let planes = video.planes(source.address >> 2 &+ index) & mask
      // Planes 0 and 2 have the first four pixels, 1 and 3 the next: two bits from each.
      for half in 0..<2 {
        let low = planes >> UInt32(half * 8)
        let high = planes >> UInt32(half * 8 + 16)
        for shift in stride(from: UInt32(6), through: 0, by: -2) {
          put(palette.indexed[Int(low >> shift & 3 | (high >> shift & 3) << 2)], at: &position)
        }
      }
    }
  }

  private func drawPacked(_ source: Source) {
    var position = 0
    for index in 0..<dwordCount(pixelsEach: 8) {
      let planes = video.planes(source.address >> 2 &+ index)
      for byte in 0..<4 {
        // Each pixel takes two dots.
        let color = palette.dac[Int(planes >> UInt32(byte * 8) & 0xFF)]
        put(color, at: &position)
        put(color, at: &position)
      }
    }
  }

  private func drawText(_ source: Source) {
    var position = 0
    let scanLine = source.scanLine
    // Bit 3 of an attribute chooses between two fonts, if they differ.
    let maps = look.characterMaps
    // Each font's number has its low bit above: 8 KiB further on.
    let fontA = Int((maps & 0x20) >> 5 | (maps & 0x0C) >> 1)
    let fontB = Int((maps & 0x10) >> 4 | (maps & 0x03) << 1)
    for index in 0..<dwordCount(pixelsEach: look.dotsPerCharacter) {
      let cell = video.planes(source.address >> 2 &+ index)
      let (character, attribute) = (Int(cell & 0xFF), UInt8(truncatingIfNeeded: cell >> 8))
      let font = attribute & 8 != 0 ? fontA : fontB
      var bits = UInt32(video[TextFont.offset(font: font, character: character, scanLine: scanLine)])
      var foreground = Int(attribute & 15)
      var background = Int(attribute >> 4)
      if fontA != fontB { foreground &= 7 }
      if look.attributeMode & 8 != 0 {
        if attribute & 0x80 != 0 && look.blinkPhase { bits = 0 }
        background &= 7
      }
      // Underline of monochrome attributes.
      if look.attributeMode & 2 != 0 && attribute & 7 == 1 && scanLine == look.underline { bits = 0xFF }
      let isCursor =
        cursor.isVisible && source.address >> 2 &+ index == cursor.address && cursor.covers(scanLine)
      if isCursor { bits = 0xFF }
      var dots = bits << 1
      // The ninth dot repeats the eighth in line drawing characters.
      if look.dotsPerCharacter == 9 {
        let isLine = look.attributeMode & 4 != 0 && character >= 0xC0 && character <= 0xDF
        if bits & 1 != 0 && (isLine || isCursor) { dots |= 1 }
      } else {
        dots = bits
      }
      let (ink, paper) = (palette.indexed[foreground], palette.indexed[background])
      for dot in stride(from: UInt32(look.dotsPerCharacter - 1), through: 0, by: -1) {
        put(dots >> dot & 1 != 0 ? ink : paper, at: &position)
      }
    }
  }
}

/// Fonts in plane 2.
enum TextFont {
  /// The interleaved address of a row of dots.
  @inline(__always)
  static func offset(font: Int, character: Int, scanLine: Int) -> Int {
    // Four fonts at multiples of 16 KiB, and four 8 KiB behind them.
    let start = (font & 1) << 13 | (font >> 1 & 3) << 14
    return ((start + character * 32 + scanLine) & 0xFFFF) << 2 | 2
  }
}
