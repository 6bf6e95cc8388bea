// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing

@testable import PCI

@Suite struct PCIFunctionTests {
  let board: TestBoard
  init() throws { board = try TestBoard(ramByteCount: 1 << 20) }

  @Test func identityIsReadOnly() {
    let function = TestFunction.make()
    board.pci.plug(function, at: PCIAddress(3))
    for register in [0, 8, 0x2C] {
      let before = board.readConfiguration(PCIAddress(3), register)
      board.writeConfiguration(PCIAddress(3), register, ~before)
      #expect(board.readConfiguration(PCIAddress(3), register) == before)
    }
    #expect(board.readConfiguration(PCIAddress(3), 0x2C) == 0x1100_1AF4)
  }

  @Test func statusBitsClearWhenOnesAreWritten() {
    let function = TestFunction.make()
    board.pci.plug(function, at: PCIAddress(3))
    function[PCIConfigurationOffset.status, as: UInt16.self] = 0xF900
    board.writeConfiguration(PCIAddress(3), 4, 0x2000_0000)
    #expect(board.readConfiguration(PCIAddress(3), 4) == 0xD900_0000)
    board.writeConfiguration(PCIAddress(3), 4, 0xFFFF_0000)
    #expect(board.readConfiguration(PCIAddress(3), 4) == 0)
  }

  @Test func aPlaceHoldsOneFunction() {
    #expect(board.pci.plug(TestFunction.make(), at: PCIAddress(2)))
    #expect(!board.pci.plug(TestFunction.make(), at: PCIAddress(2)))
    #expect(board.pci.freeDevice() == 3)
    #expect(board.pci.freeDevice(from: 40) == nil)
    #expect(board.pci.functions.count == 1)
    #expect("\(PCIAddress(31, 7))" == "00:1f.7" && "\(PCIAddress(1, 1))" == "00:01.1")
  }

  @Test func capabilitiesAreLinked() {
    let function = TestFunction.make()
    let first = function.addCapability(id: 0x01, count: 8)
    let second = function.addCapability(id: 0x09, count: 6)
    function.define(second + 2, UInt8(6))
    board.pci.plug(function, at: PCIAddress(3))
    #expect(board.readConfiguration(PCIAddress(3), 4) >> 16 & 0x10 != 0)
    var found: [UInt8] = []
    var offset = Int(board.readConfiguration(PCIAddress(3), 0x34) & 0xFF)
    while offset != 0 && found.count < 8 {
      let header = board.readConfiguration(PCIAddress(3), offset)
      found.append(UInt8(truncatingIfNeeded: header))
      offset = Int(header >> 8 & 0xFF)
    }
    #expect(found == [0x09, 0x01])
    #expect(first == 0x40 && second == 0x48)
    function.reset()
    #expect(board.readConfiguration(PCIAddress(3), 0x34) & 0xFF == UInt32(second))
  }

  // MARK: INTx

  @Test func pinsRotateBySlot() {
    // As on QEMU's boards: device 1's INTA# is PIRQA.
    #expect(PCIBus.line(device: 1, pin: 1) == 0)
    #expect(PCIBus.line(device: 2, pin: 1) == 1)
    #expect(PCIBus.line(device: 1, pin: 4) == 3)
    #expect(PCIBus.line(device: 0, pin: 1) == 3)
    #expect(PCIBus.line(device: 31, pin: 4) == 1)
  }

  @Test func sharedLinesAreWiredOr() {
    // Devices 2 and 6 share line 1.
    let (first, second) = (TestFunction.make(), TestFunction.make())
    board.pci.plug(first, at: PCIAddress(2))
    board.pci.plug(second, at: PCIAddress(6))
    first.setInterrupt(true)
    second.setInterrupt(true)
    second.setInterrupt(true)
    #expect(board.pciInterrupts.isRaised(1))
    first.setInterrupt(false)
    #expect(board.pciInterrupts.isRaised(1))
    second.setInterrupt(false)
    #expect(!board.pciInterrupts.isRaised(1))
    #expect(board.pciInterrupts.edges[1] == 1)
  }

  @Test func theCommandRegisterSilencesThePinAndStatusTellsAnyway() {
    let function = TestFunction.make()
    board.pci.plug(function, at: PCIAddress(1))
    function.setInterrupt(true)
    board.enable(PCIAddress(1), .interruptDisable)
    #expect(!board.pciInterrupts.isRaised(0))
    #expect(board.readConfiguration(PCIAddress(1), 4) >> 16 & 8 != 0)
    board.enable(PCIAddress(1), [])
    #expect(board.pciInterrupts.isRaised(0))
    board.enable(PCIAddress(1), .interruptDisable)
    function.setInterrupt(false)
    board.enable(PCIAddress(1), [])
    #expect(!board.pciInterrupts.isRaised(0))
    function.setInterrupt(true)
    function.reset()
    #expect(!board.pciInterrupts.isRaised(0))
    #expect(board.readConfiguration(PCIAddress(1), 4) >> 16 & 8 == 0)
  }

