// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// All registers of the card; the video memory is a RAM block and kept with the machine's memory.
struct VGARegisters: Codable, Equatable, Sendable {
  var crtc = [UInt8](repeating: 0, count: 256)
  var crtcIndex: UInt8 = 0
  var sequencer = [UInt8](repeating: 0, count: 8)
  var sequencerIndex: UInt8 = 0
  var graphics = [UInt8](repeating: 0, count: 16)
  var graphicsIndex: UInt8 = 0
  var attribute = [UInt8](repeating: 0, count: 32)
  /// Bit 5, "palette address source": the palette belongs to the display.
  var attributeIndex: UInt8 = 0
  /// The next write to 0x3C0 is data.
  var attributeIsData = false
  var miscellaneous: UInt8 = 0
  var featureControl: UInt8 = 0
  var latch: UInt32 = 0
  var dac = [UInt8](repeating: 0, count: 768)
  var dacMask: UInt8 = 0xFF
  var dacReadIndex: UInt8 = 0
  var dacWriteIndex: UInt8 = 0
  /// Which of red, green and blue comes next.
  var dacComponent: UInt8 = 0
  var dacIsReading = false
  var dispi = [UInt16](repeating: 0, count: DISPI.count)
  var dispiIndex: UInt16 = 0

  init() { dispi[DISPI.id] = DISPI.newestID }

  /// Whether every array has its length.
  var isValid: Bool {
    crtc.count == 256 && sequencer.count == 8 && graphics.count == 16 && attribute.count == 32
      && dac.count == 768
      && dispi.count == DISPI.count && dacComponent < 3
  }

  var isDispiEnabled: Bool { dispi[DISPI.enable] & DISPI.enabled != 0 }
  var isChain4: Bool { sequencer[Sequencer.memoryMode] & 8 != 0 }
  var isColor: Bool { miscellaneous & 1 != 0 }

  // MARK: CRTC values of more than eight bits

  private func overflow(_ bit: UInt8, _ weight: Int) -> Int {
    crtc[CRTC.overflow] >> bit & 1 != 0 ? weight : 0
  }

  var verticalDisplayEnd: Int { Int(crtc[CRTC.verticalDisplayEnd]) + overflow(1, 256) + overflow(6, 512) }
  var verticalTotal: Int { Int(crtc[CRTC.verticalTotal]) + overflow(0, 256) + overflow(5, 512) }
  var verticalRetraceStart: Int { Int(crtc[CRTC.verticalRetraceStart]) + overflow(2, 256) + overflow(7, 512) }
  var lineCompare: Int {
    Int(crtc[CRTC.lineCompare]) + overflow(4, 256) + (crtc[CRTC.maximumScanLine] & 0x40 != 0 ? 512 : 0)
  }
  var startAddress: Int { Int(crtc[CRTC.startHigh]) << 8 | Int(crtc[CRTC.startLow]) }
  var cursorAddress: Int { Int(crtc[CRTC.cursorHigh]) << 8 | Int(crtc[CRTC.cursorLow]) }
}
