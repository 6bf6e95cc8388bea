// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI
import TestSupport
import Testing

@testable import Chipset

@Suite struct PIIX3ISABridgeTests {
  let board: TestBoard
  let bridge: PIIX3ISABridge
  let device = PCIFunction(
    name: "card", identity: PCIIdentity(vendor: 0x1234, device: 1, classCode: 0x020000), interruptPin: 1)
  private let place = PCIAddress(1)

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    let junction = InterruptJunction(board.interrupts)
    bridge = PIIX3ISABridge(irqs: (0..<16).map { junction.line($0) }, control: board.control)
    board.pci.plug(bridge, at: place)
    board.pci.interruptRouter = bridge
    board.pciMechanism.narrowAccess = bridge.makeResetWindow()
    // Device 3's INTA# is PIRQC.
    board.pci.plug(device, at: PCIAddress(3))
    bridge.reset()
  }

  private func route(_ line: Int, _ value: UInt8) {
    board.select(place, 0x60)
    board.outb(0xCFC + UInt16(line), value)
  }

  @Test func itIsAMultifunctionISABridge() {
    #expect(board.readConfiguration(place, 0) == 0x7000_8086)
    #expect(board.readConfiguration(place, 4) == 0x0200_0007)
    #expect(board.readConfiguration(place, 8) == 0x0601_0000)
    #expect(board.readConfiguration(place, 0x0C) == 0x0080_0000)
    #expect(board.readConfiguration(place, 0x4C) == 0x0003_004D)
    #expect(board.readConfiguration(place, 0x60) == 0x8080_8080)
    #expect(board.readConfiguration(place, 0x68) == 0x0000_0200)
  }

  // MARK: Interrupt routing

  @Test func aRoutedLineRaisesItsIRQ() {
    device.setInterrupt(true)
    #expect(board.interrupts.levels.isEmpty)
    route(2, 11)
    #expect(board.interrupts.isRaised(11))
    // Moved while it is raised.
    route(2, 10)
    #expect(!board.interrupts.isRaised(11) && board.interrupts.isRaised(10))
    device.setInterrupt(false)
    #expect(!board.interrupts.isRaised(10))
    device.setInterrupt(true)
    route(2, 0x8A)
    #expect(!board.interrupts.isRaised(10))
    #expect(bridge.irq(ofLine: 2) == nil && bridge.irq(ofLine: 9) == nil)
  }

  @Test func linesRoutedToOneIRQAreWiredOr() {
    let other = PCIFunction(
      name: "other", identity: PCIIdentity(vendor: 0x1234, device: 2, classCode: 0), interruptPin: 1)
    board.pci.plug(other, at: PCIAddress(2))
    route(1, 11)
    route(2, 11)
    device.setInterrupt(true)
    other.setInterrupt(true)
    device.setInterrupt(false)
    #expect(board.interrupts.isRaised(11) && board.interrupts.edges[11] == 1)
    other.setInterrupt(false)
    #expect(!board.interrupts.isRaised(11))
  }

  @Test(arguments: 0..<16)
  func onlyInterruptsThatCardsMayHaveAreRoutable(irq: Int) {
    device.setInterrupt(true)
    route(2, UInt8(irq))
    let isRoutable = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15].contains(irq)
    #expect(board.interrupts.isRaised(irq) == isRoutable)
    #expect(bridge.irq(ofLine: 2) == (isRoutable ? irq : nil))
  }

  @Test func resetUndoesTheRouting() {
    route(2, 11)
    device.setInterrupt(true)
    bridge.reset()
    #expect(!board.interrupts.isRaised(11))
    device.resetConfiguration()
    route(2, 11)
    #expect(!board.interrupts.isRaised(11))
  }

  // MARK: Reset control

  @Test func softAndHardResetsAreToldApart() {
    board.outb(0xCF9, 0x02)
    #expect(board.inb(0xCF9) == 0x02)
    #expect(board.control.resets.isEmpty)
    board.outb(0xCF9, 0x06)
    #expect(board.control.resets == [.guest] && board.control.cpuInits == 0)
    board.outb(0xCF9, 0x00)
    board.outb(0xCF9, 0x04)
    #expect(board.control.resets == [.guest] && board.control.cpuInits == 1)
    board.outb(0xCF9, 0x04)
    #expect(board.control.cpuInits == 2)
    #expect(board.inb(0xCF9) == 0)
  }

  @Test func otherAccessesAtThesePortsDoNotReset() {
    board.outl(0xCF8, 0x8000_0600)
    board.outb(0xCF8, 0x06)
    board.outb(0xCFA, 0x06)
    board.outl(0xCFC, 0x0606_0606)
    #expect(board.control.resets.isEmpty && board.control.cpuInits == 0)
    board.outw(0xCF8, 0x0600)
    #expect(board.control.resets == [.guest])
  }

  // MARK: State

  @Test func stateCarriesRoutingAndLevels() throws {
    route(2, 11)
    device.setInterrupt(true)
    board.outb(0xCF9, 2)
    let recorder = InterruptRecorder()
    let target = PIIX3ISABridge(irqs: (0..<16).map { InterruptLine(recorder, $0) }, control: board.control)
    try transplant(from: bridge, to: target)
    #expect(target.save() == bridge.save())
    #expect(recorder.isRaised(11))
    target.setInterruptLine(2, isRaised: false)
    #expect(!recorder.isRaised(11))
    var state = bridge.save()
    state.lines.removeLast()
    #expect(throws: RestoreError.self) { try target.restore(state) }
    state = bridge.save()
    state.resetControl = 0xFF
    try target.restore(state)
    #expect(target.save().resetControl == 2)
  }

  @Test func randomAccessesNeitherTrapNorHang() {
    print("seed 21")
    var generator = SeededGenerator(seed: 21)
    for _ in 0..<3000 {
      let random = generator.next()
      board.select(place, Int(random & 0xFF))
      switch random >> 8 & 3 {
      case 0: board.outl(0xCFC, UInt32(truncatingIfNeeded: random >> 16))
      case 1: board.outb(0xCF8 + UInt16(random >> 16 & 7), UInt8(truncatingIfNeeded: random >> 24))
      case 2: _ = board.inl(0xCFC)
      default: bridge.setInterruptLine(Int(random >> 16 & 7), isRaised: random >> 24 & 1 == 0)
      }
    }
    #expect(board.readConfiguration(place, 0) == 0x7000_8086)
  }
}

