// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import EventLoop

/// Draws what the registers and the video memory say onto the surface: only what changed since the last time.
final class VGARenderer {
  private let video: VideoMemory
  private let registers: VGARegisterBank
  private let surface: DisplaySurface
  private let pages: ChangedPages
  private let palette = Palette()
  private let text: TextPicture
  private let graphics: GraphicsPicture
  private let linear: LinearPicture
  private var format = PictureFormat()
  private var cursor = TextCursor()
  private var isDarkHalf = false
  private var changes = ChangeList()

  init(video: VideoMemory, registers: VGARegisterBank, surface: DisplaySurface) {
    self.video = video
    self.registers = registers
    self.surface = surface
    pages = ChangedPages(count: video.block.byteCount / 4096)
    text = TextPicture(video: video, palette: palette)
    graphics = GraphicsPicture(video: video, palette: palette)
    linear = LinearPicture(video: video, palette: palette)
  }

  /// Brings the surface up to date at a moment of guest time; `all` draws everything.
  func draw(at time: UInt64, all: Bool) {
    pages.take(from: video.block.dirty)
    let newFormat = PictureFormat(registers, memoryMask: video.mask)
    let isRecolored = palette.update(from: registers)
    var redraws = all || isRecolored || newFormat != format
    format = newFormat
    if format.kind != .blank && (surface.width != format.width || surface.height != format.height) {
      surface.resize(width: format.width, height: format.height)
      redraws = true
    }
    let isBlinking = takeBlinking(at: time)
    guard redraws || pages.isAny || isBlinking else { return }
    surface.lock.withLock { drawPicture(all: redraws) }
    pages.clear()
    changes.tell(surface)
  }

  /// Takes over where and whether the cursor and blinking characters are seen.
  /// - Returns: whether that changed.
  private func takeBlinking(at time: UInt64) -> Bool {
    let newCursor = format.kind == .text ? TextCursor(registers, at: time) : TextCursor()
    let newHalf = format.kind == .text && time / TextPicture.blinkNanoseconds & 1 != 0
    defer { (cursor, isDarkHalf) = (newCursor, newHalf) }
    return newCursor != cursor || newHalf != isDarkHalf
  }

  private func drawPicture(all: Bool) {
    switch format.kind {
    case .blank:
      guard all else { return }
      surface.pixels.update(repeating: 0)
      changes.add(x: 0..<surface.width, y: 0..<surface.height)
    case .text:
      text.draw(
        format, cursor: cursor, isDarkHalf: isDarkHalf, on: surface, pages: pages, all: all, changes: &changes
      )
    case .planar, .interleaved, .packed256:
      graphics.draw(format, on: surface, pages: pages, all: all, changes: &changes)
    case .linear(let bits):
      linear.draw(format, bits: bits, on: surface, pages: pages, all: all, changes: &changes)
    }
  }
}
