// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display
import GuestMemory
import PCI

/// A VGA with the Bochs display interface: QEMU's standard card, PCI 1234:1111.
public final class VGADevice: PCIFunction, RegisterFile, Device, DisplaySource {
  /// The windows: the VGA's and the display interface's ports, memory at 0xA0000, and the registers of BAR 2.
  public enum Window {
    case ports
    case displayInterface
    case memory
    case registers
  }

  public let deviceName = "vga"
  private let clock: Clock
  private let memory: MemorySpace
  let video: VideoMemory
  let renderer: VGARenderer
  private let edid: [UInt8]
  /// 0xA0000 … 0xBFFFF as registers, and over it the memory itself where writes need no help.
  private var windowRegion: MemoryRegion?
  private let directRegion: MemoryRegion
  private var directBank: Int?
  var registers = VGARegisters()

  /// The card. `videoByteCount` is a power of two from 1 MiB; `rom` is its option ROM in a block of a power of two.
  public init(
    memory: MemorySpace, clock: Clock, surface: DisplaySurface, videoByteCount: Int, rom: RAMBlock?,
    preferredWidth: Int = 1024, preferredHeight: Int = 768
  ) throws(RAMBlockError) {
    self.memory = memory
    self.clock = clock
    let block = try RAMBlock(name: "vga.vram", byteCount: videoByteCount)
    video = VideoMemory(block: block)
    renderer = VGARenderer(video: video, surface: surface)
    edid = EDID.block(width: preferredWidth, height: preferredHeight)
    directRegion = MemoryRegion(
      name: "vga-chain4", base: GuestAddress(UInt64(0xA0000)), count: 0x10000,
      backing: .ram(block, offset: 0),
      priority: 2, isEnabled: false)
    super.init(
      name: "vga", identity: PCIIdentity(vendor: 0x1234, device: 0x1111, revision: 2, classCode: 0x030000))
    addMemoryBAR(
      0,
      region: MemoryRegion(
        name: "vga.vram", base: GuestAddress(UInt64(0)), count: UInt64(videoByteCount),
        backing: .ram(block, offset: 0),
        priority: 1), isPrefetchable: true)
    let window = RegisterWindow(self, .registers, name: "vga.mmio", count: 4096, widest: .dword)
    addMemoryBAR(2, region: MemoryRegion(window: window, base: GuestAddress(UInt64(0)), priority: 1))
    if let rom {
      addROM(
        region: MemoryRegion(
          name: "vga.rom", base: GuestAddress(UInt64(0)), count: UInt64(rom.byteCount),
          backing: .rom(rom, offset: 0),
          priority: 1))
    }
    memory.setDirtyTracking(of: block, true)
  }

