// SPDX-License-Identifier: GPL-2.0-or-later

/// What the registers say the picture is: all it depends on besides the memory and the colours. If it changes,
/// everything is drawn.
struct PictureFormat: Equatable {
  enum Kind: Equatable {
    case blank
    case text
    /// Four planes, eight pixels a byte.
    case planar
    /// Two bits a pixel, as a CGA interleaves them.
    case interleaved
    /// A byte a pixel, two dots wide.
    case packed256
    /// The display interface's frame buffer.
    case linear(bits: Int)
  }
  var kind = Kind.blank
  /// In dots, of which a pixel may take two.
  var width = 0
  var height = 0
  /// The interleaved address of the first row.
  var start = 0
  /// Bytes of interleaved memory from one row of characters or pixels to the next.
  var pitch = 0
  /// Addresses wrap there.
  var addressMask = VideoMemory.classicByteCount - 1
  /// Pixels of the linear frame buffer left of the first one seen.
  var columnOffset = 0
  /// Scan lines a row of characters or pixels is high.
  var rowHeight = 1
  var isDoubleScanned = false
  /// Each dot is shown twice.
  var isHalfClock = false
  var dotsPerCharacter = 8
  /// The scan line after which the picture starts again at address 0.
  var lineCompare = Int.max
  var panning = 0
  var panningStopsAtSplit = false
  var presetRow = 0
  var modeControl: UInt8 = 0xFF
  var characterMaps: UInt8 = 0
  var underline = 0x1F
  var attributeMode: UInt8 = 0
  var isBigEndian = false

  /// Dots that a dot of the mode takes on the surface.
  var scale: Int { isHalfClock ? 2 : 1 }
  /// Dots at the left that panning takes away, at most.
  static let maximumPanning = 16

  /// Nothing is shown.
  init() {}

  init(_ registers: VGARegisterBank, memoryMask: Int) {
    // While the palette is in the CPU's hands the screen is dark.
    guard registers.attributeIndex & 0x20 != 0 else { return }
    if registers.isDispiEnabled {
      takeDisplayInterface(registers, memoryMask: memoryMask)
    } else if registers.sequencer[Sequencer.clockingMode] & 0x20 == 0 {
      takeVGA(registers)
    }
  }

  private mutating func takeVGA(_ registers: VGARegisterBank) {
    let clocking = registers.sequencer[Sequencer.clockingMode]
    let scanLine = registers.crtc[CRTC.maximumScanLine]
    isHalfClock = clocking & 8 != 0
    height = registers.verticalDisplayEnd + 1
    start = registers.startAddress << 2
    pitch = Int(registers.crtc[CRTC.offset]) << 3
    lineCompare = registers.lineCompare
    attributeMode = registers.attribute[Attribute.mode]
    panningStopsAtSplit = attributeMode & 0x20 != 0
    modeControl = registers.crtc[CRTC.modeControl]
    presetRow = Int(registers.crtc[CRTC.presetRowScan] & 0x1F)
    rowHeight = Int(scanLine & 0x1F) + 1
    isDoubleScanned = scanLine & 0x80 != 0
    let isText = registers.graphics[Graphics.miscellaneous] & 1 == 0
    dotsPerCharacter = isText && clocking & 1 == 0 ? 9 : 8
    let columns = Int(registers.crtc[CRTC.horizontalDisplayEnd]) + 1
    width = columns * dotsPerCharacter * scale
    let shift = Int(registers.attribute[Attribute.panning] & 15)
    if isText {
      kind = .text
      characterMaps = registers.sequencer[Sequencer.characterMap]
      underline = Int(registers.crtc[CRTC.underline] & 0x1F)
      // With nine dots 8 is no shift, and 0 … 7 shift by one more.
      panning = dotsPerCharacter == 8 ? shift & 7 : shift >= 8 ? 0 : shift + 1
      return
    }
    switch registers.graphics[Graphics.mode] >> 5 & 3 {
    case 0:
      kind = .planar
      panning = shift & 7
    case 1:
      kind = .interleaved
      panning = shift & 7
    default:
      kind = .packed256
      isHalfClock = false
      width = columns * 8
      // In whole pixels, of two dots.
      panning = shift & 6
    }
  }

  private mutating func takeDisplayInterface(_ registers: VGARegisterBank, memoryMask: Int) {
    let dispi = registers.dispi
    let bits = Int(dispi[DISPI.bitsPerPixel])
    width = Int(dispi[DISPI.xResolution])
    height = Int(dispi[DISPI.yResolution])
    addressMask = memoryMask
    let virtualWidth = Int(dispi[DISPI.virtualWidth])
    let (x, y) = (Int(dispi[DISPI.xOffset]), Int(dispi[DISPI.yOffset]))
    if bits == 4 {
      // Eight pixels are a byte of each plane: four bytes.
      kind = .planar
      pitch = virtualWidth / 2
      start = y * pitch + (x >> 3) * 4
      panning = x & 7
    } else {
      kind = .linear(bits: bits)
      pitch = virtualWidth * ((bits + 7) / 8)
      start = y * pitch
      columnOffset = x
      isBigEndian = registers.isBigEndian
    }
  }
}

/// Where a scan line's picture comes from.
struct ScanLineSource: Equatable {
  /// The interleaved address of its first byte.
  var address = 0
  /// The scan line within a row of characters.
  var scanLine = 0
  /// Dots at the left that are not shown.
  var skippedDots = 0

  /// The source of line `y` of a picture that is not linear.
  init(of y: Int, in format: PictureFormat) {
    let isBelowSplit = y > format.lineCompare
    var line = isBelowSplit ? y - format.lineCompare - 1 : y
    if format.isDoubleScanned { line >>= 1 }
    if !isBelowSplit { line += format.presetRow }
    scanLine = line % format.rowHeight
    address = (isBelowSplit ? 0 : format.start) &+ line / format.rowHeight &* format.pitch
    skippedDots = isBelowSplit && format.panningStopsAtSplit ? 0 : format.panning * format.scale
    guard format.kind != .text else { return }
    // CGA and Hercules: address bits 13 and 14 are those of the scan line. Interleaved, they are two higher; in
    // word mode the address was shifted to make room for the plane.
    if format.modeControl & 1 == 0 {
      let bit = format.modeControl & 0x40 != 0 ? 1 << 15 : 1 << 14
      address = scanLine & 1 != 0 ? address | bit : address & ~bit
    }
    if format.modeControl & 2 == 0 {
      address = scanLine & 2 != 0 ? address | 0x8000 : address & ~0x8000
    }
  }
}
