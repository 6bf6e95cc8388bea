// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// All registers of the card; the video memory is a RAM block and kept with the machine's memory.
///
/// They are touched on each access of the CPU, so they are plain memory rather than Swift arrays.
final class VGARegisterBank {
  /// Indexed by any value of the index register.
  let crtc: UnsafeMutablePointer<UInt8>
  let sequencer: UnsafeMutablePointer<UInt8>
  let graphics: UnsafeMutablePointer<UInt8>
  let attribute: UnsafeMutablePointer<UInt8>
  /// 256 times red, green, blue.
  let dac: UnsafeMutablePointer<UInt8>
  let dispi: UnsafeMutablePointer<UInt16>

  var crtcIndex: UInt8 = 0
  var sequencerIndex: UInt8 = 0
  var graphicsIndex: UInt8 = 0
  /// Bit 5, "palette address source": the palette belongs to the display.
  var attributeIndex: UInt8 = 0
  /// The next write to 0x3C0 is data.
  var attributeIsData = false
  var miscellaneous: UInt8 = 0
  var featureControl: UInt8 = 0
  /// A byte of each plane, plane 0 in the low byte.
  var latch: UInt32 = 0
  var dacMask: UInt8 = 0xFF
  var dacReadIndex: UInt8 = 0
  var dacWriteIndex: UInt8 = 0
  /// Which of red, green and blue comes next.
  var dacComponent: UInt8 = 0
  var dacIsReading = false
  /// Red and green, until blue comes and the three take effect.
  var dacRed: UInt8 = 0
  var dacGreen: UInt8 = 0
  var dispiIndex: UInt16 = 0
  /// Pixels of the linear frame buffer have their high byte first.
  var isBigEndian = false
  /// Raised with every write that may change a colour.
  var colorVersion: UInt64 = 0

  static let crtcCount = 256
  static let sequencerCount = 8
  static let graphicsCount = 16
  static let attributeCount = 32
  static let dacCount = 768

  init() {
    func memory<Value>(_ count: Int, of value: Value) -> UnsafeMutablePointer<Value> {
      let memory = UnsafeMutablePointer<Value>.allocate(capacity: count)
      memory.initialize(repeating: value, count: count)
      return memory
    }
    crtc = memory(Self.crtcCount, of: 0)
    sequencer = memory(Self.sequencerCount, of: 0)
    graphics = memory(Self.graphicsCount, of: 0)
    attribute = memory(Self.attributeCount, of: 0)
    dac = memory(Self.dacCount, of: 0)
    dispi = memory(DISPI.count, of: 0)
    dispi[DISPI.id] = DISPI.newestID
  }

  deinit {
    for bytes in [crtc, sequencer, graphics, attribute, dac] { bytes.deallocate() }
    dispi.deallocate()
  }

  // MARK: What they mean

  var isDispiEnabled: Bool { dispi[DISPI.enable] & DISPI.enabled != 0 }
  var is8BitDAC: Bool { dispi[DISPI.enable] & DISPI.dac8Bit != 0 }
  var isChain4: Bool { sequencer[Sequencer.memoryMode] & 8 != 0 }
  var isColor: Bool { miscellaneous & 1 != 0 }

  /// What the bank register adds to an address in the window at 0xA0000.
  @inline(__always)
  var bankOffset: Int { isDispiEnabled ? Int(dispi[DISPI.bank]) << 16 : 0 }

  private func overflow(_ bit: UInt8, _ weight: Int) -> Int {
    crtc[CRTC.overflow] >> bit & 1 != 0 ? weight : 0
  }

  var verticalDisplayEnd: Int { Int(crtc[CRTC.verticalDisplayEnd]) + overflow(1, 256) + overflow(6, 512) }
  var verticalTotal: Int { Int(crtc[CRTC.verticalTotal]) + overflow(0, 256) + overflow(5, 512) }
  var verticalRetraceStart: Int { Int(crtc[CRTC.verticalRetraceStart]) + overflow(2, 256) + overflow(7, 512) }
  var lineCompare: Int {
    Int(crtc[CRTC.lineCompare]) + overflow(4, 256) + (crtc[CRTC.maximumScanLine] & 0x40 != 0 ? 512 : 0)
  }
  /// With the byte panning of the preset row scan register.
  var startAddress: Int {
    (Int(crtc[CRTC.startHigh]) << 8 | Int(crtc[CRTC.startLow])) + Int(crtc[CRTC.presetRowScan] >> 5 & 3)
  }
  var cursorAddress: Int { Int(crtc[CRTC.cursorHigh]) << 8 | Int(crtc[CRTC.cursorLow]) }

