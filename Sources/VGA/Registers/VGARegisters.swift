// SPDX-License-Identifier: GPL-2.0-or-later

/// I/O ports of a VGA, from 0x3B0 (IBM PS/2 Hardware Interface Technical Reference, video subsystem).
enum VGAPort {
  static let first: UInt16 = 0x3B0
  static let count: UInt64 = 0x30
  static let crtcIndexMono = 0x3B4
  static let crtcDataMono = 0x3B5
  static let inputStatus1Mono = 0x3BA
  static let attribute = 0x3C0
  static let attributeRead = 0x3C1
  /// Written: miscellaneous output. Read: input status 0.
  static let miscellaneousWrite = 0x3C2
  static let sequencerIndex = 0x3C4
  static let sequencerData = 0x3C5
  static let dacMask = 0x3C6
  /// Written: read address. Read: state.
  static let dacReadAddress = 0x3C7
  static let dacWriteAddress = 0x3C8
  static let dacData = 0x3C9
  static let featureControlRead = 0x3CA
  static let miscellaneousRead = 0x3CC
  static let graphicsIndex = 0x3CE
  static let graphicsData = 0x3CF
  /// The ports from here on answer while the card is a colour one.
  static let firstColor = 0x3D0
  static let crtcIndex = 0x3D4
  static let crtcData = 0x3D5
  /// Read: input status 1. Written: feature control.
  static let inputStatus1 = 0x3DA
}

/// CRT controller registers.
enum CRTC {
  static let horizontalTotal = 0x00
  static let horizontalDisplayEnd = 0x01
  static let verticalTotal = 0x06
  static let overflow = 0x07
  static let presetRowScan = 0x08
  static let maximumScanLine = 0x09
  static let cursorStart = 0x0A
  static let cursorEnd = 0x0B
  static let startHigh = 0x0C
  static let startLow = 0x0D
  static let cursorHigh = 0x0E
  static let cursorLow = 0x0F
  static let verticalRetraceStart = 0x10
  /// Bit 7 protects registers 0 … 7.
  static let verticalRetraceEnd = 0x11
  static let verticalDisplayEnd = 0x12
  static let offset = 0x13
  static let underline = 0x14
  static let modeControl = 0x17
  static let lineCompare = 0x18
}

/// Sequencer registers.
enum Sequencer {
  static let clockingMode = 0x01
  static let mapMask = 0x02
  static let characterMap = 0x03
  static let memoryMode = 0x04
}

/// Graphics controller registers.
enum Graphics {
  static let setReset = 0x00
  static let enableSetReset = 0x01
  static let colorCompare = 0x02
  static let dataRotate = 0x03
  static let readMap = 0x04
  static let mode = 0x05
  static let miscellaneous = 0x06
  static let colorDontCare = 0x07
  static let bitMask = 0x08
}

/// Attribute controller registers.
enum Attribute {
  static let mode = 0x10
  static let overscan = 0x11
  static let planeEnable = 0x12
  static let panning = 0x13
  static let colorSelect = 0x14
}

/// The Bochs display interface (Bochs VBE API, "VBE_DISPI").
enum DISPI {
  static let indexPort: UInt16 = 0x1CE
  /// The ports from there on.
  static let portCount: UInt64 = 4
  static let id = 0
  static let xResolution = 1
  static let yResolution = 2
  static let bitsPerPixel = 3
  static let enable = 4
  static let bank = 5
  static let virtualWidth = 6
  static let virtualHeight = 7
  static let xOffset = 8
  static let yOffset = 9
  static let videoMemory64K = 10
  static let count = 11

  static let enabled: UInt16 = 0x01
  static let getCapabilities: UInt16 = 0x02
  static let dac8Bit: UInt16 = 0x20
  static let noClearMemory: UInt16 = 0x80

  static let oldestID: UInt16 = 0xB0C0
  static let newestID: UInt16 = 0xB0C5
  static let maximumWidth: UInt16 = 5120
  static let maximumHeight: UInt16 = 2880
  static let maximumVirtualWidth: UInt16 = 16000
  static let depths: [UInt16] = [4, 8, 15, 16, 24, 32]
}
