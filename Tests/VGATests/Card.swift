// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display
import GuestMemory
import PCI
import TestSupport
import VGA

/// A card on a small board, and what a driver does with it.
final class Card {
  static let address = PCIAddress(2)
  static let frameBuffer: UInt64 = 0xE000_0000
  static let registers: UInt64 = 0xFEBF_0000

  let board: TestBoard
  let surface = DisplaySurface(width: 16, height: 16)
  let device: VGADevice

  init(megabytes: Int = 16, rom: RAMBlock? = nil, preferredWidth: Int = 1024, preferredHeight: Int = 768)
    throws
  {
    board = try TestBoard(ramByteCount: 1 << 20)
    device = try VGADevice(
      memory: board.memory, clock: board.clock, surface: surface, videoByteCount: megabytes << 20, rom: rom,
      preferredWidth: preferredWidth, preferredHeight: preferredHeight)
    board.pci.plug(device, at: Self.address)
    device.map(in: board.ports)
    device.reset()
    board.writeConfiguration(Self.address, 0x10, UInt32(Self.frameBuffer))
    board.writeConfiguration(Self.address, 0x18, UInt32(Self.registers))
    board.writeConfiguration(Self.address, 0x04, 3)
  }

  // MARK: Registers

  func sequencer(_ index: UInt8, _ value: UInt8) { indexed(0x3C4, index, value) }
  func crtc(_ index: UInt8, _ value: UInt8) { indexed(0x3D4, index, value) }
  func graphics(_ index: UInt8, _ value: UInt8) { indexed(0x3CE, index, value) }
  private func indexed(_ port: UInt16, _ index: UInt8, _ value: UInt8) {
    board.outw(port, UInt16(index) | UInt16(value) << 8)
  }
  func readSequencer(_ index: UInt8) -> UInt8 { readIndexed(0x3C4, index) }
  func readCRTC(_ index: UInt8) -> UInt8 { readIndexed(0x3D4, index) }
  func readGraphics(_ index: UInt8) -> UInt8 { readIndexed(0x3CE, index) }
  private func readIndexed(_ port: UInt16, _ index: UInt8) -> UInt8 {
    board.outb(port, index)
    return board.inb(port + 1)
  }

  /// Writes an attribute register; the screen stays on.
  func attribute(_ index: UInt8, _ value: UInt8) {
    _ = board.inb(0x3DA)
    board.outb(0x3C0, index)
    board.outb(0x3C0, value)
    board.outb(0x3C0, 0x20)
  }
  func readAttribute(_ index: UInt8) -> UInt8 {
    _ = board.inb(0x3DA)
    board.outb(0x3C0, index | 0x20)
    return board.inb(0x3C1)
  }

  func color(_ index: UInt8, _ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    board.outb(0x3C8, index)
    for value in [red, green, blue] { board.outb(0x3C9, value) }
  }

  func dispi(_ index: UInt16, _ value: UInt16) {
    board.outw(0x1CE, index)
    board.outw(0x1CF, value)
  }
  func readDispi(_ index: UInt16) -> UInt16 {
    board.outw(0x1CE, index)
    return board.inw(0x1CF)
  }

  // MARK: Memory

  func poke(_ address: UInt64, _ value: UInt8) {
    board.memory.write(GuestAddress(address), UInt64(value), .byte)
  }
  func peek(_ address: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: board.memory.read(GuestAddress(address), .byte))
  }
  /// Writes a pixel of up to four bytes into the linear frame buffer.
  func pokePixel(_ offset: Int, _ value: UInt32, byteCount: Int) {
    for byte in 0..<byteCount {
      poke(Self.frameBuffer + UInt64(offset + byte), UInt8(truncatingIfNeeded: value >> UInt32(byte * 8)))
    }
  }

  // MARK: The picture

  func picture(all: Bool = false) -> Screenshot {
    device.refresh(all: all)
    return Screenshot(of: surface)
  }

  /// Draws on a screen that was just made, to see what the picture is whatever was drawn before.
  func pictureFromScratch() throws -> Screenshot {
    let other = try Card(megabytes: device.videoMemory.byteCount >> 20)
    try transplant(from: device, to: other.device)
    other.board.clock.advance(by: board.clock.now)
    other.device.videoMemory.allBytes.copyMemory(from: UnsafeRawBufferPointer(device.videoMemory.allBytes))
    other.device.videoMemory.dirty.markAll()
    return other.picture(all: true)
  }
}