  // MARK: State

  /// The registers' values, for keeping.
  struct Values: Codable, Equatable, Sendable {
    var crtc: [UInt8]
    var sequencer: [UInt8]
    var graphics: [UInt8]
    var attribute: [UInt8]
    var dac: [UInt8]
    var dispi: [UInt16]
    var crtcIndex: UInt8
    var sequencerIndex: UInt8
    var graphicsIndex: UInt8
    var attributeIndex: UInt8
    var attributeIsData: Bool
    var miscellaneous: UInt8
    var featureControl: UInt8
    var latch: UInt32
    var dacMask: UInt8
    var dacReadIndex: UInt8
    var dacWriteIndex: UInt8
    var dacComponent: UInt8
    var dacIsReading: Bool
    var dacRed: UInt8
    var dacGreen: UInt8
    var dispiIndex: UInt16
    var isBigEndian: Bool

    /// Whether every array has its length and what counts stays in range.
    var isValid: Bool {
      crtc.count == crtcCount && sequencer.count == sequencerCount && graphics.count == graphicsCount
        && attribute.count == attributeCount && dac.count == dacCount && dispi.count == DISPI.count
        && dacComponent < 3
    }
  }

  var values: Values {
    get {
      func array<Value>(_ memory: UnsafeMutablePointer<Value>, _ count: Int) -> [Value] {
        Array(UnsafeBufferPointer(start: memory, count: count))
      }
      return Values(
        crtc: array(crtc, Self.crtcCount), sequencer: array(sequencer, Self.sequencerCount),
        graphics: array(graphics, Self.graphicsCount), attribute: array(attribute, Self.attributeCount),
        dac: array(dac, Self.dacCount), dispi: array(dispi, DISPI.count), crtcIndex: crtcIndex,
        sequencerIndex: sequencerIndex, graphicsIndex: graphicsIndex, attributeIndex: attributeIndex,
        attributeIsData: attributeIsData, miscellaneous: miscellaneous, featureControl: featureControl,
        latch: latch, dacMask: dacMask, dacReadIndex: dacReadIndex, dacWriteIndex: dacWriteIndex,
        dacComponent: dacComponent, dacIsReading: dacIsReading, dacRed: dacRed, dacGreen: dacGreen,
        dispiIndex: dispiIndex, isBigEndian: isBigEndian)
    }
    set {
      guard newValue.isValid else { return }
      func store<Value>(_ array: [Value], in memory: UnsafeMutablePointer<Value>) {
        array.withUnsafeBufferPointer {
          if let base = $0.baseAddress { memory.update(from: base, count: $0.count) }
        }
      }
      store(newValue.crtc, in: crtc)
      store(newValue.sequencer, in: sequencer)
      store(newValue.graphics, in: graphics)
      store(newValue.attribute, in: attribute)
      store(newValue.dac, in: dac)
      store(newValue.dispi, in: dispi)
      crtcIndex = newValue.crtcIndex
      sequencerIndex = newValue.sequencerIndex & 7
      graphicsIndex = newValue.graphicsIndex & 15
      attributeIndex = newValue.attributeIndex & 0x3F
      attributeIsData = newValue.attributeIsData
      miscellaneous = newValue.miscellaneous
      featureControl = newValue.featureControl
      latch = newValue.latch
      dacMask = newValue.dacMask
      dacReadIndex = newValue.dacReadIndex
      dacWriteIndex = newValue.dacWriteIndex
      dacComponent = newValue.dacComponent
      dacIsReading = newValue.dacIsReading
      dacRed = newValue.dacRed
      dacGreen = newValue.dacGreen
      dispiIndex = newValue.dispiIndex
      isBigEndian = newValue.isBigEndian
      colorVersion &+= 1
    }
  }

  /// Brings all registers to their values after a reset.
  func reset() { values = VGARegisterBank().values }
}
