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
  let clock: Clock
  let memory: MemorySpace
  let registers = VGARegisterBank()
  let video: VideoMemory
  let edid: [UInt8]
  private let renderer: VGARenderer
  private let directWindow: DirectWindow

  /// The card.
  /// - Parameters:
  ///   - memory: where the video memory and the registers appear.
  ///   - clock: what makes the cursor blink and the retrace go by.
  ///   - surface: what it draws on.
  ///   - videoByteCount: its memory; brought to a power of two, from 1 to 256 MiB.
  ///   - rom: its option ROM, in a block of a power of two of bytes.
  ///   - preferredWidth: the size that the EDID asks for, at most 4095 in each direction.
  ///   - preferredHeight: see `preferredWidth`.
  public init(
    memory: MemorySpace, clock: Clock, surface: DisplaySurface, videoByteCount: Int, rom: RAMBlock?,
    preferredWidth: Int = 1024, preferredHeight: Int = 768
  ) throws(RAMBlockError) {
    self.memory = memory
    self.clock = clock
    let block = try RAMBlock(name: "vga.vram", byteCount: Self.memorySize(for: videoByteCount))
    video = VideoMemory(block: block, registers: registers)
    renderer = VGARenderer(video: video, registers: registers, surface: surface)
    edid = EDID.block(width: preferredWidth, height: preferredHeight)
    directWindow = DirectWindow(block: block, registers: registers)
    super.init(
      name: "vga", identity: PCIIdentity(vendor: 0x1234, device: 0x1111, revision: 2, classCode: 0x030000))
    let nowhere = GuestAddress(UInt64(0))
    addMemoryBAR(
      0,
      region: MemoryRegion(
        name: block.name, base: nowhere, count: UInt64(block.byteCount), backing: .ram(block, offset: 0),
        priority: 1),
      isPrefetchable: true)
    let window = RegisterWindow(
      self, .registers, name: "vga.mmio", count: RegisterBAR.byteCount, widest: .dword)
    addMemoryBAR(2, region: MemoryRegion(window: window, base: nowhere, priority: 1))
    if let rom {
      addROM(
        region: MemoryRegion(
          name: "vga.rom", base: nowhere, count: UInt64(rom.byteCount), backing: .rom(rom, offset: 0),
          priority: 1))
    }
    memory.setDirtyTracking(of: block, true)
  }

  private static func memorySize(for byteCount: Int) -> Int {
    var size = 1 << 20
    while size < byteCount && size < 256 << 20 { size <<= 1 }
    return size
  }

  /// The video memory, which is not part of ``State``.
  public var videoMemory: RAMBlock { video.block }

  /// Maps what has a fixed address: ports 0x3B0 … 0x3DF and 0x1CE … 0x1D1, memory at 0xA0000.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .ports, name: "vga", count: VGAPort.count), at: VGAPort.first)
    ports.map(
      RegisterWindow(self, .displayInterface, name: "vga-dispi", count: DISPI.portCount, widest: .word),
      at: DISPI.indexPort)
    let window = RegisterWindow(
      self, .memory, name: "vga-lowmem", count: 0x20000, widest: .byte, lateWrites: [0..<0x20000])
    memory.add(MemoryRegion(window: window, base: GuestAddress(UInt64(0xA0000)), priority: 1))
    memory.add(directWindow.region)
  }

  // MARK: Windows

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .memory: return UInt64(video.read(offset))
    case .ports: return UInt64(readPort(Int(VGAPort.first) + offset))
    case .displayInterface:
      // The data register is at 0x1CF, and at 0x1D0 for machines that need it aligned.
      switch offset {
      case 0: return UInt64(registers.dispiIndex)
      case 1, 2: return UInt64(readDisplayInterface(Int(registers.dispiIndex)))
      default: return width.allOnes
      }
    case .registers: return readRegisters(offset, width)
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .memory: return video.write(offset, UInt8(truncatingIfNeeded: value))
    case .ports: writePort(Int(VGAPort.first) + offset, UInt8(truncatingIfNeeded: value))
    case .displayInterface:
      if offset == 0 {
        registers.dispiIndex = UInt16(truncatingIfNeeded: value)
      } else if offset <= 2 {
        writeDisplayInterface(Int(registers.dispiIndex), UInt16(truncatingIfNeeded: value))
      }
    case .registers: writeRegisters(offset, value, width)
    }
    directWindow.update(in: memory)
  }

  // MARK: Display

  public func refresh(all: Bool) {
    memory.collectDirtyPages(of: video.block)
    renderer.draw(at: clock.now, all: all)
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    registers.reset()
    directWindow.update(in: memory)
  }

  /// The configuration space and the registers.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var registers: VGARegisterBank.Values
  }

  public func save() -> State { State(configuration: saveConfiguration(), registers: registers.values) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.registers.isValid else {
      throw RestoreError("vga: the state's registers are not those of a VGA")
    }
    try restoreConfiguration(state.configuration)
    registers.values = state.registers
    // The state may come from a card with more memory.
    registers.dispi[DISPI.bank] &= UInt16(truncatingIfNeeded: video.mask >> 16)
    if registers.isDispiEnabled { fitMode() }
    directWindow.update(in: memory)
    video.block.dirty.markAll()
  }
}