  /// Maps what has a fixed address: ports 0x3B0 … 0x3DF and 0x1CE … 0x1D0, memory at 0xA0000.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .ports, name: "vga", count: VGAPort.count), at: VGAPort.first)
    ports.map(
      RegisterWindow(self, .displayInterface, name: "vga-dispi", count: 4, widest: .word), at: DISPI.indexPort
    )
    let window = RegisterWindow(
      self, .memory, name: "vga-lowmem", count: 0x20000, widest: .byte, mayCoalesceWrites: true)
    let region = MemoryRegion(window: window, base: GuestAddress(UInt64(0xA0000)), priority: 1)
    windowRegion = region
    memory.add(region)
    memory.add(directRegion)
  }

  // MARK: Windows

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .memory: return UInt64(video.read(offset, &registers))
    case .ports: return UInt64(readPort(Int(VGAPort.first) + offset))
    case .displayInterface: return UInt64(readDisplayInterfacePort(offset, width))
    case .registers:
      var value: UInt64 = 0
      for index in 0..<width.count { value |= UInt64(readRegister(offset + index)) << UInt64(index * 8) }
      return value
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .memory: video.write(offset, UInt8(truncatingIfNeeded: value), registers)
    case .ports:
      writePort(Int(VGAPort.first) + offset, UInt8(truncatingIfNeeded: value))
      updateDirectMapping()
    case .displayInterface:
      if offset == 0 {
        registers.dispiIndex = UInt16(truncatingIfNeeded: value)
      } else if offset <= 2 {
        writeDisplayInterface(Int(registers.dispiIndex), UInt16(truncatingIfNeeded: value))
        updateDirectMapping()
      }
    case .registers: writeRegisters(offset, value, width)
    }
  }

  /// Index at 0x1CE, data at 0x1CF; unaligned machines use 0x1D0 for data.
  private func readDisplayInterfacePort(_ offset: Int, _ width: AccessWidth) -> UInt16 {
    switch offset {
    case 0: registers.dispiIndex
    case 1, 2: readDisplayInterface(Int(registers.dispiIndex))
    default: 0xFFFF
    }
  }

  // MARK: BAR 2 (QEMU, docs/specs/standard-vga)

  private enum RegisterBlock {
    static let edid = 0x000..<0x400
    static let ports = 0x400..<0x420
    static let displayInterface = 0x500..<0x516
    static let size = 0x600
    static let byteOrder = 0x604
    static let littleEndian: UInt32 = 0x1E1E_1E1E
  }

  private func readRegister(_ offset: Int) -> UInt8 {
    switch offset {
    case RegisterBlock.edid: return offset < edid.count ? edid[offset] : 0
    case RegisterBlock.ports: return readPort(VGAPort.attribute + offset - RegisterBlock.ports.lowerBound)
    case RegisterBlock.displayInterface:
      let value = readDisplayInterface((offset - RegisterBlock.displayInterface.lowerBound) / 2)
      return UInt8(truncatingIfNeeded: value >> UInt16((offset & 1) * 8))
    case RegisterBlock.size: return 8
    case RegisterBlock.byteOrder..<RegisterBlock.byteOrder + 4:
      return UInt8(truncatingIfNeeded: RegisterBlock.littleEndian)
    default: return 0
    }
  }

  private func writeRegisters(_ offset: Int, _ value: UInt64, _ width: AccessWidth) {
    if RegisterBlock.displayInterface.contains(offset) {
      // The display interface is 16 bits wide.
      var rest = value
      for register in stride(from: offset & ~1, to: offset + width.count, by: 2) {
        let index = (register - RegisterBlock.displayInterface.lowerBound) / 2
        if width == .byte { continue }
        writeDisplayInterface(index, UInt16(truncatingIfNeeded: rest))
        rest >>= 16
      }
    } else if RegisterBlock.ports.contains(offset) {
      for index in 0..<width.count where RegisterBlock.ports.contains(offset + index) {
        writePort(
          VGAPort.attribute + offset + index - RegisterBlock.ports.lowerBound,
          UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
      }
    }
    updateDirectMapping()
  }

  // MARK: Display interface

  private func readDisplayInterface(_ index: Int) -> UInt16 {
    guard index < DISPI.count else { return index == DISPI.count ? 0 : 0xFFFF }
    if index == DISPI.videoMemory64K { return UInt16(clamping: video.block.byteCount >> 16) }
    if registers.dispi[DISPI.enable] & DISPI.getCapabilities != 0 {
      switch index {
      case DISPI.xResolution: return DISPI.maximumWidth
      case DISPI.yResolution: return DISPI.maximumHeight
      case DISPI.bitsPerPixel: return 32
      default: break
      }
    }
    if index == DISPI.virtualHeight { return UInt16(clamping: virtualHeight) }
    return registers.dispi[index]
  }

  private var bytesPerPixel: Int { (Int(registers.dispi[DISPI.bitsPerPixel]) + 7) / 8 }

  /// Bytes from one row to the next; a 4-bit mode has four planes.
  private var pitch: Int {
    let width = Int(registers.dispi[DISPI.virtualWidth])
    return registers.dispi[DISPI.bitsPerPixel] == 4 ? width / 2 : width * bytesPerPixel
  }

  private var virtualHeight: Int { pitch == 0 ? 0 : video.block.byteCount / pitch }

  private func writeDisplayInterface(_ index: Int, _ value: UInt16) {
    switch index {
    case DISPI.id:
      if (DISPI.oldestID...DISPI.newestID).contains(value) { registers.dispi[DISPI.id] = value }
    case DISPI.xResolution:
      if value <= DISPI.maximumWidth && value & 7 == 0 { registers.dispi[index] = value }
    case DISPI.yResolution: if value <= DISPI.maximumHeight { registers.dispi[index] = value }
    case DISPI.bitsPerPixel:
      let bits = value == 0 ? 8 : value
      if [4, 8, 15, 16, 24, 32].contains(bits) { registers.dispi[index] = bits }
    case DISPI.bank:
      if Int(value) << 16 < video.block.byteCount { registers.dispi[index] = value }
    case DISPI.enable: enableDisplayInterface(value)
    case DISPI.virtualWidth, DISPI.xOffset, DISPI.yOffset:
      registers.dispi[index] = value
      fitToMemory()
    default: break
    }
  }

  private func enableDisplayInterface(_ value: UInt16) {
    let wasEnabled = registers.isDispiEnabled
    registers.dispi[DISPI.enable] = value
    guard value & DISPI.enabled != 0 else {
      registers.dispi[DISPI.bank] = 0
      return
    }
    guard !wasEnabled else { return }
    registers.dispi[DISPI.virtualWidth] = registers.dispi[DISPI.xResolution]
    registers.dispi[DISPI.xOffset] = 0
    registers.dispi[DISPI.yOffset] = 0
    registers.dispi[DISPI.bank] = 0
    fitToMemory()
    guard value & DISPI.noClearMemory == 0 else { return }
    let count = min(pitch * Int(registers.dispi[DISPI.yResolution]), video.block.byteCount)
    video.block.allBytes.prefix(count).initializeMemory(as: UInt8.self, repeating: 0)
    video.block.dirty.mark(byteOffset: 0, count: count)
  }

  /// A screen that the memory does not hold is made smaller; offsets stay inside.
  private func fitToMemory() {
    if registers.dispi[DISPI.virtualWidth] < registers.dispi[DISPI.xResolution] {
      registers.dispi[DISPI.virtualWidth] = registers.dispi[DISPI.xResolution]
    }
    if pitch > 0, virtualHeight < Int(registers.dispi[DISPI.yResolution]) {
      registers.dispi[DISPI.virtualWidth] = registers.dispi[DISPI.xResolution]
      registers.dispi[DISPI.yResolution] = UInt16(
        clamping: min(virtualHeight, Int(registers.dispi[DISPI.yResolution])))
    }
    let slackX = Int(registers.dispi[DISPI.virtualWidth]) - Int(registers.dispi[DISPI.xResolution])
    let slackY = virtualHeight - Int(registers.dispi[DISPI.yResolution])
    registers.dispi[DISPI.xOffset] = min(registers.dispi[DISPI.xOffset], UInt16(clamping: max(slackX, 0)))
    registers.dispi[DISPI.yOffset] = min(registers.dispi[DISPI.yOffset], UInt16(clamping: max(slackY, 0)))
  }

  // MARK: Direct mapping

  /// Where each byte the guest writes is simply a byte of the memory (chain-4 with all planes, or a bank of the display
  /// interface), it is mapped and costs no exit.
  private func updateDirectMapping() {
    var bank: Int?
    let map = registers.graphics[Graphics.miscellaneous] >> 2 & 3
    if map == 1 {
      if registers.isDispiEnabled {
        if registers.dispi[DISPI.bitsPerPixel] >= 8 { bank = Int(registers.dispi[DISPI.bank]) << 16 }
      } else if registers.isChain4 && registers.sequencer[Sequencer.mapMask] & 15 == 15 {
        bank = 0
      }
    }
    if let start = bank, start + 0x10000 > video.block.byteCount { bank = nil }
    guard bank != directBank else { return }
    directBank = bank
    if let bank {
      memory.update(directRegion, isEnabled: true, backing: .ram(video.block, offset: bank))
    } else {
      memory.update(directRegion, isEnabled: false)
    }
  }

  // MARK: Ports

  /// The writable bits of the sequencer's and the graphics controller's registers.
  private static let sequencerMasks: [UInt8] = [0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF]
  private static let graphicsMasks: [UInt8] = [15, 15, 15, 31, 3, 0x7B, 15, 15, 0xFF, 0, 0, 0, 0, 0, 0, 0]

  private func isDecoded(_ port: Int) -> Bool {
    // The CRTC and status ports move with the colour bit.
    if (VGAPort.crtcIndexMono - 4..<VGAPort.attribute).contains(port) { return !registers.isColor }
    if port >= 0x3D0 { return registers.isColor }
    return true
  }

  private func readPort(_ port: Int) -> UInt8 {
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

  private func writePort(_ port: Int, _ value: UInt8) {
    guard isDecoded(port) else { return }
    switch port {
    case VGAPort.attribute: writeAttribute(value)
    case VGAPort.miscellaneousWrite: registers.miscellaneous = value & ~0x10
    case VGAPort.sequencerIndex: registers.sequencerIndex = value & 7
    case VGAPort.sequencerData:
      let index = Int(registers.sequencerIndex & 7)
      registers.sequencer[index] = value & Self.sequencerMasks[index]
    case VGAPort.dacMask: registers.dacMask = value
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
    let index = Int(registers.attributeIndex & 0x1F)
    switch index {
    // The palette is out of the CPU's reach while the display uses it.
    case 0..<16: if registers.attributeIndex & 0x20 == 0 { registers.attribute[index] = value & 0x3F }
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
      // Only the line compare bit of a protected overflow register can be written.
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
    return value
  }

  private func writeDAC(_ value: UInt8) {
    registers.dac[Int(registers.dacWriteIndex) * 3 + Int(registers.dacComponent)] = value
    registers.dacComponent += 1
    if registers.dacComponent == 3 {
      registers.dacComponent = 0
      registers.dacWriteIndex &+= 1
    }
  }

  // MARK: Display

  public func refresh(all: Bool) {
    memory.collectDirtyPages(of: video.block)
    renderer.draw(registers, at: clock.now, all: all)
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    registers = VGARegisters()
    updateDirectMapping()
  }

  /// The configuration space and the registers.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var registers: VGARegisters
  }

  public func save() -> State { State(configuration: saveConfiguration(), registers: registers) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.registers.isValid else {
      throw RestoreError("vga: the state's registers are not those of a VGA")
    }
    try restoreConfiguration(state.configuration)
    registers = state.registers
    // Values no register write would have let through are made harmless by writing them again.
    if Int(registers.dispi[DISPI.bank]) << 16 >= video.block.byteCount { registers.dispi[DISPI.bank] = 0 }
    registers.dispi[DISPI.xResolution] = min(registers.dispi[DISPI.xResolution], DISPI.maximumWidth)
    registers.dispi[DISPI.yResolution] = min(registers.dispi[DISPI.yResolution], DISPI.maximumHeight)
    if ![4, 8, 15, 16, 24, 32].contains(registers.dispi[DISPI.bitsPerPixel]) {
      registers.dispi[DISPI.bitsPerPixel] = 8
    }
    fitToMemory()
    updateDirectMapping()
    video.block.dirty.markAll()
  }
}