@Suite struct Port92Tests {
  let board: TestBoard
  let port: Port92

  init() throws {
    board = try TestBoard(ramByteCount: 4096)
    port = Port92(control: board.control)
    port.map(in: board.ports)
  }

  @Test func bit1IsTheA20Gate() {
    board.outb(0x92, 0x02)
    #expect(board.control.isA20Enabled && board.inb(0x92) == 0x02)
    board.outb(0x92, 0x00)
    #expect(!board.control.isA20Enabled)
    #expect(board.control.cpuInits == 0)
  }

  @Test func bit0ResetsTheCPUAndDoesNotStay() {
    board.outb(0x92, 0x03)
    #expect(board.control.cpuInits == 1)
    #expect(board.inb(0x92) == 0x02)
    board.outb(0x92, 0x03)
    #expect(board.control.cpuInits == 2)
  }

  @Test func stateIsTheRegister() throws {
    board.outb(0x92, 0x02)
    let target = Port92(control: SystemControlRecorder())
    try transplant(from: port, to: target)
    #expect(target.read((), offset: 0, width: .byte) == 0x02)
    try target.restore(Port92.State(register: 0xFF))
    #expect(target.read((), offset: 0, width: .byte) & 1 == 0)
    target.reset()
    #expect(target.read((), offset: 0, width: .byte) == 0)
  }
}

/// Selecting a register for narrow accesses to CONFIG_DATA.
extension TestBoard {
  func select(_ address: PCIAddress, _ register: Int) {
    outl(
      0xCF8,
      0x8000_0000 | UInt32(address.device) << 11 | UInt32(address.function) << 8 | UInt32(register & 0xFC))
  }
}
