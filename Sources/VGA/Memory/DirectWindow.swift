// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// The video memory itself at 0xA0000, over the window's registers, while each byte the CPU writes there is
/// simply a byte of the memory: in chain-4 modes with all planes writable, and in the banks of the display
/// interface's packed modes. Accesses then cost no exit.
final class DirectWindow {
  static let byteCount = 0x10000

  let region: MemoryRegion
  private let block: RAMBlock
  private let registers: VGARegisterBank
  /// The offset in the memory that is shown; nil while nothing is.
  private var shown: Int?

  init(block: RAMBlock, registers: VGARegisterBank) {
    self.block = block
    self.registers = registers
    region = MemoryRegion(
      name: "vga-chain4", base: GuestAddress(UInt64(0xA0000)), count: UInt64(Self.byteCount),
      backing: .ram(block, offset: 0), priority: 2, isEnabled: false)
  }

  /// Shows, moves or hides the memory as the registers say.
  func update(in memory: MemorySpace) {
    let wanted = wantedOffset
    guard wanted != shown else { return }
    shown = wanted
    if let wanted {
      memory.update(region, isEnabled: true, backing: .ram(block, offset: wanted))
    } else {
      memory.update(region, isEnabled: false)
    }
  }

  @inline(__always)
  private var wantedOffset: Int? {
    // The 64 KiB at 0xA0000, as graphics register 6 chooses them.
    guard registers.isChain4, registers.sequencer[Sequencer.mapMask] & 0x0F == 0x0F,
      registers.graphics[Graphics.miscellaneous] & 0x0C == 0x04
    else { return nil }
    let offset = registers.bankOffset
    return offset + Self.byteCount <= block.byteCount ? offset : nil
  }
}
