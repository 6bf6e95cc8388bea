// SPDX-License-Identifier: GPL-2.0-or-later

/// The Bochs display interface: modes of any size and depth in a linear frame buffer.
extension VGADevice {
  func readDisplayInterface(_ index: Int) -> UInt16 {
    guard index < DISPI.count else { return 0 }
    if registers.dispi[DISPI.enable] & DISPI.getCapabilities != 0 {
      switch index {
      case DISPI.xResolution: return DISPI.maximumWidth
      case DISPI.yResolution: return DISPI.maximumHeight
      case DISPI.bitsPerPixel: return 32
      default: break
      }
    }
    switch index {
    case DISPI.videoMemory64K: return UInt16(clamping: video.block.byteCount >> 16)
    case DISPI.virtualHeight: return UInt16(clamping: virtualHeight)
    default: return registers.dispi[index]
    }
  }

  func writeDisplayInterface(_ index: Int, _ value: UInt16) {
    switch index {
    case DISPI.id:
      if (DISPI.oldestID...DISPI.newestID).contains(value) { registers.dispi[index] = value }
    case DISPI.xResolution, DISPI.yResolution, DISPI.bitsPerPixel, DISPI.virtualWidth, DISPI.xOffset,
      DISPI.yOffset:
      registers.dispi[index] = value
      if registers.isDispiEnabled { modeChanged() }
    case DISPI.bank:
      // A bank beyond the memory wraps, like every address.
      registers.dispi[index] = value & UInt16(truncatingIfNeeded: video.mask >> 16)
    case DISPI.enable: enableDisplayInterface(value)
    default: break
    }
  }

  private func enableDisplayInterface(_ value: UInt16) {
    let wasEnabled = registers.isDispiEnabled
    registers.dispi[DISPI.enable] = value
    registers.dispi[DISPI.bank] = 0
    // Six or eight bits a colour.
    registers.colorVersion &+= 1
    guard value & DISPI.enabled != 0, !wasEnabled else { return }
    registers.dispi[DISPI.virtualWidth] = 0
    registers.dispi[DISPI.xOffset] = 0
    registers.dispi[DISPI.yOffset] = 0
    modeChanged()
    guard value & DISPI.noClearMemory == 0 else { return }
    let count = min(displayPitch * Int(registers.dispi[DISPI.yResolution]), video.block.byteCount)
    video.block.allBytes.prefix(count).initializeMemory(as: UInt8.self, repeating: 0)
    video.block.dirty.mark(byteOffset: 0, count: count)
  }

  /// Bits a pixel takes in memory: those of 15 take 16.
  private var storedBits: Int {
    let bits = Int(registers.dispi[DISPI.bitsPerPixel])
    return bits == 15 ? 16 : bits
  }

  /// Bytes from one row to the next; a 4-bit mode has its four planes interleaved.
  private var displayPitch: Int { Int(registers.dispi[DISPI.virtualWidth]) * storedBits / 8 }

  private var virtualHeight: Int { displayPitch == 0 ? 0 : video.block.byteCount / displayPitch }

  /// Brings the mode into what the card can show, and the VGA's own registers into agreement with it.
  func modeChanged() {
    fitMode()
    programVGA()
  }

  /// Sizes the card does not have become the nearest it has; a screen the memory does not hold gets fewer
  /// rows; offsets stay inside.
  func fitMode() {
    let dispi = registers.dispi
    if !DISPI.depths.contains(dispi[DISPI.bitsPerPixel]) { dispi[DISPI.bitsPerPixel] = 8 }
    dispi[DISPI.xResolution] = min(max(dispi[DISPI.xResolution] & ~7, 8), DISPI.maximumWidth)
    dispi[DISPI.yResolution] = min(max(dispi[DISPI.yResolution], 1), DISPI.maximumHeight)
    dispi[DISPI.virtualWidth] = min(
      max(dispi[DISPI.virtualWidth] & ~7, dispi[DISPI.xResolution]), DISPI.maximumVirtualWidth)
    // The smallest memory holds a row of the greatest width, so there is at least one.
    dispi[DISPI.yResolution] = min(dispi[DISPI.yResolution], UInt16(clamping: max(virtualHeight, 1)))
    let slackX = Int(dispi[DISPI.virtualWidth]) - Int(dispi[DISPI.xResolution])
    let slackY = virtualHeight - Int(dispi[DISPI.yResolution])
    dispi[DISPI.xOffset] = min(dispi[DISPI.xOffset], UInt16(clamping: max(slackX, 0)))
    dispi[DISPI.yOffset] = min(dispi[DISPI.yOffset], UInt16(clamping: max(slackY, 0)))
  }

  /// While the display interface is enabled the card sets the VGA's registers to the mode, so that the window
  /// at 0xA0000 shows its banks, and software that looks at the VGA finds a graphics mode of that size.
  private func programVGA() {
    let dispi = registers.dispi
    let isPlanar = dispi[DISPI.bitsPerPixel] == 4
    registers.graphics[Graphics.miscellaneous] = registers.graphics[Graphics.miscellaneous] & ~0x0C | 0x05
    registers.graphics[Graphics.mode] =
      registers.graphics[Graphics.mode] & ~0x70 | (isPlanar ? 0x00 : 0x40)
    if isPlanar {
      registers.sequencer[Sequencer.clockingMode] &= ~0x08
      registers.sequencer[Sequencer.memoryMode] &= ~0x08
    } else {
      registers.sequencer[Sequencer.memoryMode] |= 0x08
      registers.sequencer[Sequencer.mapMask] |= 0x0F
    }
    let lastRow = dispi[DISPI.yResolution] - 1
    let crtc = registers.crtc
    crtc[CRTC.horizontalDisplayEnd] = UInt8(truncatingIfNeeded: dispi[DISPI.xResolution] / 8 - 1)
    crtc[CRTC.verticalDisplayEnd] = UInt8(truncatingIfNeeded: lastRow)
    crtc[CRTC.offset] = UInt8(truncatingIfNeeded: displayPitch >> 3)
    crtc[CRTC.overflow] =
      crtc[CRTC.overflow] & ~0x42 | 0x10 | UInt8(truncatingIfNeeded: lastRow >> 7 & 2)
      | UInt8(truncatingIfNeeded: lastRow >> 3 & 0x40)
    crtc[CRTC.modeControl] |= 0x03
    crtc[CRTC.lineCompare] = 0xFF
    crtc[CRTC.maximumScanLine] = crtc[CRTC.maximumScanLine] & ~0x9F | 0x40
  }
}
