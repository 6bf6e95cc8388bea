// SPDX-License-Identifier: GPL-2.0-or-later

/// The VGA's ports (IBM PS/2 Hardware Interface Technical Reference, video subsystem).
extension VGADevice {
  /// The writable bits of the sequencer's and the graphics controller's registers.
  private static let sequencerMasks: [UInt8] = [0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF]
  private static let graphicsMasks: [UInt8] = [15, 15, 15, 31, 3, 0x7B, 15, 15, 0xFF, 0, 0, 0, 0, 0, 0, 0]

  /// The CRTC and status ports are at 0x3Bx or 0x3Dx, as the colour bit says.
  private func isDecoded(_ port: Int) -> Bool {
    if port < VGAPort.attribute { return !registers.isColor }
    return port < VGAPort.firstColor || registers.isColor
  }

  func readPort(_ port: Int) -> UInt8 {
    guard isDecoded(port) else { return 0xFF }
    switch port {
    case VGAPort.attribute: return registers.attributeIsData ? 0 : registers.attributeIndex
    case VGAPort.attributeRead: return registers.attribute[Int(registers.attributeIndex & 0x1F)]
    // Input status 0: a monitor is there.
    case VGAPort.miscellaneousWrite: return 0x10
    case VGAPort.sequencerIndex: return registers.sequencerIndex
    case VGAPort.sequencerData: return registers.sequencer[Int(registers.sequencerIndex & 7)]
    case VGAPort.dacMask: return registers.dacMask
    case VGAPort.dacReadAddress: return registers.dacIsReading ? 3 : 0
    case VGAPort.dacWriteAddress: return registers.dacWriteIndex
    case VGAPort.dacData: return readDAC()
    case VGAPort.featureControlRead: return registers.featureControl
    case VGAPort.miscellaneousRead: return registers.miscellaneous
    case VGAPort.graphicsIndex: return registers.graphicsIndex
    case VGAPort.graphicsData: return registers.graphics[Int(registers.graphicsIndex & 15)]
    case VGAPort.crtcIndex, VGAPort.crtcIndexMono: return registers.crtcIndex
    case VGAPort.crtcData, VGAPort.crtcDataMono: return registers.crtc[Int(registers.crtcIndex)]
    case VGAPort.inputStatus1, VGAPort.inputStatus1Mono:
      registers.attributeIsData = false
      return RetraceTiming(registers).status(at: clock.now)
    default: return 0xFF
    }
  }

  func writePort(_ port: Int, _ value: UInt8) {
    guard isDecoded(port) else { return }
    switch port {
    case VGAPort.attribute: writeAttribute(value)
    case VGAPort.miscellaneousWrite: registers.miscellaneous = value & ~0x10
    case VGAPort.sequencerIndex: registers.sequencerIndex = value & 7
    case VGAPort.sequencerData:
      let index = Int(registers.sequencerIndex & 7)
      registers.sequencer[index] = value & Self.sequencerMasks[index]
    case VGAPort.dacMask:
      registers.dacMask = value
      registers.colorVersion &+= 1
    case VGAPort.dacReadAddress:
      registers.dacReadIndex = value
      registers.dacComponent = 0
      registers.dacIsReading = true
    case VGAPort.dacWriteAddress:
      registers.dacWriteIndex = value
      registers.dacComponent = 0
      registers.dacIsReading = false
    case VGAPort.dacData: writeDAC(value)
    case VGAPort.graphicsIndex: registers.graphicsIndex = value & 15
    case VGAPort.graphicsData:
      let index = Int(registers.graphicsIndex & 15)
      registers.graphics[index] = value & Self.graphicsMasks[index]
    case VGAPort.crtcIndex, VGAPort.crtcIndexMono: registers.crtcIndex = value
    case VGAPort.crtcData, VGAPort.crtcDataMono: writeCRTC(Int(registers.crtcIndex), value)
    case VGAPort.inputStatus1, VGAPort.inputStatus1Mono: registers.featureControl = value & 0x10
    default: break
    }
  }

  private func writeAttribute(_ value: UInt8) {
    defer { registers.attributeIsData.toggle() }
    guard registers.attributeIsData else {
      registers.attributeIndex = value & 0x3F
      return
    }
    registers.colorVersion &+= 1
    let index = Int(registers.attributeIndex & 0x1F)
    switch index {
    // Also while the display uses it: later cards take these writes, and programs count on it.
    case 0..<16: registers.attribute[index] = value & 0x3F
    case Attribute.mode: registers.attribute[index] = value & ~0x10
    case Attribute.overscan: registers.attribute[index] = value
    case Attribute.planeEnable: registers.attribute[index] = value & 0x3F
    case Attribute.panning, Attribute.colorSelect: registers.attribute[index] = value & 0x0F
    default: break
    }
  }

  private func writeCRTC(_ index: Int, _ value: UInt8) {
    guard index <= CRTC.lineCompare else { return }
    if registers.crtc[CRTC.verticalRetraceEnd] & 0x80 != 0 && index <= CRTC.overflow {
      // Of protected registers only the line compare bit can be written.
      if index == CRTC.overflow { registers.crtc[index] = registers.crtc[index] & ~0x10 | value & 0x10 }
      return
    }
    registers.crtc[index] = value
  }

  private func readDAC() -> UInt8 {
    let value = registers.dac[Int(registers.dacReadIndex) * 3 + Int(registers.dacComponent)]
    registers.dacComponent += 1
    if registers.dacComponent == 3 {
      registers.dacComponent = 0
      registers.dacReadIndex &+= 1
    }
    return registers.is8BitDAC ? value : value & 0x3F
  }

  private func writeDAC(_ value: UInt8) {
    switch registers.dacComponent {
    case 0: registers.dacRed = value
    case 1: registers.dacGreen = value
    default:
      let entry = registers.dac + Int(registers.dacWriteIndex) * 3
      (entry[0], entry[1], entry[2]) = (registers.dacRed, registers.dacGreen, value)
      registers.dacWriteIndex &+= 1
      registers.colorVersion &+= 1
    }
    registers.dacComponent = registers.dacComponent == 2 ? 0 : registers.dacComponent + 1
  }
}