  @Test func aFunctionWithoutAPinRaisesNothing() {
    let function = TestFunction.make(pin: 0)
    board.pci.plug(function, at: PCIAddress(1))
    function.setInterrupt(true)
    #expect((0..<4).allSatisfy { !board.pciInterrupts.isRaised($0) })
  }

  @Test func aLateRouterLearnsTheLevels() {
    let function = TestFunction.make()
    function.setInterrupt(true)
    board.pci.plug(function, at: PCIAddress(3))
    let late = InterruptRecorder()
    board.pci.interruptRouter = late
    #expect(late.isRaised(2) && !late.isRaised(0))
  }

  // MARK: State

  private func boardWithWindows() throws -> (TestBoard, TestFunction) {
    let board = try TestBoard(ramByteCount: 1 << 20)
    let function = TestFunction.make()
    function.addPortBAR(0, window: Registers().window(count: 16))
    function.addMemoryBAR(1, region: Registers().region(count: 0x1000))
    board.pci.plug(function, at: PCIAddress(3))
    return (board, function)
  }

  @Test func stateMovesWindowsAndInterrupts() throws {
    let (first, source) = try boardWithWindows()
    first.writeConfiguration(PCIAddress(3), 0x10, 0xC000)
    first.writeConfiguration(PCIAddress(3), 0x14, 0xE000_0000)
    first.enable(PCIAddress(3), [.ioSpace, .memorySpace])
    source.setInterrupt(true)
    let (second, target) = try boardWithWindows()
    try transplant(from: source, to: target)
    #expect(second.inb(0xC002) == 0x82)
    #expect(second.memory.read(GuestAddress(UInt64(0xE000_0002)), .byte) == 0x82)
    #expect(second.pciInterrupts.isRaised(2))
    #expect(target.save() == source.save())
    // Back again: the windows go, the line falls.
    try transplant(from: try boardWithWindows().1, to: target)
    #expect(second.inb(0xC002) == 0xFF)
    #expect(!second.pciInterrupts.isRaised(2))
  }

  @Test func foreignStatesAreRefusedAndForgedOnesTamed() throws {
    let (board, function) = try boardWithWindows()
    var state = function.save()
    state.configuration.removeLast()
    #expect(throws: RestoreError.self) { try function.restore(state) }
    state = function.save()
    state.configuration[2] = 0
    #expect(throws: RestoreError.self) { try function.restore(state) }
    state = function.save()
    for index in 4..<256 { state.configuration[index] = 0xFF }
    try function.restore(state)
    #expect(board.readConfiguration(PCIAddress(3), 0x08) == 0x0203_0107)
    #expect(board.readConfiguration(PCIAddress(3), 0x10) == 0xFFFF_FFF1)
    #expect(board.readConfiguration(PCIAddress(3), 0x2C) == 0x1100_1AF4)
    #expect(board.readConfiguration(PCIAddress(3), 4) >> 16 & 8 == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func randomConfigurationAccessesNeitherTrapNorHang(seed: UInt64) throws {
    print("seed \(seed)")
    let (board, function) = try boardWithWindows()
    let rom = try RAMBlock(name: "rom", byteCount: 4096)
    let other = TestFunction.make()
    other.addMemoryBAR(0, region: Registers().region(count: 0x1000), is64Bit: true)
    other.addROM(
      region: MemoryRegion(
        name: "rom", base: GuestAddress(UInt64(0)), count: 4096, backing: .rom(rom, offset: 0)))
    board.pci.plug(other, at: PCIAddress(4))
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      let random = generator.next()
      let value = random & 1 == 0 ? UInt32.max : UInt32(truncatingIfNeeded: generator.next())
      let port = 0xCF8 + UInt16(random >> 8 & 7)
      switch random >> 16 & 7 {
      case 0: board.outl(0xCF8, value)
      case 1: board.outb(port, UInt8(truncatingIfNeeded: value))
      case 2: board.outw(port, UInt16(truncatingIfNeeded: value))
      case 3: _ = board.inl(port)
      case 4: _ = board.memory.read(GuestAddress(generator.next()), .qword)
      case 5: board.memory.write(GuestAddress(UInt64(value)), random, .dword)
      default:
        let device = PCIAddress(3 + Int(random >> 20 & 1))
        board.writeConfiguration(device, Int(random >> 24 & 0xFF), value)
      }
      if random >> 40 & 15 == 0 { function.setInterrupt(random >> 44 & 1 == 0) }
    }
    function.reset()
    #expect(board.readConfiguration(PCIAddress(3), 0) == 0x1234_8086)
  }
}
