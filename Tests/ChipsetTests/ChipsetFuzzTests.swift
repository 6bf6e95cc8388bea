// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import Testing

@testable import Chipset

/// All chipset devices on one board, driven by a guest that does anything anywhere: moving one device's window over another's,
/// shadowing what is being written, saving and restoring in the middle.
@Suite struct ChipsetFuzzTests {
  private final class Gate: SpeakerGate {
    var isGateOpen = false
    var output = false
  }

  /// Every device, and a way to do the same with each.
  private struct Devices {
    let bridge: I440FXHostBridge
    let isa: PIIX3ISABridge
    let power: PIIX4PowerManagement
    let rtc: RealTimeClock
    let dma: DMA8237
    let port92: Port92
    let port61: Port61
    let gate = Gate()

    init(on board: TestBoard) throws {
      let ram = try RAMBlock(name: "pc.ram", byteCount: 4 << 20)
      let bios = try RAMBlock(name: "bios", byteCount: 256 << 10)
      let interrupts = InterruptJunction(board.interrupts)
      bridge = I440FXHostBridge(memory: board.memory, ram: ram, bios: bios)
      isa = PIIX3ISABridge(irqs: (0..<16).map { interrupts.line($0) }, control: board.control)
      power = PIIX4PowerManagement(
        clock: board.clock, ports: board.ports, sci: interrupts.line(9), control: board.control)
      rtc = RealTimeClock(
        clock: board.clock, wallClock: VirtualWallClock(clock: board.clock, startSeconds: 1_700_000_000),
        interrupt: interrupts.line(8),
        contents: CMOSContents(
          memory: GuestMemoryLayout(byteCount: 4 << 20), cpuCount: 1, bootOrder: [1]))
      dma = DMA8237(memory: board.memory.memory)
      port92 = Port92(control: board.control)
      port61 = Port61(clock: board.clock, gate: gate)
      board.pci.plug(bridge, at: PCIAddress(0))
      board.pci.plug(isa, at: PCIAddress(1))
      board.pci.plug(power, at: PCIAddress(1, 3))
      board.pci.interruptRouter = isa
      board.pciMechanism.narrowAccess = isa.makeResetWindow()
      power.map()
      rtc.map(in: board.ports)
      dma.map(in: board.ports)
      port92.map(in: board.ports)
      port61.map(in: board.ports)
    }

    func reset() {
      bridge.reset()
      isa.reset()
      power.reset()
      rtc.reset()
      dma.reset()
      port92.reset()
      port61.reset()
    }

    func transplantAll(to other: Devices) throws {
      try transplant(from: bridge, to: other.bridge)
      try transplant(from: isa, to: other.isa)
      try transplant(from: power, to: other.power)
      try transplant(from: rtc, to: other.rtc)
      try transplant(from: dma, to: other.dma)
      try transplant(from: port92, to: other.port92)
      try transplant(from: port61, to: other.port61)
    }
  }

  private static let ports: [UInt16] = [
    0x00, 0x08, 0x0D, 0x61, 0x70, 0x71, 0x71, 0x71, 0x80, 0x87, 0x92, 0xB2, 0xC0, 0xD4, 0x600, 0x608, 0x700,
    0xAFE0,
    0xCF8, 0xCF9, 0xCFC, 0xCFE,
  ]
  /// Registers whose writes do something.
  private static let registers: [Int] = [0x04, 0x10, 0x3C, 0x40, 0x58, 0x5C, 0x60, 0x70, 0x80, 0x90, 0xD0]

  @Test(arguments: [41, 42, 43] as [UInt64])
  func anythingGoesAndNothingBreaks(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let board = try TestBoard(ramByteCount: 1 << 20)
    let devices = try Devices(on: board)
    devices.reset()
    for _ in 0..<4000 {
      let value = generator.next()
      let port =
        value >> 60 == 0
        ? UInt16(truncatingIfNeeded: value >> 8) : Self.ports[Int(value >> 8) % Self.ports.count]
      let width = [AccessWidth.byte, .byte, .word, .dword][Int(value >> 4 & 3)]
      switch value & 15 {
      case 0...3: board.ports.write(port, value >> 24 & 0xFFFF_FFFF, width)
      case 4...6: #expect(board.ports.read(port, width) <= width.allOnes)
      case 7...9:
        let function = [PCIAddress(0), PCIAddress(1), PCIAddress(1, 3)][Int(value >> 8 & 0xFF) % 3]
        let register = Self.registers[Int(value >> 16 & 0xFF) % Self.registers.count]
        board.writeConfiguration(function, register, UInt32(truncatingIfNeeded: value >> 24))
      case 10: board.memory.write(GuestAddress(0xA0000 + value >> 8 & 0x7FFFF), value >> 32, width)
      case 11: _ = board.memory.read(GuestAddress(0xA0000 + value >> 8 & 0x7FFFF), width)
      case 12: board.clock.advance(by: value >> 36)
      case 13: devices.isa.setInterruptLine(Int(value >> 8 & 7), isRaised: value >> 16 & 1 != 0)
      case 14: devices.power.pressPowerButton()
      default: if value >> 8 & 7 == 0 { devices.reset() }
      }
    }
    // Afterwards everything can be saved, goes on the same elsewhere, and a reset brings it all back.
    let otherBoard = try TestBoard(ramByteCount: 1 << 20)
    otherBoard.clock.advance(by: board.clock.now)
    let others = try Devices(on: otherBoard)
    try devices.transplantAll(to: others)
    try transplant(from: board.pciMechanism, to: otherBoard.pciMechanism)
    #expect(others.rtc.save() == devices.rtc.save())
    #expect(others.bridge.save() == devices.bridge.save())
    #expect(others.isa.save() == devices.isa.save())
    #expect(others.power.save() == devices.power.save())
    for _ in 0..<300 {
      let value = generator.next()
      let port = Self.ports[Int(value >> 8) % Self.ports.count]
      if value & 1 == 0 {
        for board in [board, otherBoard] { board.ports.write(port, value >> 24 & 0xFF, .byte) }
      } else {
        #expect(board.ports.read(port, .byte) == otherBoard.ports.read(port, .byte), "port \(hex(port))")
      }
      for board in [board, otherBoard] { board.clock.advance(by: value >> 40) }
      #expect(board.interrupts.isRaised(8) == otherBoard.interrupts.isRaised(8))
      #expect(board.interrupts.isRaised(9) == otherBoard.interrupts.isRaised(9))
    }
    devices.reset()
    #expect(board.inb(0x0F) & 15 == 15)
    #expect(board.readConfiguration(PCIAddress(0), 0) == 0x1237_8086)
    #expect(board.readConfiguration(PCIAddress(1), 0x60) == 0x8080_8080)
  }
}
